"""Peak memory of the text stage on a small and a large corpus: it must not grow with the corpus.

    python benchmarks/text_memory.py [--small 200] [--large 2000] [--workers N] [--scratch DIR] [--json FILE]

Writes made-up prose with duplicates (jsonl files of 20 MB) of both sizes in megabytes to a temporary directory, runs
the stage on each in a fresh process, and samples the memory of that process and its children together. Linux only.
The scratch directory needs twice the large corpus; a file system in memory is no place for it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FILE_BYTES = 20_000_000
MOST = 1.2
STAGE = """
import sys
from pathlib import Path
from fledge.run.events import EventLog
from fledge.text.config import TextConfig
from fledge.text.pipeline import run_text

if __name__ == "__main__":
    source, out, workers = sys.argv[1:]
    config = TextConfig(sources=(source,), workers=int(workers), languages=())
    run_text(config, Path(out), EventLog(Path(out) / "events.jsonl"))
"""


def write_corpus(directory: Path, n_bytes: int) -> None:
    """Documents of 200 to 1,600 words; one in ten repeats an earlier one, as it is or with another ending."""
    rng = random.Random(n_bytes)
    letters = "etaoinshrdlcumwfgypbvk"
    words = ["the", "of", "and", "to", "with", "have", "that", "be"] * 400
    words += ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(20_000)]
    recent: list[str] = []
    written = number = 0
    while written < n_bytes:
        path = directory / f"part-{written // FILE_BYTES:05d}.jsonl"
        in_file = 0
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            while in_file < FILE_BYTES and written < n_bytes:
                if recent and rng.random() < 0.1:
                    text = rng.choice(recent) + rng.choice(["", " and that was the end"])
                else:
                    text = " ".join(rng.choices(words, k=rng.randint(200, 1_600)))
                    recent = [*recent[-200:], text]
                line = json.dumps({"id": number, "text": text}) + "\n"
                file.write(line)
                number, in_file, written = number + 1, in_file + len(line), written + len(line)


def tree_rss(pid: int) -> int:
    """Resident bytes of a process and its descendants, shared pages counted once where the system tells (PSS)."""
    total, waiting = 0, [pid]
    while waiting:
        process = waiting.pop()
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
            for task in Path(f"/proc/{process}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, StopIteration):
            continue
    return total


def measure(n_megabytes: float, workers: int, scratch: Path | None) -> dict[str, Any]:
    """Size, peak memory, time and kept documents of one run."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        source, out = Path(name) / "source", Path(name) / "out"
        source.mkdir()
        out.mkdir()
        write_corpus(source, int(n_megabytes * 1e6))
        script = Path(name) / "stage.py"
        script.write_text(STAGE, encoding="utf-8")
        began, peak = time.monotonic(), 0
        command = [sys.executable, str(script), str(source), str(out), str(workers)]
        log = Path(name) / "log.txt"
        with open(log, "wb") as file, subprocess.Popen(command, stderr=file) as process:
            try:
                while process.poll() is None:
                    peak = max(peak, tree_rss(process.pid))
                    time.sleep(0.1)
            finally:
                process.terminate()
        seconds = time.monotonic() - began
        if process.returncode:
            raise SystemExit(f"the stage failed on {n_megabytes:g} MB: {log.read_text(errors='replace')[-2000:]}")
        n_bytes = sum(path.stat().st_size for path in source.iterdir())
        summary = json.loads((out / "funnel.json").read_text(encoding="utf-8"))
        return {
            "corpus_bytes": n_bytes,
            "peak_bytes": peak,
            "wall_seconds": round(seconds, 1),
            "megabytes_per_second": round(n_bytes / 1e6 / seconds, 2),
            "documents_kept": summary["train"]["documents"] + summary["heldout"]["documents"],
            "documents_rejected": summary["rejects"]["documents"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=float, default=200, help="megabytes of the small corpus")
    parser.add_argument("--large", type=float, default=2_000, help="megabytes of the large corpus")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scratch", type=Path, default=None, help="where the corpora are written")
    parser.add_argument("--json", type=Path, default=None, help="file for the figures")
    arguments = parser.parse_args()
    runs = []
    for size in (arguments.small, arguments.large):
        runs.append(measure(size, arguments.workers, arguments.scratch))
        peak, speed = runs[-1]["peak_bytes"] / 1e6, runs[-1]["megabytes_per_second"]
        print(f"{size:g} MB: peak {peak:.0f} MB, {speed} MB/s", flush=True)
    ratio = round(runs[1]["peak_bytes"] / runs[0]["peak_bytes"], 3)
    print(f"large / small = {ratio} (at most {MOST})")
    if arguments.json:
        figures = {"large_to_small": ratio, "at_most": MOST, "workers": arguments.workers, "runs": runs}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
