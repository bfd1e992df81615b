"""How varied the stories are, beside TinyStories: python benchmarks/world_variety.py [--data DIR] [--json FILE]

Compression of 3.1 MB by ``xz -6``; of 40 k held-out words the n-grams that 555 k other words do not have; distinct
sentences of these held-out words among themselves; the share of the most frequent sentence.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import random
import re
import time
from collections import Counter
from pathlib import Path

from fledge.world.stories.story import write_story

N_BYTES, N_HELDOUT_WORDS, N_OTHER_WORDS = 3_100_000, 40_000, 555_000
AIMS = {
    "xz -6": 0.17,
    "unseen 4-grams": 0.43,
    "unseen 5-grams": 0.58,
    "unseen 8-grams": 0.74,
    "distinct sentences": 0.76,
}


def variety(text: str, n_heldout: int = N_HELDOUT_WORDS, n_other: int = N_OTHER_WORDS) -> dict[str, float]:
    """The figures of one text (stories apart by blank lines); held-out words are its last ones.

    Lower-cased words and punctuation marks count as words: with them TinyStories gives the figures that the aims were
    derived from (unseen 4-, 5- and 8-grams .54, .72, .92 with the first 40 k of ``tinystories_val_794k`` held out).
    """
    words = re.findall(r"[a-z0-9'-]+|[.,!?;:\"]", text.lower())
    n_other = min(n_other, len(words) - n_heldout)
    other, heldout = words[:n_other], words[-n_heldout:]
    figures = {"xz -6": len(lzma.compress(text.encode()[:N_BYTES], preset=6)) / min(len(text.encode()), N_BYTES)}
    for n in (4, 5, 8):
        seen = {hash(tuple(other[i : i + n])) for i in range(len(other) - n)}
        grams = [hash(tuple(heldout[i : i + n])) for i in range(len(heldout) - n)]
        figures[f"unseen {n}-grams"] = sum(g not in seen for g in grams) / len(grams)
    sentences = [s.strip() for s in re.split(r"(?<=[.!?])[\"”]?\s+", text) if s.strip()]
    counts = Counter(sentences)
    figures["distinct sentences"] = len(counts) / len(sentences)
    figures["most frequent sentence"] = counts.most_common(1)[0][1] / len(sentences)
    return figures


def stories(n_bytes: int, seed: int = 0) -> str:
    pieces, size, i = [], 0, 0
    while size < n_bytes:
        pieces.append(write_story(random.Random(f"{seed}/{i}")).text)
        size += len(pieces[-1]) + 2
        i += 1
    return "\n\n".join(pieces)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("FLEDGE_DATA") or str(Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default), help="folder with pretrain/tinystories_*")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    data = arguments.data / "pretrain"
    start = time.process_time()
    own = stories(N_BYTES + 200_000)
    seconds = time.process_time() - start
    columns = {"stories": variety(own)}
    files = sorted(data.glob("tinystories_*.txt"))
    if files:
        texts = [file.read_text("utf-8", errors="replace").replace("<|endoftext|>", "") for file in files]
        heldout = re.match(r"(?:\S+\s+){33000}", texts[-1])  # the first 40 k words and marks of the validation piece
        columns["TinyStories"] = variety("\n\n".join([*texts[:-1], heldout[0] if heldout else texts[-1]]))
    print(f"{'':24}" + "".join(f"{name:>14}" for name in columns) + f"{'aim':>10}")
    for key in columns["stories"]:
        aim = AIMS.get(key)
        print(
            f"{key:24}"
            + "".join(f"{c[key]:14.4f}" for c in columns.values())
            + (f"{aim:10.2f}" if aim else f"{'≤ .0040':>10}")
        )
    speed = len(own) / seconds / 1e6
    print(f"\n{speed:.2f} MB/s on one core")
    if arguments.json:
        figures = {name: {key: round(value, 4) for key, value in each.items()} for name, each in columns.items()}
        kept = {"figures": {**figures, "aims": AIMS, "megabytes_per_second_on_one_core": round(speed, 2)}}
        arguments.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
