"""What is in shards: documents in parquet, and token shards with a row as training packs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from fledge.run.files import read_json
from fledge.run.manifest import SETTINGS_NAME
from fledge.run.terminal import printable
from fledge.stages.tokens import check_same_tokenizer
from fledge.types import FledgeError

DOCUMENT_CHARACTERS = 1500
DEFAULT_CONTEXT = 256
LEARNED, READ, RESET = "\x1b[32m", "\x1b[90m", "\x1b[0m"


def parquet_lines(path: Path, row: int) -> Iterator[str]:
    """Rows of one parquet shard or a folder of them, and one document."""
    import pyarrow.parquet as pq

    from fledge.text.shards import read_rows, shard_paths

    paths = shard_paths(path)
    columns: list[str] = []
    n_rows = 0
    for each in paths:
        try:
            metadata = pq.read_metadata(each)
        except (OSError, ValueError) as error:
            raise FledgeError("is not a readable parquet file", where=str(each), fix="remove it") from error
        columns = columns or list(metadata.schema.to_arrow_schema().names)
        n_rows += metadata.num_rows
        yield f"{each}: {metadata.num_rows} rows, {each.stat().st_size} bytes, {metadata.num_row_groups} row groups"
    yield f"{n_rows} rows; columns {printable(', '.join(columns))}"
    _check_row(row, n_rows, path)
    found = next(each for number, each in enumerate(read_rows(paths, columns)) if number == row)
    yield f"row {row}:"
    for name, value in found.items():
        shown = printable(str(value))
        if len(shown) > DOCUMENT_CHARACTERS:
            shown = f"{shown[:DOCUMENT_CHARACTERS]} … ({len(shown)} characters)"
        yield f"  {printable(name)}: {shown}"


def token_shard_lines(directory: Path, row: int, colour: bool) -> Iterator[str]:
    """Sizes of token shards, and one packed row: what is learned, what is only read, what is padding."""
    from fledge.infer.load import find_tokenizer
    from fledge.tokens.plan import plan_rows
    from fledge.tokens.shards import open_shards
    from fledge.tokens.tokenizer import Tokenizer

    shards = open_shards(directory)
    tokenizer = Tokenizer.load(find_tokenizer(directory))
    check_same_tokenizer(shards, tokenizer)
    context, fill = _packing(directory)
    rows = plan_rows(shards, context, fill=fill)
    yield (
        f"{directory}: {shards.n_documents} documents, {shards.n_tokens} tokens of {shards.vocab_size}, checksums agree"
    )
    yield f"{rows.n_rows} rows of {context} tokens, {rows.padding:.1%} padding"
    import numpy as np

    _check_row(row, rows.n_rows, directory)
    batch = rows.read(np.array([row]))
    yield f"row {row} (targets: {_key(colour)}; each document has its own number):"
    pieces, last = [], None
    for target, weight, document in zip(batch.targets[0], batch.weight[0], batch.document[0], strict=True):
        if document != last:
            pieces.append(f"\n  [{'padding' if document < 0 else f'document {document}'}] ")
            last = document
        if document >= 0:
            pieces.append(_token(tokenizer.decode([int(target)]), float(weight) > 0, colour))
    yield "".join(pieces).lstrip("\n")


def _packing(directory: Path) -> tuple[int, bool]:
    """Row length and filling as the stage that reads these shards has them; conversations stay whole."""
    conversations = directory.name == "conversations"
    stages = [directory.parent] if conversations else [each / "pretrain" for each in directory.resolve().parents[:3]]
    for stage in stages:
        if (stage / SETTINGS_NAME).is_file():
            return int(read_json(stage / SETTINGS_NAME)["settings"]["context_length"]), not conversations
    return DEFAULT_CONTEXT, not conversations


def _key(colour: bool) -> str:
    if colour:
        return f"{LEARNED}learned{RESET}, {READ}only read{RESET}"
    return "learned as they are, only read in ⟨ ⟩"


def _token(text: str, learned: bool, colour: bool) -> str:
    shown = "".join(char if char == "\n" or char.isprintable() else json.dumps(char)[1:-1] for char in text)
    if colour:
        return f"{LEARNED if learned else READ}{shown}{RESET}"
    return shown if learned else f"⟨{shown}⟩"


def _check_row(row: int, n_rows: int, path: Path) -> None:
    if not 0 <= row < n_rows:
        raise FledgeError(f"has {n_rows} rows, there is no row {row}", where=str(path), fix="rows count from 0")
