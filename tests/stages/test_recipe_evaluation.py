"""What the recipe's own evaluation files and patterns come to: kept out of training, and the stages know of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_recipe import write_recipe

from fledge.cli.main import main
from fledge.run.events import read_events
from fledge.run.files import read_json
from fledge.stages.plan import plan
from fledge.stages.recipe import read_recipe, recipe_flags
from fledge.stages.table import STAGES
from fledge.types import FledgeError

LEAK = "Ann took the very old drum to the far mill and nobody there was glad of it at all."


def resolved(path, *words):
    return read_recipe(path, recipe_flags(words)[1] if words else None).settings_of["tokens"]


@pytest.fixture
def files(tmp_path):
    for name in ("a.txt", "b.txt", "choice.jsonl", "own.txt"):
        (tmp_path / name).write_text('{"query": "x"}', encoding="utf-8")
    (tmp_path / "blimp").mkdir()
    return {path.name: path.as_posix() for path in tmp_path.iterdir()}


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text('name = "x"\n[text]\nsources = ["a"]\n[tokens]\n[eval]\n', encoding="utf-8")
    return path


def test_the_files_that_eval_names_are_decontaminated_against(recipe, files):
    names = ("--eval.perplexity", files["b.txt"], files["a.txt"], "--eval.blimp", files["blimp"])
    names += (
        "--eval.multiple_choice",
        files["choice.jsonl"],
        "--tokens.decontaminate",
        files["own.txt"],
        files["a.txt"],
    )
    expected = tuple(files[name] for name in ("own.txt", "a.txt", "b.txt", "blimp", "choice.jsonl"))
    assert resolved(recipe, *names).decontaminate == expected
    assert resolved(recipe, *names, "--tokens.decontaminate_eval", "false").decontaminate == expected[:2]
    assert resolved(recipe, *names, "--eval.n", "7", "--eval.blimp_n", "1") == resolved(recipe, *names)
    assert resolved(recipe).decontaminate == ()
    kept = read_recipe(recipe, recipe_flags(names)[1])
    assert kept.tokens.decontaminate == (files["own.txt"], files["a.txt"])
    recipe.write_text(kept.to_toml(), encoding="utf-8")
    assert resolved(recipe).decontaminate == expected


def test_a_missing_evaluation_file_is_told_by_the_name_that_it_was_given_under(recipe, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("text", encoding="utf-8")
    recipe.write_text(
        recipe.read_text("utf-8").replace('"a"', json.dumps((tmp_path / "in.txt").as_posix()))
        + 'perplexity = ["none.txt"]\n[tokenizer]\n[pretrain]\n',
        encoding="utf-8",
    )
    assert main(["run", str(recipe), "--out", str(tmp_path / "run")]) != 0
    assert "eval.perplexity, none.txt: is not there" in capsys.readouterr().err


def test_the_order_of_patterns_is_a_setting_that_is_compared(recipe):
    orders = []
    for mixture in ('"*a*" = 1\n"*b*" = 2\ntext = 1', '"*b*" = 2\n"*a*" = 1\ntext = 1', '"*a*" = 1\ntext = 1'):
        recipe.write_text(f'name = "x"\n[text]\n[tokens.mixture]\n{mixture}\n', encoding="utf-8")
        orders.append(resolved(recipe).precedence)
        again = read_recipe(recipe).to_toml()
        recipe.write_text(again, encoding="utf-8")
        assert resolved(recipe).precedence == orders[-1]
    assert orders == [("*a*", "*b*"), ("*b*", "*a*"), ()]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[world]\n[tokens.mixture]\n"*a*" = 1', 'there is no source "*a*"; known are world'),
        ("[world]\n[text]\n[tokens.mixture]\nwrold = 1", 'no source "wrold"; known are world, text, or patterns over'),
        ("[text]\n[tokens.mixture]\nworld = 1", 'there is no source "world"; known are text, or patterns'),
        ('[text]\n[tokens]\nprecedence = ["*a*"]', 'the mixture has no "*a*"; name keys of the mixture'),
    ],
)
def test_keys_that_can_be_no_source_are_told_at_once(recipe, text, says):
    recipe.write_text(f'name = "x"\n{text}\n', encoding="utf-8")
    with pytest.raises(FledgeError) as told:
        read_recipe(recipe)
    assert says in str(told.value) and "\n" not in str(told.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated")
    path = write_recipe(
        folder,
        n_documents=120,
        training="context_length = 32\nbatch_tokens = 64\nmicro_batch_rows = 2\nlog_spaced_checkpoints = false\n",
        pretrain="tokens = 128",
        sft="tokens = 128",
        evaluation=f"perplexity = [{json.dumps((folder / 'valid.txt').as_posix())}]",
    )
    (folder / "valid.txt").write_text(f"Something else. {LEAK}", encoding="utf-8")
    documents = (folder / "in.txt").read_text("utf-8").split("\n\n")
    (folder / "other").mkdir()
    (folder / "other" / "novels.txt").write_text(
        "\n\n".join([f"So {LEAK}", *(each.replace("took", "brought") for each in documents[:60])]), encoding="utf-8"
    )
    with open(folder / "chat.jsonl", "a", encoding="utf-8", newline="\n") as file:
        for content in (LEAK, "No."):
            turns = [("user", "What of it?"), ("assistant", content)]
            file.write(json.dumps({"messages": [{"role": role, "content": text} for role, text in turns]}) + "\n")
    text = path.read_text("utf-8").replace('in.txt"]', f'in.txt", {json.dumps((folder / "other").as_posix())}]')
    path.write_text(text + '[tokens.mixture]\n"*novels*" = 0.75\ntext = 0.25\n', encoding="utf-8")
    return folder


def decisions(run):
    recipe = read_recipe(run)
    specs = [spec for spec in STAGES if spec.name in recipe.settings_of]
    return {each.stage: (each.action, each.reason) for each in plan(specs, recipe.settings_of, run)}


def test_documents_and_conversations_with_evaluation_texts_are_set_aside(folder, capsys):
    run = folder / "run"
    words = ["run", str(folder / "small.toml"), "--out", str(run), "--until", "sft"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "tokens: training documents set aside for words shared with evaluation texts: 1 (valid.txt 1)" in out
    assert 'tokens: text-novels, text that matches "*novels*": ' in out
    assert "sft: conversations set aside for words shared with evaluation texts: 1" in out
    assert str(run / "sft" / "conversations" / "rejects.jsonl") in out
    reject = json.loads((run / "sft" / "conversations" / "rejects.jsonl").read_text("utf-8"))
    assert reject["rule"] == "contaminated" and reject["reason"].endswith("valid.txt") and LEAK in reject["text"]
    summary = next(read_events(run / "sft" / "events.jsonl", "stage_ended"))["summary"]
    assert summary["refused"] == {"contaminated": 1} and summary["n_conversations"] == 33
    assert read_json(run / "tokens" / "mixture.json")["mixture"] == {"text-novels": 0.75, "text": 0.25}
    epochs = next(read_events(run / "pretrain" / "events.jsonl", "stage_ended"))["summary"]["epochs"]
    assert set(epochs) == {"text-novels", "text"}
    assert main(["inspect", str(run / "tokens" / "train" / "text-novels")]) == 0
    assert "brought" in capsys.readouterr().out
    assert main(["inspect", str(run)]) == 0

    capsys.readouterr()
    assert main([*words, "--eval.n", "3", "--eval.ngram_order", "2"]) == 0
    assert capsys.readouterr().out.count(" done    nothing changed") == 5
    (folder / "valid.txt").write_text("Quite another text.", encoding="utf-8")
    action, reason = decisions(run)["tokens"]
    assert action == "re-run" and "valid.txt changed" in reason
    (folder / "valid.txt").write_text(f"Something else. {LEAK}", encoding="utf-8")

    (folder / "new.txt").write_text("words that stand nowhere else in all of this " * 3, encoding="utf-8")
    assert main([*words, "--tokens.decontaminate", str(folder / "new.txt")]) == 0
    out = capsys.readouterr().out
    assert "tokens: starts" in out and "pretrain: starts" not in out and "sft: starts" in out
