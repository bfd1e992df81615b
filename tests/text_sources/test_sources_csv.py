"""CSV: a bad row is set aside by itself, whatever its quotes would take in."""

from __future__ import annotations

import time
import tracemalloc

import pytest


def rules(rejects):
    return [(reject.rule, reject.id) for reject in rejects]


def test_csv_rows_of_another_length(kit, put):
    records, rejects = kit.read(put("a.csv", b"id,text\n1,one\n2,two, three\n4\n5,five\n"))
    assert [(r.id, r.text) for r in records] == [("a.csv#2", "one"), ("a.csv#5", "five")]
    assert rules(rejects) == [("bad-row", "a.csv#3"), ("bad-row", "a.csv#4")]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize(
    ("bad", "n_lost"),
    [('3{d}"row number 3', 1), ('3{d}"row" number 3', 1), ('3{d}"row number 3\n4{d}"row number 4', 2)],
)
def test_a_stray_quote_takes_one_row_and_not_the_rest(kit, put, suffix, bad, n_lost):
    d = "," if suffix == ".csv" else "\t"
    lines = [f"n{d}text", *(f"{n}{d}row number {n}" for n in range(2, 2000))]
    lines[2 : 2 + n_lost] = bad.format(d=d).split("\n")
    lines[1500] = f'1501{d}"row number 1501, in ""quotes""\nand two lines"'
    path = put(f"a{suffix}", "\n".join(lines).encode() + b"\n")
    records, rejects = kit.read(path)
    assert rules(rejects) == [("bad-row", f"a{suffix}#{number}") for number in range(3, 3 + n_lost)]
    assert [r.n_bytes for r in rejects] == [len(line) + 1 for line in lines[2 : 2 + n_lost]]
    assert len(records) == 1998 - n_lost
    assert [r.text for r in records[-500:-497]] == [
        "row number 1500",
        'row number 1501, in "quotes"\nand two lines',
        "row number 1502",
    ]
    assert records[-499].id == f"a{suffix}#1501" and records[-498].id == f"a{suffix}#1503"


def test_rows_without_end_are_read_in_bounded_time_and_memory(kit, put):
    path = put("a.csv", b"n,text\n" + b'x",",\n' * 60_000 + b"last,one\n")
    tracemalloc.start()
    began = time.process_time()
    _, rejects = kit.read(path, max_item_bytes=20_000)
    seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(r.n_bytes for r in rejects) == path.stat().st_size - len(b"n,text\n")
    assert seconds < 20 and peak < 10_000_000
