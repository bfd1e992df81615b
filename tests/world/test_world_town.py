"""The whole world: purity, workers, resuming, conversations, tasks, chance levels, vocabulary."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from fledge.run.events import EventLog, read_events
from fledge.text.shards import read_documents
from fledge.types import Answer, FledgeError
from fledge.world import generate
from fledge.world.config import WorldConfig
from fledge.world.conversations import smalltalk
from fledge.world.conversations.orders import ENDINGS
from fledge.world.facts.attributes import VALUES
from fledge.world.facts.names import FAMILIES, MEN, PETS, TOWN, WOMEN
from fledge.world.stories.story import ENDINGS as STORY_ENDINGS
from fledge.world.stories.story import NAMES as STORY_NAMES
from fledge.world.tasks import WorldTask
from fledge.world.world import World

TASKS = (
    "greetings identity facts_unasked facts_unasked_new_wording facts_asked multi_hop_1 multi_hop_2 multi_hop_3 "
    "multi_hop_2_new_wording sums_2 sums_3 sums_4 sums_2_new_wording sums_steps beyond_sums index_people "
    "beyond_sums_new_wording index_people_new_wording index_absent spelling counting counting_6 "
    "sorting sorting_new_wording sorting_6 unknown_people stories story_words"
)


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldConfig())


@pytest.fixture(scope="module")
def tasks(world: World) -> dict[str, WorldTask]:
    return {task.name: task for task in world.tasks()}  # type: ignore[misc]


def test_documents_are_pure(world: World) -> None:
    other = World(WorldConfig())
    for index in (5, 3, 70_000, 3):
        for split in ("train", "heldout"):
            assert other.document(index, split) == world.document(index, split)
        assert other.conversation(index) == world.conversation(index)
    assert world.document(3).text != world.document(3, "heldout").text
    assert World(WorldConfig(seed=2)).document(3).text != world.document(3).text
    assert len({world.document(index).id for index in range(100)}) == 100


def test_sizes_and_shares_are_kept() -> None:
    world = World(WorldConfig(n_bytes=1_500_000))
    sizes: Counter[str] = Counter()
    for document in world.documents():
        sizes[document.meta["kind"].split("/")[0]] += len(document.text.encode())
    total = sum(sizes.values())
    assert total == pytest.approx(1_500_000, rel=0.03)
    for kind, share in (("stories", 0.40), ("facts", 0.35), ("skills", 0.25)):
        assert sizes[kind] / total == pytest.approx(share, abs=0.03)


def _digests(out: Path) -> dict[str, str]:
    files = [*out.rglob("*.parquet"), *out.rglob("*.jsonl"), out / "facts.json"]
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if path.name != "events.jsonl"
    }


def _run(config: WorldConfig, out: Path) -> dict:
    with EventLog(out / "events.jsonl") as events:
        return generate.run_world(config, out, events, shard_documents=500)


def test_workers_and_resuming_never_change_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = {"n_bytes": 400_000, "heldout_bytes": 50_000, "n_conversations": 1100, "heldout_conversations": 50}
    one = _run(WorldConfig(workers=1, **size), tmp_path / "one")
    two = _run(WorldConfig(workers=2, **size), tmp_path / "two")
    assert one == two
    digests = _digests(tmp_path / "one")
    assert digests == _digests(tmp_path / "two")
    assert "train/part-00001.parquet" in digests and "conversations/heldout.jsonl" in digests
    # What is there is kept; what is missing is written again; the summary is the same.
    (tmp_path / "one/train/part-00001.parquet").unlink()
    written = []
    original = generate.write_documents
    monkeypatch.setattr(generate, "write_documents", lambda *a, **k: written.append(1) or original(*a, **k))
    assert _run(WorldConfig(workers=1, **size), tmp_path / "one") == one
    assert len(written) == 1 and _digests(tmp_path / "one") == digests
    # Other settings never mix with what an earlier world left.
    _run(WorldConfig(workers=1, seed=2, n_bytes=60_000, heldout_bytes=0, n_conversations=3), tmp_path / "one")
    assert sorted(path.name for path in (tmp_path / "one/train").iterdir()) == ["part-00000.parquet"]
    assert [e["split"] for e in read_events(tmp_path / "two/events.jsonl", "shard")].count("heldout") == 1


def test_written_files_hold_the_world(tmp_path: Path) -> None:
    config = WorldConfig(n_bytes=80_000, heldout_bytes=20_000, n_conversations=40, heldout_conversations=5, workers=1)
    summary, world = _run(config, tmp_path), World(config)
    documents = list(read_documents(tmp_path / "train"))
    assert documents == list(world.documents()) and summary["train"]["documents"] == len(documents)
    rows = [json.loads(line) for line in (tmp_path / "conversations/train.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == [conversation.id for conversation in world.conversations()]
    told = Counter(key for document in documents for key in document.meta["facts"])
    assert summary["exposures"]["least"] == min(told[fact.key] for fact in world.facts())
    assert len(json.loads((tmp_path / "facts.json").read_text("utf-8"))) == len(world.facts())


@pytest.mark.parametrize("changes", [{"n_people": 24, "unasked_share": 0.9}, {"unasked_share": 1.0}])
@pytest.mark.parametrize("needs", [{}, {"story_share": 1.0, "fact_share": 0.0, "skill_share": 0.0}])
def test_a_town_where_nobody_may_be_asked_about_is_refused_at_once(changes: dict, needs: dict, tmp_path: Path) -> None:
    config = WorldConfig(n_bytes=20_000, **changes, **needs)
    with (
        EventLog(tmp_path / "events.jsonl") as events,
        pytest.raises(FledgeError, match=r"world\.unasked_share: leaves"),
    ):
        generate.run_world(config, tmp_path / "world", events)
    assert not (tmp_path / "world").exists()


def test_a_town_that_asks_nothing_needs_nobody_to_ask_about() -> None:
    facts = {"story_share": 0.0, "fact_share": 1.0, "skill_share": 0.0}
    silent = {"n_conversations": 0, "heldout_conversations": 0}
    world = World(WorldConfig(n_bytes=20_000, unasked_share=1.0, **facts, **silent))
    assert sum(1 for _ in world.documents()) == world.n_documents()
    for task in world.tasks():
        if not task.name.startswith("stor"):
            task.validate()


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_refused_can_be_written(seed: int) -> None:
    able = 0
    for hops in (1, 2, 3):
        for n_people, unasked in ((12, 0.6), (12, 0.8), (40, 0.85)):
            config = WorldConfig(seed=seed, n_people=n_people, unasked_share=unasked, hops=hops, n_bytes=20_000)
            try:
                world = World(config)
            except FledgeError:
                continue
            able += 1
            for index in range(40):
                world.conversation(index)
    assert able


def test_conversations_are_well_formed() -> None:
    world = World(WorldConfig(unknown_share=0.02))
    kinds: Counter[str] = Counter()
    for index in range(2500):
        conversation = world.conversation(index)
        roles = [message.role for message in conversation.messages]
        kinds[conversation.meta["kind"]] += 1
        body = roles[1:] if roles[0] == "system" else roles
        assert body == ["user", "assistant"] * (len(body) // 2) and body
        for message in conversation.messages:
            assert message.content == message.content.strip() and message.content
            assert "{" not in message.content and "  " not in message.content
    assert len(kinds) == 13 and min(kinds.values()) > 20


def test_tuning_never_asks_about_the_tested(world: World, tasks: dict[str, WorldTask]) -> None:
    universe = world.universe
    conversations = [world.conversation(index) for index in range(4000)]
    said = "\n".join(message.content for c in conversations for message in c.messages)
    for group in ("unasked", "nowhere_heldout"):
        assert not [person.name for person in universe.group(group) if person.name in said]
    assert all(person.name in said for person in universe.group("asked"))
    text = "\n".join(world.document(index).text for index in range(4000))
    assert all(person.name in text for person in universe.people)
    assert not [person.name for person in universe.nowhere if person.name in text]
    # Wordings kept for tests are asked nowhere.
    users = {m.content for c in conversations for m in c.messages if m.role == "user"}
    for example in tasks["facts_unasked_new_wording"].examples("heldout"):
        name = universe.facts[example.meta["fact"]].subject.name
        start, end = example.prompt.messages[0].content.split(name)
        assert not [user for user in users if start and user.startswith(start) and user.endswith(end)]
    for name in ("greetings", "identity"):
        assert not {example.prompt.messages[-1].content for example in tasks[name].examples("heldout")} & users
    assert not set(smalltalk.WHO) & set(smalltalk.HELDOUT_WHO)


def test_all_tasks_are_there_and_gold_validates(tasks: dict[str, WorldTask]) -> None:
    assert list(tasks) == TASKS.split()
    for task in tasks.values():
        task.validate()
        examples = list(task.examples("heldout"))
        assert len(examples) >= 80 and len({example.id for example in examples}) == len(examples)
        assert examples == list(task.examples("heldout"))
        [request] = task.requests(examples[0])
        assert request.kind == "generate" and request.prompt == examples[0].prompt
        assert task.score(examples[0], []).value is None


def test_validate_finds_a_broken_task(tasks: dict[str, WorldTask]) -> None:
    task = tasks["sums_2"]
    broken = WorldTask("broken", task.make, tasks["sorting"].scorer)
    with pytest.raises(FledgeError, match="broken-heldout-0000"):
        broken.validate()


@pytest.mark.parametrize("name", ["facts_unasked", "facts_unasked_new_wording", "facts_asked", "multi_hop_2"])
def test_chance_on_facts_by_brute_force(name: str, tasks: dict[str, WorldTask]) -> None:
    """Score every possible value as the answer: the mean is the chance level."""
    task, total, n = tasks[name], 0.0, 0
    for example in task.examples("heldout"):
        values = VALUES[example.meta["attribute"]]
        right = sum(task.score(example, [Answer(f"It is {guess}.")]).value or 0.0 for guess in values)
        total, n = total + right / len(values), n + 1
    assert task.chance == pytest.approx(total / n)


def test_chance_on_exercises_by_brute_force(tasks: dict[str, WorldTask]) -> None:
    results = {
        "+": {a + b for a in range(10, 100) for b in range(10, 100)},
        "-": {a - b for a in range(10, 100) for b in range(10, a + 1)},
    }
    examples = list(tasks["sums_2"].examples("heldout"))
    scores = [
        sum(tasks["sums_2"].score(e, [Answer(str(guess))]).value or 0 for guess in results[e.meta["data"][1]])
        / len(results[e.meta["data"][1]])
        for e in examples
    ]
    assert tasks["sums_2"].chance == pytest.approx(sum(scores) / len(scores))
    assert tasks["sums_4"].chance < tasks["sums_3"].chance < tasks["sums_2"].chance < 0.02


def test_scoring_is_strict(tasks: dict[str, WorldTask]) -> None:
    example = next(e for e in tasks["facts_unasked"].examples("heldout") if e.meta["attribute"] == "street")
    task, value = tasks["facts_unasked"], example.meta["value"]
    other = next(street for street in VALUES["street"] if street != value)
    for text, score in ((value, 1), (value.upper(), 1), (f"{value} or {other}", 0), (value + "x", 0), ("", 0)):
        assert task.score(example, [Answer(text)]).value == score, text


def test_endings_are_those_of_the_stories() -> None:
    assert set(ENDINGS) == set(STORY_ENDINGS)


def lemma(form: str, forms: set[str]) -> str:
    """A plain reduction: an ending is dropped where what is left is itself a word of the world."""
    for ending, puts in (("ies", "y"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", ""), ("ed", "e"), ("ing", ""),
                         ("ing", "e"), ("ly", ""), ("er", ""), ("est", ""), ("est", "e"), ("d", "")):  # fmt: skip
        if form.endswith(ending) and len(form) - len(ending) > 2:
            stem = form[: -len(ending)] + puts
            if stem in forms:
                return stem
            if ending in ("ed", "ing", "er") and len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in forms:
                return stem[:-1]
    return form


def test_the_world_is_small(world: World) -> None:
    names = {name.lower() for name in (*WOMEN, *MEN, *FAMILIES, *PETS, *STORY_NAMES, TOWN, *VALUES["birthplace"])}
    texts = [world.document(index).text for index in range(7000)]
    texts += [message.content for c in map(world.conversation, range(2000)) for message in c.messages]
    text = re.sub(r"\b\w(?:-\w)+\b", " ", "\n".join(texts)).lower().replace("'s", "")
    forms = set(re.findall(r"[a-z]+", text)) - names
    lemmas = {lemma(form, forms) for form in forms}
    assert 800 < len(lemmas) <= 2500, len(lemmas)


def test_the_right_value_of_another_person_is_wrong(world: World, tasks: dict[str, WorldTask]) -> None:
    task = tasks["facts_unasked"]
    names = [person.name for person in world.universe.people]
    for example in task.examples("heldout"):
        name = next(name for name in names if name in example.gold)
        other = next(each for each in names if each not in example.gold)
        assert task.score(example, [Answer(example.gold)]).value == 1
        assert task.score(example, [Answer(example.gold.replace(name, other))]).value == 0
