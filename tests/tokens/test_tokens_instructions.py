"""Rows of instruction files become conversations; what is none is set aside with its line."""

from __future__ import annotations

import json
from pathlib import Path

from fledge.tokens.conversations import read_conversations
from fledge.types import Conversation, Message, Reject


def test_alpaca_rows_are_read_beside_conversations_and_bad_ones_set_aside(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Name a fruit.", "input": "", "output": "A pear."},
        {"instruction": "Add them.", "input": "1 and 2", "output": "3", "source": "somewhere"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"instruction": "Say nothing.", "output": " "},
        {"instruction": "No answer."},
        {"instruction": 3, "output": "x"},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    read = list(read_conversations([path]))
    assert [each.messages for each in read[:3] if isinstance(each, Conversation)] == [
        (Message("user", "Name a fruit."), Message("assistant", "A pear.")),
        (Message("user", "Add them.\n\n1 and 2"), Message("assistant", "3")),
        (Message("user", "Hi"), Message("assistant", "Hello")),
    ]
    assert [each.id for each in read[3:] if isinstance(each, Reject)] == [f"rows.jsonl:{n}" for n in (4, 5, 6)]
