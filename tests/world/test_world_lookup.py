"""Tools in the world: what is looked up stands nowhere else, and what is tested is met nowhere in training."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from fledge.infer.tools.calculator import evaluate
from fledge.infer.tools.exact import shown
from fledge.types import FledgeError
from fledge.world.config import WorldConfig
from fledge.world.conversations.asking import LEADS
from fledge.world.facts.attributes import TESTED, VALUES
from fledge.world.facts.questions import N_TRAINED_QUESTIONS, QUESTIONS
from fledge.world.grammar import whole_word
from fledge.world.lookup.beyond import ASK_IN_WORDS, beyond
from fledge.world.lookup.dialogues import CALCULATOR, SEARCH, SHARES, Dialogue
from fledge.world.lookup.directory import N_DIRECTORIES, Directory
from fledge.world.randomness import stream
from fledge.world.skills.sums import ASK, N_TRAINED, is_heldout
from fledge.world.task import WorldTask
from fledge.world.world import World

READING = WorldConfig(n_bytes=600_000, story_share=0.3, fact_share=0.3, skill_share=0.2, reading_share=0.2)


@pytest.fixture(scope="module")
def world() -> World:
    return World(READING)


@pytest.fixture(scope="module")
def dialogues(world: World) -> list[Dialogue]:
    return [world.dialogue(index) for index in range(1500)]


@pytest.fixture(scope="module")
def tasks(world: World) -> dict[str, WorldTask]:
    return {task.name: task for task in world.tasks()}  # type: ignore[misc]


def said(dialogues: list[Dialogue]) -> str:
    return "\n".join(part for d in dialogues for t in d.turns for part in (t.user, t.answer, *t.arguments.values()))


def test_people_to_be_looked_up_stand_in_no_text_and_no_conversation(
    world: World, dialogues: list[Dialogue], tasks: dict[str, WorldTask]
) -> None:
    tested = {person.name for person in world.directory().universe.people}
    assert len(tested) == 60
    absent = [example.gold for example in tasks["index_absent"].examples("heldout")]
    tested |= {person.name for person in world.universe.group("nowhere") if any(person.name in gold for gold in absent)}
    trained = [
        *(document.text for document in world.documents()),
        *(message.content for index in range(3000) for message in world.conversation(index).messages),
        said(dialogues),
        *(doc.text for number in range(N_DIRECTORIES) for doc in world.directory(number).documents),
    ]
    text = "\n".join(trained)
    assert not [name for name in tested if name in text]
    looked_up = "\n".join(document.text for document in world.directory().documents)
    assert all(person.name in looked_up for person in (*world.directory().universe.people, *world.universe.people))


def test_numbers_and_wordings_of_tests_are_met_nowhere(
    world: World, dialogues: list[Dialogue], tasks: dict[str, WorldTask]
) -> None:
    text = "\n".join([said(dialogues), *(d.text for d in world.documents() if d.meta["kind"] == "reading/numbers")])
    found = re.findall(r"(\d+) ([-+*/]|plus|minus|times|divided by) (\d+)", text)
    # the quotient of two numbers goes with the product that it undoes
    pairs = [(int(a) // int(b) if sign in ("/", "divided by") else int(a), int(b)) for a, sign, b in found]
    assert len(pairs) > 1000 and len([sign for _, sign, _ in found if sign == "/"]) > 100
    assert not [pair for pair in pairs if is_heldout(*pair)]
    for name in ("beyond_sums", "beyond_sums_new_wording"):
        for example in tasks[name].examples("heldout"):
            a, sign, b = example.meta["data"]
            assert is_heldout(a // b if sign == "/" else a, b)
    wordings = [*ASK[N_TRAINED:], *ASK_IN_WORDS[N_TRAINED:]]
    wordings += [wording for attribute in TESTED for wording in QUESTIONS[attribute][N_TRAINED_QUESTIONS:]]
    frames = [re.sub(r"\\{\w+\\}", r"[\\w ]+", re.escape(wording)) for wording in wordings]
    users = {turn.user for dialogue in dialogues for turn in dialogue.turns}
    leads = "|".join(map(re.escape, set(LEADS)))
    kept = re.compile(rf"(?:{leads})(?:{'|'.join(frames)})")
    assert not [user for user in users if kept.fullmatch(user)]
    asked = [example.prompt.messages[0].content for example in tasks["index_people_new_wording"].examples("heldout")]
    assert all(kept.fullmatch(user) for user in asked)


def test_a_directory_tells_what_it_says_it_tells(world: World) -> None:
    for directory in (world.directory(), world.directory(3)):
        documents = {document.id: document for document in directory.documents}
        assert len(documents) == len(directory.documents)
        for key, place in directory.told.items():
            fact = directory.universe.facts[key]
            text = documents[place].text
            assert whole_word(fact.subject.name, text) and whole_word(fact.value, text)
        told = Counter(document.id for document in directory.documents if "  " in document.text or "{" in document.text)
        assert not told
    strangers = [world.directory(number).universe for number in range(3)]
    values = [[fact.value for fact in universe.facts.values()] for universe in strangers]
    assert values[0] != values[1] != values[2]


def test_dialogues_are_pure_and_of_every_kind(world: World, dialogues: list[Dialogue]) -> None:
    again = World(READING)
    assert [again.dialogue(index) for index in (7, 3, 900)] == [dialogues[7], dialogues[3], dialogues[900]]
    kinds = Counter(dialogue.kind for dialogue in dialogues)
    assert set(kinds) == set(SHARES) and min(kinds.values()) > 30
    assert {dialogue.tools for dialogue in dialogues} == {(CALCULATOR, SEARCH), (CALCULATOR,), (SEARCH,), ()}
    for dialogue in dialogues:
        called = [turn.tool for turn in dialogue.turns if turn.tool]
        assert set(called) <= set(dialogue.tools)
        assert bool(called) == (dialogue.kind in ("calculate", "search", "absent"))
        for turn in dialogue.turns:
            if turn.tool == CALCULATOR:
                value = shown(evaluate(turn.arguments["expression"]))
                assert turn.answer == f"{turn.arguments['expression']} = {value}."
            if turn.document:
                assert whole_word(turn.answer.split()[0].removesuffix("'s"), turn.user) or not turn.tool
    assert all(turn.tool != CALCULATOR for d in dialogues if d.kind == "refuse" for turn in d.turns)


def test_sums_beyond_the_skill_are_beyond_it(world: World) -> None:
    rng = stream("test")
    for _ in range(2000):
        exercise = beyond(rng, READING, False)
        a, sign, b = exercise.data
        assert sign in "*/" or max(len(str(a)), len(str(b))) > max(READING.sum_digits, READING.step_digits)
        assert exercise.gold == shown(evaluate(f"{a} {sign} {b}")) and exercise.gold.isdigit()


def test_questions_on_people_can_be_answered_from_the_index(world: World, tasks: dict[str, WorldTask]) -> None:
    directory: Directory = world.directory()
    documents = {document.id: document.text for document in directory.documents}
    for name in ("index_people", "index_people_new_wording"):
        examples = list(tasks[name].examples("heldout"))
        assert len(examples) >= 200 and tasks[name].tool == SEARCH
        for example in examples:
            assert whole_word(example.meta["value"], documents[example.meta["document"]])
            assert example.meta["value"] in VALUES[example.meta["attribute"]]


def test_pages_to_read_are_of_strangers_and_hold_their_answers(world: World) -> None:
    pages = [document for document in world.documents() if document.meta["kind"].startswith("reading/")]
    kinds = {page.meta["kind"].removeprefix("reading/") for page in pages}
    assert kinds == {"passages", "numbers", "questions", "answers"}
    size = sum(len(page.text.encode()) for page in pages)
    assert size / READING.n_bytes == pytest.approx(READING.reading_share, abs=0.03)
    for page in pages:
        assert not page.meta["facts"]
        assert not [person.name for person in world.universe.people if person.name in page.text]


def test_without_pages_to_read_the_shares_are_what_they_were() -> None:
    plain, other = World(WorldConfig()), World(WorldConfig(reading_share=0.0))
    kinds = Counter(plain.kind(index)[0] for index in range(2000))
    assert set(kinds) == {"stories", "facts", "skills"}
    assert plain.document(11) == other.document(11)
    with pytest.raises(FledgeError, match="must add up to 1"):
        WorldConfig(reading_share=0.1)
