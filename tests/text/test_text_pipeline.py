from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fledge.run.events import EventLog, read_events
from fledge.text.config import TextConfig
from fledge.text.funnel import check_funnel
from fledge.text.pipeline import run_text
from fledge.text.shards import read_documents, read_rejects
from fledge.text.sources.records import RawRecord
from fledge.types import FledgeError, Reject

_spec = importlib.util.spec_from_file_location("text_corpus", Path(__file__).with_name("text_corpus.py"))
assert _spec and _spec.loader
corpus = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(corpus)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """One uninterrupted run with one worker: (directory, summary)."""
    out = tmp_path_factory.mktemp("calm")
    return out, corpus.run(out)


def test_funnel_adds_up_and_agrees_with_the_shards(calm):
    out, summary = calm
    rows = json.loads((out / "funnel.json").read_text("utf-8"))["funnel"]
    assert rows == summary["funnel"]
    check_funnel(rows)
    train, heldout = list(read_documents(out / "train")), list(read_documents(out / "heldout"))
    rejects = list(read_rejects(out / "rejects"))
    assert rows[0]["documents_in"] == 6 * 60
    assert rows[0]["documents_in"] + sum(r["documents_added"] for r in rows) == len(train) + len(heldout) + len(rejects)
    assert rows[-1]["bytes_out"] == sum(len(d.text.encode()) for d in train + heldout)
    for row in rows:
        fallen = [reject for reject in rejects if reject.rule == row["step"]]
        assert row["documents_rejected"] == len(fallen)
        assert row["bytes_rejected"] == sum(reject.n_bytes for reject in fallen)
    ids = [d.id for d in train + heldout] + [r.id for r in rejects]
    assert len(set(ids)) == len(ids)
    assert not (out / "work").exists()


def test_bytes_fall_for_the_reasons_that_documents_fall_for(calm, tmp_path):
    for row in calm[1]["funnel"]:
        assert list(row["reason_bytes"]) == list(row["reasons"])
        assert sum(row["reason_bytes"].values()) == row["bytes_rejected"]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(corpus.make_documents(1)[0], encoding="utf-8")
    lacking = [tmp_path / "in" / "b.jsonl", tmp_path / "in" / "c.csv"]
    for path in lacking:
        path.write_text('{"other": "column"}\n' * 100, encoding="utf-8")
    config = TextConfig(sources=(str(tmp_path / "in"),), filters=(), workers=1)
    with EventLog(tmp_path / "out" / "events.jsonl") as events:
        rows = run_text(config, tmp_path / "out", events)["funnel"]
    check_funnel(rows)
    n_bytes = {path.name: path.stat().st_size for path in (tmp_path / "in").iterdir()}
    assert rows[0]["reasons"] == {"missing-column": 2}
    assert rows[0]["reason_bytes"] == {"missing-column": n_bytes["b.jsonl"] + n_bytes["c.csv"]}
    assert rows[0]["bytes_in"] == sum(n_bytes.values())
    rejects = list(read_rejects(tmp_path / "out" / "rejects"))
    assert {r.id: r.n_bytes for r in rejects} == {"in/b.jsonl": n_bytes["b.jsonl"], "in/c.csv": n_bytes["c.csv"]}


def test_texts_without_words_are_no_duplicates_of_each_other(tmp_path):
    marks = ["* * *", "--- ... ---", "\u2192 \u2191 \u2190", "* * *", "!? !? !? !? !? !? !?"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in marks), encoding="utf-8")
    config = TextConfig(sources=(str(tmp_path / "a.jsonl"),), transforms=(), filters=(), workers=1, heldout_fraction=0)
    with EventLog(tmp_path / "out" / "events.jsonl") as events:
        run_text(config, tmp_path / "out", events)
    assert [d.text for d in read_documents(tmp_path / "out" / "train")] == [*marks[:3], marks[4]]
    assert [reject.rule for reject in read_rejects(tmp_path / "out" / "rejects")] == ["exact-duplicate"]


def test_planted_duplicates_fall_and_the_first_is_kept(calm):
    out, _ = calm
    kept = {d.id for part in ("train", "heldout") for d in read_documents(out / part)}
    rejects = list(read_rejects(out / "rejects"))
    assert {"exact-duplicate", "near-duplicate"} <= {r.rule for r in rejects}
    for reject in rejects:
        if reject.rule.endswith("duplicate"):
            assert reject.reason.removeprefix("of ") not in {reject.id}
            assert reject.text
    # Units 1, 3 and 5 repeat units 0, 2 and 4: nothing of them may stay.
    assert not {id for id in kept if id.startswith(("unit-1/", "unit-3/", "unit-5/"))}
    assert {id.split("/")[0] for id in kept} == {"unit-0", "unit-2", "unit-4"}


def test_same_bytes_for_any_number_of_workers_and_chunk_size(calm, tmp_path):
    expected = corpus.outputs(calm[0])
    fingerprint = json.loads(expected.pop("funnel.json"))["fingerprint"]
    corpus.run(tmp_path / "three", workers=3)
    found = corpus.outputs(tmp_path / "three")
    assert json.loads(found.pop("funnel.json"))["fingerprint"] == fingerprint
    assert found == expected
    corpus.run(tmp_path / "big", workers=2, chunk_bytes=1_000_000, chunk_records=1_000)
    train = [d.id for d in read_documents(tmp_path / "big" / "train")]
    assert train == [d.id for d in read_documents(calm[0] / "train")]


def test_done_is_not_done_again(calm):
    out, summary = calm
    before = corpus.outputs(out)
    n_chunks = len(list(read_events(out / "events.jsonl", "chunk")))
    assert corpus.run(out) == summary
    assert len(list(read_events(out / "events.jsonl", "chunk"))) == n_chunks
    assert corpus.outputs(out) == before


def wait_and_kill(process, condition):
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.kill()
    process.wait()


def test_sigkill_anywhere_gives_the_same_bytes_and_keeps_finished_chunks(calm, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, str(Path(__file__).with_name("text_corpus.py")), str(out), "6", "2"]
    chunks = out / "work" / "chunks"

    def n_done():
        return len(list(chunks.glob("*/done.json")))

    seen: dict[Path, int] = {}
    for condition in (
        lambda: (out / "work" / "state.json").exists(),
        lambda: n_done() >= 2,
        lambda: n_done() >= 5,
        lambda: (out / "work" / "dedup").exists(),
        lambda: (out / "train").exists(),
    ):
        wait_and_kill(subprocess.Popen(command, stderr=subprocess.DEVNULL), condition)
        time.sleep(0.2)  # orphaned workers may finish the chunk that they are at
        for path, changed in seen.items():
            if path.exists():
                assert path.stat().st_mtime_ns == changed, "a finished chunk was done again"
        seen = {path: path.stat().st_mtime_ns for path in chunks.glob("*/done.json")}
    (out / "train").mkdir(exist_ok=True)
    (out / "train" / ".partial-1-part-00000.parquet").write_bytes(b"what a kill leaves")
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    assert corpus.outputs(out) == corpus.outputs(calm[0])


def test_changed_settings_start_from_nothing(tmp_path):
    corpus.run(tmp_path, n_units=1)
    before = corpus.outputs(tmp_path)
    corpus.run(tmp_path, n_units=1, near_dedup=False)
    assert corpus.outputs(tmp_path) != before
    rules = {r.rule for r in read_rejects(tmp_path / "rejects")}
    assert "near-duplicate" not in rules and "exact-duplicate" in rules


KILLER = """
import os
def deadly(text):
    if "POISON" in text:
        os._exit(9)
    return text
def broken(text):
    if "POISON" in text:
        raise KeyError("poison")
    return text
"""


def poisoned(unit):
    for number, record in enumerate(corpus.read(unit)):
        poison = " POISON" if number in (7, 23) else ""
        yield RawRecord(record.id, record.source, text=record.text + poison)


def test_a_record_that_kills_its_worker_is_set_aside(tmp_path, monkeypatch):
    (tmp_path / "killer_module.py").write_text(KILLER)
    monkeypatch.syspath_prepend(str(tmp_path))
    summary = corpus.run(
        tmp_path / "out", n_units=2, workers=2, read=poisoned, transforms=("repair", "killer_module:deadly")
    )
    dead = [r for r in read_rejects(tmp_path / "out" / "rejects") if r.rule == "worker-died"]
    assert [r.id for r in dead] == ["unit-0/7", "unit-0/23", "unit-1/7", "unit-1/23"]
    assert summary["funnel"][0]["reasons"] == {"worker-died": 4}
    assert summary["train"]["documents"] > 20
    check_funnel(summary["funnel"])


def test_a_step_that_raises_costs_its_document_only(tmp_path, monkeypatch):
    (tmp_path / "killer_module.py").write_text(KILLER)
    monkeypatch.syspath_prepend(str(tmp_path))
    summary = corpus.run(tmp_path / "out", n_units=1, read=poisoned, transforms=("killer_module:broken",))
    row = next(row for row in summary["funnel"] if row["step"] == "killer_module:broken")
    assert row["reasons"] == {"failed: KeyError": 2}
    check_funnel(summary["funnel"])


def test_a_source_that_breaks_ends_with_a_reject_and_the_rest_goes_on(tmp_path):
    def read(unit):
        if unit.id == "unit-0":
            yield Reject("unit-0!bad", "unit-0", "truncated-archive", "ends early", n_bytes=11)
            raise OSError("the cable was pulled")
        yield from corpus.read(unit)

    summary = corpus.run(tmp_path, n_units=2, read=read)
    assert summary["funnel"][0]["reasons"] == {"truncated-archive": 1, "unreadable": 1}
    assert summary["funnel"][0]["bytes_rejected"] == 11
    assert summary["train"]["documents"] > 20


def test_nothing_left_is_told_with_the_rules(tmp_path):
    with pytest.raises(FledgeError, match=r"no document is left.*length 60.*fewer than 1000000 characters"):
        corpus.run(tmp_path, n_units=1, thresholds={"length.min_characters": 1_000_000})
    assert len(list(read_rejects(tmp_path / "rejects"))) == 60
    with pytest.raises(FledgeError, match="hold no document"):
        corpus.run(tmp_path / "none", n_units=0)


def test_heldout_depends_on_ids_alone_and_obeys_its_cap(calm, tmp_path):
    out, _ = calm
    heldout = {d.id for d in read_documents(out / "heldout")}
    train = {d.id for d in read_documents(out / "train")}
    assert heldout and train and not heldout & train
    corpus.run(tmp_path / "capped", heldout_fraction=0.5, heldout_max_bytes=5_000)
    capped = list(read_documents(tmp_path / "capped" / "heldout"))
    assert 3_000 < sum(len(d.text.encode()) for d in capped) <= 5_000
    corpus.run(tmp_path / "least", n_units=1, heldout_fraction=1e-9)
    assert len(list(read_documents(tmp_path / "least" / "heldout"))) == 1


def test_no_near_duplicate_crosses(calm):
    out, _ = calm
    sets = [
        [{tuple(w[i : i + 5]) for i in range(len(w) - 4)} for d in read_documents(out / part) if (w := d.text.split())]
        for part in ("train", "heldout")
    ]
    for held in sets[1]:
        assert max(len(held & other) / len(held | other) for other in sets[0]) < 0.5


def test_split_and_long_documents(tmp_path):
    def read(unit):
        texts = corpus.make_documents(5, seed=3)
        yield RawRecord("stories.txt", "stories.txt", text="\n<|endoftext|>\n".join(texts[:3]))
        yield RawRecord("book.txt", "book.txt", text="\n\n".join(texts[:5] * 3))

    quiet = {"filters": (), "near_dedup": False, "exact_dedup": False, "heldout_fraction": 0.0}
    summary = corpus.run(
        tmp_path, n_units=1, read=read, split=("endoftext@*stories*",), max_document_bytes=3_000, **quiet
    )
    documents = list(read_documents(tmp_path / "train"))
    assert [d.id for d in documents if "stories" in d.id] == [f"stories.txt#{k}" for k in range(3)]
    books = [d for d in documents if "book" in d.id]
    assert len(books) >= 4 and all(len(d.text.encode()) <= 3_000 for d in books)
    check_funnel(summary["funnel"])


def test_what_a_worker_cannot_survive_reaches_the_person_in_one_line(tmp_path, monkeypatch):
    code = "from fledge.types import FledgeError\ndef f(text): raise FledgeError('disk full', where='x', fix='free it')"
    (tmp_path / "told_module.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(FledgeError, match=r"^x: disk full; free it$"):
        corpus.run(tmp_path / "out", n_units=1, transforms=("told_module:f",))


DATA = Path(os.environ.get("FLEDGE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "pretrain"


@pytest.mark.skipif(not (DATA / "llamafactory_c4_demo.jsonl").exists(), reason="the data folder is not here")
def test_real_files_through_the_whole_stage(tmp_path):
    names = ("llamafactory_c4_demo.jsonl", "the-verdict.txt", "tinyshakespeare.txt")
    config = TextConfig(sources=tuple(str(DATA / name) for name in names), workers=1)
    with EventLog(tmp_path / "events.jsonl") as events:
        summary = run_text(config, tmp_path, events)
    check_funnel(summary["funnel"])
    kept = [d.source for part in ("train", "heldout") for d in read_documents(tmp_path / part)]
    assert sum("verdict" in source for source in kept) == 1
    assert sum("shakespeare" in source for source in kept) == 6
    assert 150 < len(kept) <= 300 + 7
