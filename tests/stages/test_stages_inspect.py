"""What inspect shows of shards that others wrote."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fledge.stages.inspect import inspect_text


@pytest.mark.parametrize(
    ("text", "shown"), [(None, "  text: None"), ("red \x1b[31m\x9b2J", "  text: red \ufffd[31m\ufffd2J")]
)
def test_rows_of_parquet_neither_fail_on_nulls_nor_steer_the_terminal(tmp_path: Path, text, shown) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": pa.array([text], pa.string()), "na\x1bme": ["\x1b[2J"]}), path)
    lines = list(inspect_text(path))
    assert shown in lines
    assert "\x1b" not in "".join(lines)
