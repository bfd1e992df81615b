from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.world.config import WorldConfig
from fledge.world.randomness import stream
from fledge.world.skills.exercise import solve
from fledge.world.skills.hops import chain, hop_exercise, link_name, paths, trained_hop
from fledge.world.skills.letters import letters_exercise
from fledge.world.skills.lists import list_exercise
from fledge.world.skills.sums import is_heldout, operands, steps, sum_exercise, sum_in_words
from fledge.world.skills.words import HELDOUT_WORDS, THINGS, TRAIN_WORDS, WORDS
from fledge.world.world import World

SUM = re.compile(r"(\d+(?: [+-] \d+)+) = (\d+)")
PAIR = re.compile(r"(\d+) [+-] (\d+)")


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldConfig(story_share=0.0, fact_share=0.1, skill_share=0.9))


def value(expression: str) -> int:
    total, sign = 0, 1
    for piece in expression.split():
        if piece in "+-":
            sign = 1 if piece == "+" else -1
        else:
            total += sign * int(piece)
    return total


def test_every_sum_in_the_text_is_right_and_none_is_held_out(world: World) -> None:
    texts = [world.document(index).text for index in range(1500)]
    texts += [message.content for c in map(world.conversation, range(3000)) for message in c.messages]
    n_sums, pairs = 0, set()
    for text in texts:
        for expression, result in SUM.findall(text):
            assert value(expression) == int(result), expression
            n_sums += 1
        pairs |= {(int(a), int(b)) for a, b in PAIR.findall(text)}
    assert n_sums > 10_000
    assert not [pair for pair in pairs if is_heldout(*pair)]
    tested = {tuple(e.meta["data"]) for t in world.tasks() if t.name.startswith("sums") for e in t.examples("heldout")}
    assert len(tested) > 800 and all(is_heldout(a, b) for a, _, b in tested)


def test_no_task_asks_the_same_twice_and_new_wordings_are_new(world: World) -> None:
    for task in world.tasks():
        prompts = [example.prompt.messages[-1].content for example in task.examples("heldout")]  # type: ignore[union-attr]
        assert len(prompts) == len(set(prompts)) > 30, task.name
    conversations = [world.conversation(index) for index in range(6000)]
    asked = {re.sub(r"\d+", "0", turn.content) for c in conversations for turn in c.messages if turn.role == "user"}
    tasks = {task.name: task for task in world.tasks()}
    for name, is_new in (("sums_2", False), ("sums_2_new_wording", True), ("sums_steps", False)):
        for example in tasks[name].examples("heldout"):
            prompt = re.sub(r"\d+", "0", example.prompt.messages[-1].content)  # type: ignore[union-attr]
            assert (prompt not in asked) == is_new, prompt


def test_sums_in_words_are_right_and_not_held_out() -> None:
    for i in range(500):
        text = sum_in_words(stream("words", i), 2)
        a, b, c = map(int, re.findall(r"\d+", text))
        assert (a + b == c or a - b == c) and not is_heldout(a, b), text
        assert not re.search(r"\b1 \w+s\b", text)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from("+-"))
@settings(max_examples=200, deadline=None)
def test_worked_steps_reach_the_result(a: int, b: int, sign: str) -> None:
    a, b = max(a, b), min(a, b)
    text = steps(a, sign, b)
    written = re.findall(r"[Ww]rite (\d)", text)
    assert int("".join(reversed(written))) == int(solve("sum", (a, sign, b)))
    for expression, result in SUM.findall(text):
        assert value(expression) == int(result)


def test_digits_dial() -> None:
    for digits in (1, 2, 3, 4):
        for i in range(50):
            a, _, b = operands(stream(digits, i), digits, False)
            assert len(str(a)) == len(str(b)) == digits
    assert is_heldout(12, 34) == is_heldout(34, 12)
    share = sum(is_heldout(a, b) for a in range(10, 100) for b in range(10, 100)) / 8100
    assert 0.07 < share < 0.13


def test_words_for_tests_are_never_spelled_in_training(world: World) -> None:
    assert not set(TRAIN_WORDS) & set(HELDOUT_WORDS) and set(THINGS) <= set(WORDS)
    assert 20 < len(HELDOUT_WORDS) < len(TRAIN_WORDS) / 2
    texts = [world.document(index).text for index in range(1500)]
    texts += [message.content for c in map(world.conversation, range(2000)) for message in c.messages]
    spelled = {run.replace("-", "") for text in texts for run in re.findall(r"\b\w(?:-\w)+\b", text)}
    assert len(spelled) > 100
    assert not spelled & {*HELDOUT_WORDS, *(word[::-1] for word in HELDOUT_WORDS)}


@pytest.mark.parametrize("heldout", [False, True])
def test_lists_and_letters_are_solved(heldout: bool) -> None:
    for i in range(200):
        rng = stream("lists", i, heldout)
        for kind, n in (("things", 5), ("same", 4), ("alphabet", 4), ("ascending", 5), ("descending", 5)):
            exercise = list_exercise(rng, kind, n, heldout=heldout)
            assert exercise.gold == solve(kind, exercise.data) and exercise.gold in exercise.answer
            assert len(exercise.data[0]) == n
            assert not re.search(r"\b[Aa] [aeiou]|There are 1 ", exercise.line), exercise.line
        for kind in ("spell", "backwards", "letters"):
            exercise = letters_exercise(rng, kind, heldout=heldout)
            assert exercise.gold in exercise.answer and (exercise.data[0] in HELDOUT_WORDS) == heldout


def test_hops_are_proved_by_the_facts(world: World) -> None:
    universe = world.universe
    for hops in (1, 2, 3):
        found = 0
        for path in paths(hops):
            for start in universe.people[:40]:
                exercise = hop_exercise(universe, start, path, stream(start.key, path))
                if exercise is None:
                    continue
                found += 1
                here = start
                for key, attribute in zip(exercise.told, path, strict=True):
                    fact = universe.facts[key]
                    assert fact.subject == here and fact.attribute == attribute and fact.value in exercise.answer
                    here = universe.by_name.get(fact.value, here)
                assert exercise.gold == universe.facts[exercise.told[-1]].value
        assert found > 50


def test_compositions_for_tests_are_never_asked_in_training(world: World) -> None:
    assert not set(paths(2, heldout=True)) & set(paths(2, heldout=False))
    assert len(paths(2)) == 27 and len(paths(2, heldout=True)) == 7
    universe = world.universe
    for i in range(300):
        exercise = trained_hop(universe, stream("hop", i), 2)
        assert exercise.data not in paths(2, heldout=True) and len(exercise.data) == 2
        assert {universe.facts[key].subject.group for key in exercise.told} == {"asked"}
    links = {link_name(f, universe) for f in world.facts() if f.attribute in ("friend", "teacher", "sibling")}
    assert links == {"best friend", "teacher", "sister", "brother"}
    assert chain(universe, universe.people[0], ("friend", "friend")) != []
    deep = trained_hop(universe, stream("deep"), 3)
    assert 2 <= len(deep.data) <= 3


def test_difficulty_dials_act() -> None:
    assert len(list_exercise(stream(1), "ascending", 9).data[0]) == 9
    assert len(sum_exercise(stream(1), 5, worked=True, heldout=True).data) == 3
    config = WorldConfig(story_share=0.0, fact_share=0.0, skill_share=1.0, sum_digits=1, step_digits=1)
    easy = World(config)
    numbers = [int(a) for i in range(200) for pair in PAIR.findall(easy.document(i).text) for a in pair]
    assert numbers and max(numbers) < 20


def test_a_sheet_says_no_line_twice_and_counts_things_with_a_plural(world: World) -> None:
    for index in range(600):
        kind, text, _ = world._skills.write(stream(5, "sheets", index), False)
        if kind == "sums":
            lines = text.split("\n\n", 1)[1].split("\n")
            assert len(set(lines)) == len(lines)
            assert "In the shop are" not in text
    assert "fish" not in THINGS
