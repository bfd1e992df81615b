"""A small corpus with planted duplicates and junk, and a driver that tests run as a process of its own."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from fledge.run.events import EventLog
from fledge.text.config import TextConfig
from fledge.text.pipeline import run_units
from fledge.text.sources.records import RawRecord, Unit

VOCABULARY = [
    f"{a}{b}{c}" for a in ("ka", "lo", "mi", "tu", "re") for b in ("ben", "dar", "sol") for c in ("a", "o", "ing")
]
LINKS = ["the", "of", "and", "to", "with", "have", "that", "be"]
CONFIG = {"languages": (), "chunk_bytes": 20_000, "chunk_records": 40, "heldout_fraction": 0.05}


def prose(rng, n_words=120):
    return " ".join(
        rng.choice(LINKS) if rng.random() < 0.35 else rng.choice(VOCABULARY) + str(rng.randrange(50)) + "x"
        for _ in range(n_words)
    )


def make_documents(n, seed=0):
    """Texts by id. Every 10th repeats an earlier one, every 10th but one does nearly so, some are junk."""
    rng = random.Random(seed)
    texts = []
    for number in range(n):
        if number % 10 == 8:
            texts.append(texts[rng.randrange(number)].upper())
        elif number % 10 == 9:
            words = texts[rng.randrange(number)].split()
            words[-1:] = ["changed", "ending"]
            texts.append(" ".join(words))
        elif number % 10 == 5:
            texts.append(rng.choice(["too short", "### " * 80, "again and again the same " * 60]))
        else:
            texts.append(prose(rng) + ("" if number % 4 else "\n\ncafÃ© — naïve"))
    return texts


def make_units(n_units):
    return [Unit(f"unit-{k}", f"unit-{k}", "", "txt", "", 40_000) for k in range(n_units)]


def read(unit):
    for number, text in enumerate(make_documents(60, seed=int(unit.id.split("-")[1]) // 2)):
        yield RawRecord(f"{unit.id}/{number}", unit.source, text=text)


def run(out, n_units=6, workers=1, read=read, **settings):
    config = TextConfig(**{**CONFIG, "workers": workers, **settings})
    with EventLog(Path(out) / "events.jsonl") as events:
        return run_units(config, make_units(n_units), read, Path(out), events)


def outputs(out):
    """Every output file's bytes by its name."""
    parts = [Path(out) / name for name in ("train", "heldout", "rejects", "funnel.json")]
    files = [file for part in parts for file in ([part] if part.is_file() else part.rglob("*"))]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


if __name__ == "__main__":
    run(sys.argv[1], n_units=int(sys.argv[2]), workers=int(sys.argv[3]))
