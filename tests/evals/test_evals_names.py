from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fledge.evals.names import file_name, names_of_files
from fledge.stages.compare import compare_bits, compare_tasks


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["d/arc.jsonl", "d/piqa.jsonl"], ["arc", "piqa"]),
        (["d1/arc.jsonl", "d2/arc.jsonl", "d2/piqa.jsonl"], ["d1/arc.jsonl", "d2/arc.jsonl", "piqa"]),
        (["d/arc.jsonl", "d/arc.json"], ["arc.jsonl", "arc.json"]),
        (["d1/e/arc.jsonl", "d2/e/arc.jsonl"], ["d1/e/arc.jsonl", "d2/e/arc.jsonl"]),
        (["d1/ARC.jsonl", "d2/arc.jsonl"], ["d1/ARC.jsonl", "d2/arc.jsonl"]),
        (["d1/a b.jsonl", "d2/a_b.jsonl"], ["d1/a b.jsonl", "d2/a_b.jsonl"]),
        (["d/quiz.jsonl", "d/blimp.jsonl"], ["quiz.jsonl", "blimp"]),
        (["d/arc.jsonl", "d/../d/arc.jsonl"], ["arc"]),
    ],
)
def test_the_fewest_parts_that_tell_files_apart(paths: list[str], names: list[str]) -> None:
    assert list(names_of_files(paths, ending=False, taken=["quiz"]).values()) == names


def test_with_ending_and_numbers_as_the_last_resort(tmp_path: Path) -> None:
    assert list(names_of_files(["d/a.txt", "b.txt"], ending=True).values()) == ["a.txt", "b.txt"]
    named = list(names_of_files([str(tmp_path / "a b"), str(tmp_path / "a_b")], ending=True).values())
    assert named[0].endswith("a b") and named[1].endswith("a_b-2")


PATHS = st.lists(st.lists(st.sampled_from(["a", "A", "b", "a b", "a_b", "a.b"]), min_size=1, max_size=3), max_size=6)


@given(PATHS, st.lists(st.sampled_from(["a", "b", "a_b"])), st.booleans())
def test_no_two_share_a_name_or_a_file(paths: list[list[str]], taken: list[str], ending: bool) -> None:
    named = names_of_files(["/".join(path) for path in paths], ending=ending, taken=taken)
    assert len(named) == len({tuple(path) for path in paths})
    files = [file_name(name).casefold() for name in named.values()]
    assert len(set(files)) == len(files) and not set(files) & set(taken)
    assert all(os.path.normpath(path) in ("/".join(part) for part in paths) for path in named)


def test_rows_of_one_name_are_compared_each_with_its_own() -> None:
    def results(*means: float) -> dict:
        task = {"name": "arc", "stderr": 0.1, "n": 10, "excluded": 0, "chance": 0.5}
        text = {"name": "wiki", "stderr": 0.1}
        return {
            "tasks": [{**task, "mean": mean} for mean in means],
            "bits_per_byte": [{**text, "bits_per_byte": mean} for mean in means],
        }

    both = [results(0.1, 0.2), results(0.3, 0.4)]
    rows = compare_tasks(("one", "two"), both).rows
    assert [(row[0], row[1], row[4]) for row in rows] == [("arc", "10.0 %", "30.0 %"), ("arc", "20.0 %", "40.0 %")]
    rows = compare_bits(("one", "two"), both).rows
    assert [(row[0], row[1], row[4]) for row in rows] == [("wiki", "0.1000", "0.3000"), ("wiki", "0.2000", "0.4000")]
