"""The events of a stage that was killed in the middle of a line."""

from __future__ import annotations

from pathlib import Path

from fledge.run.events import EventLog, read_events


def test_the_event_after_a_half_written_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as events:
        events.write("step", step=1)
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')
    with EventLog(path) as events:
        events.write("step", step=2)
    assert [event["step"] for event in read_events(path, "step")] == [1, 2]
    lines = path.read_text("utf-8").splitlines()
    with EventLog(path):
        pass
    assert path.read_text("utf-8").splitlines() == lines
