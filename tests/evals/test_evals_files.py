from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from fledge.evals.blimp import Blimp
from fledge.evals.cloze import Cloze
from fledge.evals.multiple_choice import MultipleChoice
from fledge.evals.run import evaluate_tasks
from fledge.evals.tasks import choose_tasks, file_task, own_tasks
from fledge.infer.engine import Engine
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Answer, FledgeError

DATA = Path(os.environ.get("FLEDGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "evals"


def write_rows(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_multiple_choice_takes_the_best_logprob_a_byte(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "q.jsonl", {"query": "What ", "choices": ["aa", "bbbbbbbb"], "gold": 1})
    task = MultipleChoice(path)
    example = next(task.examples())
    requests = task.requests(example)
    assert [(r.prompt, r.continuation) for r in requests] == [("What ", "aa"), ("What ", "bbbbbbbb")]
    assert task.score(example, [Answer(logprob=-2.0), Answer(logprob=-7.0)]).value == 1
    assert task.score(example, [Answer(logprob=-2.0), Answer(logprob=-8.8)]).value == 0
    assert task.score(example, [Answer(logprob=float("nan")), Answer(logprob=-8.8)]).value is None
    assert task.chance == 0.5


def test_the_three_forms_of_prompt(tmp_path: Path) -> None:
    question = write_rows(tmp_path / "a.jsonl", {"query": "Question: Why?\n", "choices": ["x", "y"], "gold": 0})
    task = MultipleChoice(question)
    assert task.requests(next(task.examples()))[1].prompt == "Question: Why?\nAnswer: "
    before = write_rows(tmp_path / "b.jsonl", {"context_options": ["He", "She"], "continuation": "ran.", "gold": 1})
    task = MultipleChoice(before)
    example = next(task.examples())
    assert [(r.prompt, r.continuation) for r in task.requests(example)] == [("He", " ran."), ("She", " ran.")]
    assert task.score(example, [Answer(logprob=-3.0), Answer(logprob=-2.0)]).value == 1
    cloze = file_task(write_rows(tmp_path / "c.jsonl", {"context": "on the ", "continuation": "mat"}))
    assert isinstance(cloze, Cloze)
    example = next(cloze.examples("heldout"))
    assert cloze.score(example, [Answer(" mat.")]).value == 1
    assert cloze.score(example, [Answer(" matter")]).value == 0
    assert cloze.score(example, [Answer(" the mat")]).value == 0
    for each in (task, cloze):
        each.validate()


def test_bad_rows_are_set_aside_and_counted(tmp_path: Path) -> None:
    good = {"query": "q", "choices": ["x", "y", "z"], "gold": 2}
    path = write_rows(
        tmp_path / "q.jsonl",
        good,
        "{broken",
        "[1]",
        {**good, "gold": 3},
        {**good, "gold": "2"},
        {**good, "choices": ["x"]},
        {**good, "query": None},
        "",
        good,
    )
    task = MultipleChoice(path)
    assert len(list(task.examples())) == 2
    assert [reject.id for reject in task.rejects] == [f"q.jsonl:{n}" for n in (2, 3, 4, 5, 6, 7)]
    assert all(reject.reason for reject in task.rejects)
    with pytest.raises(FledgeError, match="holds no multiple choice"):
        MultipleChoice(write_rows(tmp_path / "none.jsonl", {"a": 1}))
    with pytest.raises(FledgeError, match="cannot be read"):
        MultipleChoice(tmp_path / "absent.jsonl")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"query":"Say \\ud83d","choices":["a","b"],"gold":0}', "half a surrogate pair"),
        ('{"query":"Say","choices":["a \\ud83d","b"],"gold":0}', "half a surrogate pair"),
        ('{"context":"Say","continuation":"\\udc00"}', "half a surrogate pair"),
        ('{"sentence_good":"\\ud83d","sentence_bad":"b"}', "half a surrogate pair"),
    ],
)
def test_hostile_rows_are_set_aside(tmp_path: Path, row: str, reason: str) -> None:
    whole = {"query": "Say \ud83d\ude00", "choices": ["a", "b"], "gold": 0}
    task: Any = file_task(write_rows(tmp_path / "q.jsonl", row, whole))
    assert isinstance(task, MultipleChoice)
    assert [reject.reason for reject in task.rejects] == [reason]
    assert [example.prompt for example in task.examples()] == ["Say \U0001f600"]
    task.validate()
    cloze: Any = file_task(write_rows(tmp_path / "c.jsonl", row, {"context": "on the", "continuation": "mat"}))
    assert [reject.reason for reject in cloze.rejects] == [reason] and len(list(cloze.examples("heldout"))) == 1
    (tmp_path / "pairs").mkdir()
    write_rows(tmp_path / "pairs" / "a.jsonl", row, *pairs(1))
    assert len(Blimp(tmp_path / "pairs").rejects) == 1


def pairs(n: int) -> list[dict[str, str]]:
    return [{"sentence_good": f"the cat sat {i}", "sentence_bad": f"cat the sat {i}"} for i in range(n)]


def test_blimp_from_a_folder_and_from_an_archive(tmp_path: Path, engine: Engine, tokenizer: Tokenizer) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    write_rows(folder / "b.jsonl", *pairs(12), {"sentence_good": "x"})
    write_rows(folder / "a.jsonl", *pairs(5))
    with tarfile.open(tmp_path / "blimp.tar.gz", "w:gz") as archive:
        for name in ("b", "a"):
            archive.add(folder / f"{name}.jsonl", f"data/{name}.jsonl")
    for path in (folder, tmp_path / "blimp.tar.gz"):
        task = Blimp(path, n_per_paradigm=8)
        task.validate()
        assert [example.meta["group"] for example in task.examples()] == ["a"] * 5 + ["b"] * 8
        assert len(task.rejects) == 1
    result = evaluate_tasks(engine, tokenizer, [task])[0]
    rates = [result.groups["a"].mean, result.groups["b"].mean]
    assert result.mean == pytest.approx(sum(rates) / 2)
    assert result.stderr == pytest.approx(abs(rates[0] - rates[1]) / 2)
    assert (result.chance, result.n, result.rejected) == (0.5, 13, 1)
    example = next(task.examples())
    assert task.score(example, [Answer(logprob=-1.0), Answer(logprob=-1.0)]).value == 0.5


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        member = tarfile.TarInfo("a.jsonl")
        member.size = 100_000
        archive.addfile(member, io.BytesIO(os.urandom(100_000)))
    (tmp_path / "cut.tar.gz").write_bytes(whole.getvalue()[:5000])
    with pytest.raises(FledgeError, match=r"cut\.tar\.gz: cannot be read"):
        Blimp(tmp_path / "cut.tar.gz")


def test_tasks_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_rows(tmp_path / "one.jsonl", {"context": "on the", "continuation": "mat"})
    one, two = Cloze(path), Cloze(path)
    two.name = "two"
    assert choose_tasks(["world"], [one, two]) == [one, two]
    assert choose_tasks(["two", "world", "two"], [one, two]) == [two, one]
    with pytest.raises(FledgeError, match="did you mean two"):
        choose_tasks(["tow"], [one, two])
    monkeypatch.syspath_prepend(tmp_path)
    module = f"own_{os.getpid()}"
    (tmp_path / f"{module}.py").write_text(
        f"from fledge.evals.cloze import Cloze\ndef make():\n    return [Cloze({str(path)!r})]\n"
    )
    assert [task.name for task in choose_tasks([f"{module}:make"], [])] == ["one"]
    with pytest.raises(FledgeError, match=r"eval\.tasks: cannot load"):
        choose_tasks([f"{module}:absent"], [])


@pytest.mark.parametrize(
    ("code", "line", "told"),
    [
        ("def make(:\n", 1, "SyntaxError"),
        ("\n1 / 0\ndef make(): ...\n", 2, "ZeroDivisionError: division by zero"),
        ("def make():\n    raise RuntimeError('no data')\n", 2, "RuntimeError: no data"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("def make(n): ...\n", 0, "TypeError"),
        ("def make(): ...\n", 0, "gives NoneType, which has no name; return a task, with name, chance"),
        ("def make(): return [1]\n", 0, "gives int, which has no name"),
    ],
)
def test_faults_of_the_users_module_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, line: int, told: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"faulty_{os.getpid()}_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    with pytest.raises(FledgeError) as caught:
        own_tasks(f"{name}:make")
    assert str(caught.value).startswith("eval.tasks: ") and told in str(caught.value)
    assert (f"{name}.py, line {line}" in str(caught.value)) == bool(line)


@pytest.mark.skipif(not DATA.is_dir(), reason="the data folder is not there (set FLEDGE_DATA)")
def test_the_public_files_are_read_without_a_reject() -> None:
    chances = {}
    for path in [DATA / "hellaswag_1000.jsonl", *sorted(DATA.glob("llmfoundry_*.jsonl"))]:
        task = file_task(path)
        task.validate()
        assert not task.rejects  # type: ignore[attr-defined]
        chances[task.name.removeprefix("llmfoundry_")] = task.chance
    assert chances["hellaswag_1000"] == chances["arc_easy"] == 0.25
    assert chances["piqa"] == chances["winograd_wsc"] == chances["boolq"] == 0.5
    assert chances["lambada_openai"] == 0
    assert len(list(Blimp(DATA / "blimp_data.tar.gz", n_per_paradigm=10).examples())) == 670
