"""The tools stage: real results in what is tuned on, and the same tools for whoever talks to the run."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from fledge.cli.main import main
from fledge.run.manifest import Manifest, read_manifest, write_manifest
from fledge.stages.graph import run_job
from fledge.stages.job import check_job
from fledge.stages.plan import plan
from fledge.stages.recipe import recipe_from
from fledge.stages.tools import CONVERSATIONS, INDEX, check, played, toolbox_of, tools_of
from fledge.tokens.conversations import read_conversations
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError
from fledge.world.grammar import whole_word
from fledge.world.lookup.dialogues import Dialogue, Turn
from fledge.world.lookup.reading import NOT_FOUND
from fledge.world.world import World

WORLD = {"n_bytes": 60_000, "heldout_bytes": 5_000, "n_conversations": 20, "heldout_conversations": 0, "workers": 1}
RECIPE = {"name": "tiny", "world": WORLD, "tools": {"n_conversations": 150}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    run_job(recipe_from(RECIPE, {}).job(out), say=lambda line: None)
    return out


@pytest.fixture(scope="module")
def conversations(run: Path) -> list[Conversation]:
    found = list(read_conversations([run / "tools" / CONVERSATIONS]))
    assert len(found) == 150 and all(isinstance(each, Conversation) for each in found)
    return found  # type: ignore[return-value]


def test_the_index_and_the_conversations_are_outputs_of_the_stage(run: Path) -> None:
    manifest = read_manifest(run / "tools")
    assert manifest is not None and manifest.summary["n_conversations"] == 150
    assert {CONVERSATIONS, f"{INDEX}/passages.jsonl", f"{INDEX}/search.json"} <= set(manifest.outputs)
    job = recipe_from(RECIPE, {}).job(run)
    assert {each.action for each in plan(job.stages, job.settings_of, run)} == {"done"}
    changed = recipe_from({**RECIPE, "tools": {"n_conversations": 5}}, {}).job(run)
    assert {e.stage: e.action for e in plan(changed.stages, changed.settings_of, run)}["tools"] == "re-run"


def test_training_shows_the_descriptions_that_a_chat_offers(run: Path, conversations: list[Conversation]) -> None:
    with toolbox_of(run / "tools") as box:
        shown = {conversation.tools for conversation in conversations}
        assert box.descriptions in shown
        assert shown <= {box.descriptions, *((each,) for each in box.descriptions), ()}


def test_results_are_those_of_the_tools_and_answers_are_in_them(conversations: list[Conversation]) -> None:
    n_read = n_lost = 0
    for conversation in conversations:
        messages, shown = conversation.messages, ""
        for before, message in pairwise(messages):
            if message.role != "tool":
                continue
            call = json.loads(before.tool_calls[0])
            shown += message.content
            answer = messages[messages.index(message) + 1].content
            if call["name"] == "calculator":
                assert answer == f"{call['arguments']['expression']} = {message.content}."
            elif "did not find" in answer:
                n_lost += 1
            else:
                assert message.content.endswith(f"\n\n{call['arguments']['query']}")
                last = answer.rstrip(".").removesuffix(" best").split()[-2:]
                assert any(whole_word(word, shown) for word in (" ".join(last), last[-1])), answer
                n_read += 1
    assert n_read > 20 and n_lost > 3


def test_nothing_that_a_tool_says_is_learned(conversations: list[Conversation], tokenizer: Tokenizer) -> None:
    for conversation in conversations[:60]:
        rendered = tokenizer.render(conversation)
        for span in rendered.spans:
            role = conversation.messages[span.message].role if span.message >= 0 else "system"
            learned = set(rendered.weight[span.start : span.end])
            assert learned == ({1.0} if role == "assistant" and span.kind != "header" else {0.0}), span


def test_an_answer_that_was_not_found_is_not_given(run: Path) -> None:
    query = {"query": "Nobody Known"}
    lost = NOT_FOUND.format(name="Nobody Known")
    turns = (Turn("Where?", "In Mill Lane.", "search", query, "7", lost), Turn("And who?", "A baker.", document="7"))
    with toolbox_of(run / "tools") as box:
        conversation = played(Dialogue("x", "search", turns, ("search",), 0), box)
    assert [message.content for message in conversation.messages if message.role != "tool"] == ["Where?", "", lost]


def test_a_chat_has_the_tools_that_the_assistant_was_tuned_with(run: Path, tmp_path: Path) -> None:
    assert tools_of(tmp_path) is None
    (tmp_path / "tools").mkdir()
    assert tools_of(tmp_path) is None
    shutil.copytree(run / "tools", tmp_path / "tools", dirs_exist_ok=True)
    assert tools_of(tmp_path) is None  # nothing was tuned
    tuned = Manifest("sft", "", {"world": "a"}, {}, {}, 0.0, 0.0, 0.0)
    (tmp_path / "sft").mkdir()
    write_manifest(tmp_path / "sft", tuned)
    assert tools_of(tmp_path) is None  # but without these
    write_manifest(tmp_path / "sft", replace(tuned, inputs={"world": "a", "tools": "b"}))
    with tools_of(tmp_path) as box:  # type: ignore[union-attr]
        assert box.names == ("calculator", "search")
    for file in (tmp_path / "tools" / INDEX).glob("*.npy"):
        file.write_bytes(b"")
        with pytest.raises(FledgeError, match="damaged"):
            tools_of(tmp_path)


def test_tools_without_people_to_learn_from_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FledgeError, match="world"):
        check_job(recipe_from({"name": "tiny", "text": {"sources": ["a"]}, "tools": {}}, {}).job(tmp_path))


def test_search_that_cannot_run_is_told_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(FledgeError, match=r"install it with: pip install \"fledge\[tools\]\""):
        check({})


def test_the_run_finds_whom_no_text_knows(run: Path) -> None:
    world = World(recipe_from(RECIPE, {}).settings_of["world"])
    directory = world.directory()
    person = directory.universe.people[0]
    with toolbox_of(run / "tools") as box:
        text = box.run(json.dumps({"name": "search", "arguments": {"query": person.name}})).text
    for fact in directory.facts_told(person):
        assert f"({directory.told[fact.key]})\n" in text and whole_word(fact.value, text)


def test_a_run_with_tools_is_tuned_asked_and_talked_to_with_them(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = {"compile": "off", "precision": "fp32", "attention": "products", "threads": 1, "batch_tokens": 2048}
    trained = {**fixed, "context_length": 512, "micro_batch_rows": 2}
    tasks = ["beyond_sums", "beyond_sums_with_tools", "index_people_with_tools"]
    recipe = {
        **RECIPE,
        "tokenizer": {"vocab_size": 400},
        "tokens": {"workers": 1},
        "pretrain": {**trained, "depth": 1, "tokens": 8192, "model": {"d_model": 16, "head_dim": 16, "d_ff": 32}},
        "sft": {**trained, "tokens": 8192},
        "eval": {
            "tasks": ["beyond_sums", "beyond_sums_with_tools", "index_people_with_tools"],
            "n": 3,
            "max_tokens": 8,
        },
    }
    out = tmp_path / "run"
    shutil.copytree(run, out)
    run_job(recipe_from(recipe, {}).job(out), say=lambda line: None)
    results = {each["name"]: each for each in json.loads((out / "eval/results.json").read_text("utf-8"))["tasks"]}
    assert set(results) == set(tasks)
    assert results["index_people_with_tools"]["calls"]["prompts"] == 3 and not results["beyond_sums"]["calls"]
    with tools_of(out) as box:  # type: ignore[union-attr]
        assert box.names == ("calculator", "search")
    capsys.readouterr()
    for place in (out, out / "sft"):
        assert main(["chat", place.as_posix(), "--max-tokens", "4"]) == 0
        assert capsys.readouterr().out.count("you> ") >= 2
    assert main(["chat", out.as_posix(), "--tool", "nothing"]) != 0
    assert "there is no tool 'nothing'" in capsys.readouterr().err
    job = recipe_from({**recipe, "tools": {"n_conversations": 20}}, {}).job(out)
    actions = {each.stage: each.action for each in plan(job.stages, job.settings_of, out)}
    assert (
        actions["tools"] == "re-run" and actions["pretrain"] == "done" and actions["sft"] != "done" != actions["eval"]
    )
