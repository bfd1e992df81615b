"""What inspect shows of files that others wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fledge.stages.inspect import inspect_text
from fledge.types import FledgeError


@pytest.mark.parametrize(
    ("text", "shown"), [(None, "  text: None"), ("red \x1b[31m\x9b2J", "  text: red \ufffd[31m\ufffd2J")]
)
def test_rows_of_parquet_neither_fail_on_nulls_nor_steer_the_terminal(tmp_path: Path, text, shown) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": pa.array([text], pa.string()), "na\x1bme": ["\x1b[2J"]}), path)
    lines = list(inspect_text(path))
    assert shown in lines
    assert "\x1b" not in "".join(lines)


def test_a_checkpoint_of_others_does_not_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"step": "\x1b[2J", "format": 0}), encoding="utf-8")
    shown = []
    with pytest.raises(FledgeError):
        shown.extend(inspect_text(tmp_path))
    lines = inspect_text(tmp_path)
    assert "\x1b" not in "".join(next(lines) for _ in range(3))
