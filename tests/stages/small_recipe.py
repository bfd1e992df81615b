"""A recipe that raises a tiny assistant in seconds, with its text and its conversations beside it."""

from __future__ import annotations

import json
import random
from pathlib import Path

NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal")
THINGS = ("ball", "boat", "cup", "drum", "kite", "lamp", "book", "key")
PLACES = ("hill", "house", "lake", "road", "tree", "barn", "mill", "gate")
FIXED = 'compile = "off"\nprecision = "fp32"\nattention = "products"\nthreads = 1\n'
"""What a machine may choose for itself, fixed, so that two runs compare."""


def write_recipe(
    folder: Path,
    *,
    n_documents: int,
    training: str,
    pretrain: str,
    sft: str,
    evaluation: str,
) -> Path:
    """``training`` holds settings of both training stages, the others those of one stage, as lines of TOML."""
    chance = random.Random(7)
    documents = []
    for _ in range(n_documents):
        name, other = chance.choice(NAMES), chance.choice(NAMES)
        thing, place = chance.choice(THINGS), chance.choice(PLACES)
        documents.append(f"{name} took the {thing} to the {place}. {other} saw the {thing} there and was glad of it.")
    (folder / "in.txt").write_text("\n\n".join(documents), encoding="utf-8")
    chats = []
    for name in NAMES * 4:
        turns = [("user", f"Who are you, {name}?"), ("assistant", f"I am {name}.")]
        chats.append(json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]}))
    (folder / "chat.jsonl").write_text("".join(f"{chat}\n" for chat in chats), encoding="utf-8")
    recipe = folder / "small.toml"
    recipe.write_text(
        f"""name = "small"
[text]
sources = [{json.dumps((folder / "in.txt").as_posix())}]
split = ["blank_lines"]
filters = []
near_dedup = false
heldout_fraction = 0.1
workers = 1
[tokenizer]
vocab_size = 300
[tokens]
workers = 1
max_repetition = 1000
[pretrain]
{FIXED}{training}depth = 1
{pretrain}
[pretrain.model]
d_model = 16
head_dim = 8
d_ff = 32
[sft]
{FIXED}{training}conversations = [{json.dumps((folder / "chat.jsonl").as_posix())}]
{sft}
[eval]
tasks = []
{evaluation}
""",
        encoding="utf-8",
    )
    return recipe
