"""Progress: a live row on a terminal of any width, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from fledge.run.progress import PLAIN_EVERY_SECONDS, Progress

COLUMNS = 40
BEGIN = """
import sys, time
from fledge.run.progress import Progress
def work(progress, n, **fields):
    for _ in range(n):
        time.sleep(0.03)
        progress.update(1, **fields)
"""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_now_and_then_and_at_the_end():
    stream, clock = io.StringIO(), Clock()
    with Progress("text", 100, "MB", start=10, stream=stream, clock=clock) as progress:
        for _ in range(45):
            clock.now += 1
            progress.update(2, loss=1.23456, kept=7)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "text · 40/100 MB · 2 MB/s · 30s left · loss 1.235 · kept 7",
        "text · 70/100 MB · 2 MB/s · 15s left · loss 1.235 · kept 7",
        "text · 100/100 MB · 2 MB/s · done in 45s · loss 1.235 · kept 7",
        "text · 100/100 MB · 2 MB/s · done in 45s · loss 1.235 · kept 7",
    ]
    assert PLAIN_EVERY_SECONDS == 15
    with Progress("pages", None, stream=stream, clock=clock) as progress:
        clock.now += 2
        progress.update(5)
    assert stream.getvalue().splitlines()[-1] == "pages · 5 · 2.5/s"


def test_plain_progress_imports_no_rich():
    code = "import sys, io; from fledge.run.progress import Progress\nwith Progress('a', 2) as p: p.update(2)\n"
    code += "assert not [name for name in sys.modules if name.split('.')[0] == 'rich']"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr[:10]) == (0, "a · 2/2 · "), done.stderr


class Terminal:
    """A terminal of ``COLUMNS`` columns and endless length that knows what rich writes; the rest fails."""

    def __init__(self) -> None:
        self.lines, self.row, self.column, self.cursor = [[]], 0, 0, True

    def feed(self, text: str) -> None:
        for found in re.finditer(r"\x1b\[(\??)([\d;]*)([A-Za-z])|\x1b|[^\x1b]", text):
            private, number, letter = found[1], found[2], found[3]
            if letter is None:
                assert found[0] != "\x1b", "an escape that is cut"
                self.character(found[0])
            elif private:
                assert number == "25"
                self.cursor = letter == "h"
            elif letter == "A":
                self.row -= int(number or 1)
                assert self.row >= 0
            elif letter == "K":
                assert number == "2"
                self.lines[self.row] = []
            else:
                assert letter == "m", found[0]

    def character(self, character: str) -> None:
        if character == "\r":
            self.column = 0
            return
        if character == "\n" or self.column == COLUMNS:
            self.row, self.column = self.row + 1, 0
            if self.row == len(self.lines):
                self.lines.append([])
        if character != "\n":
            line = self.lines[self.row]
            line += " " * (self.column + 1 - len(line))
            line[self.column] = character
            self.column += 1

    @property
    def shown(self) -> list[str]:
        return ["".join(line).rstrip() for line in self.lines]


def in_terminal(code, *, stdout=None, interrupt_after=None, **environment):
    """Run ``code`` with a pseudo-terminal; (terminal at the end, exit code, what was written)."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    import struct

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    chosen = {**os.environ, "TERM": "xterm", "COLUMNS": "200", **environment}
    command = [sys.executable, "-c", BEGIN + code]
    process = subprocess.Popen(command, stdin=theirs, stdout=stdout or theirs, stderr=theirs, env=chosen)
    os.close(theirs)
    written, began = b"", time.monotonic()
    while True:
        try:
            data = os.read(ours, 65_536)
        except OSError:  # how Linux tells that the other end is closed
            data = b""
        if not data:
            break
        written += data
        if interrupt_after and interrupt_after in written:
            process.send_signal(signal.SIGINT)
            interrupt_after = None
        assert time.monotonic() - began < 60
    os.close(ours)
    terminal = Terminal()
    terminal.feed(written.decode("utf-8"))
    return terminal, process.wait(), written.decode("utf-8")


def test_nested_and_following_work_with_prints_between_in_a_narrow_window():
    terminal, code, written = in_terminal("""
with Progress("outer", 3, "files") as outer:
    for number in range(3):
        with Progress("inner [b]", 10, "MB") as inner:
            work(inner, 10, a_field_of_great_length=number + 0.5, another="words")
        print(f"printed [bold] {number}")
        print(f"told {number}", file=sys.stderr)
        outer.update(1)
with Progress("last", None, "pages") as last:
    work(last, 9)
print("the end")
""")
    assert code == 0 and terminal.cursor
    text = "\n".join(terminal.shown)
    for number in range(3):
        assert text.count(f"printed [bold] {number}\n") == text.count(f"told {number}\n") == 1
    lines = "".join(terminal.shown)
    assert lines.count("outer") == lines.count("last") == 1 and lines.count("inner [b] · 10/10 MB · ") == 3
    assert lines.count("a_field_of_great_length 2.5 · another words") == 1
    assert "last · 9 pages · " in lines and terminal.shown[-2:] == ["the end", ""]
    assert "━" not in lines and "━" in written
    between = Terminal()
    before_the_erasure = written.split("told 0")[0].rpartition("\r\x1b[2K")[0]
    between.feed(before_the_erasure)
    assert between.shown[-2].startswith("printed [bold] 0") and "━" in between.shown[-1], "only the outer row is drawn"
    assert len(written.split("outer")) > 10, "the row was never drawn again"


def test_rows_fit_the_window_and_tell_what_matters_most():
    from fledge.run.live import fitted

    clock = Clock()
    progress = Progress("pretrain", 2_000_000, "tokens", stream=io.StringIO(), clock=clock)
    clock.now = 10
    progress.update(500_000, loss=2.5)
    full = "500k/2M tokens · 50k tokens/s · 30s left · loss 2.5"
    assert fitted(progress, 200) == (40, full)
    assert fitted(progress, 80) == (80 - len("pretrain") - 2 - len(full), full)
    assert fitted(progress, 60) == (10, "500k/2M tokens · 50k tokens/s · 30s left")
    assert fitted(progress, 43) == (8, "500k/2M tokens · 30s left")
    assert fitted(progress, 40) == (0, "500k/2M tokens · 30s left")
    assert fitted(progress, 10) == (0, "500k/2M tokens")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are not sent so here")
@pytest.mark.parametrize("entered", [True, False])
def test_ctrl_c_leaves_the_last_state_and_the_cursor(entered):
    terminal, code, _ = in_terminal(
        'progress = Progress("work", 1000, "B")\n'
        + ("with progress: work(progress, 1000)" if entered else "work(progress, 1000)"),
        interrupt_after=b" left",
    )
    assert code != 0 and terminal.cursor
    lines = "".join(terminal.shown)
    assert len(re.findall(r"work · \d+/1000 B · ", lines)) == 1 and "KeyboardInterrupt" in lines
    assert terminal.shown[-1] == "", "the prompt begins a line of its own"


def test_an_error_is_told_and_the_last_state_too():
    terminal, code, _ = in_terminal(
        'with Progress("work", 9) as progress:\n    work(progress, 5)\n    raise ValueError(7)'
    )
    lines = "".join(terminal.shown)
    assert code == 1 and terminal.cursor and "ValueError: 7" in lines and lines.count("work · 5/9 · ") == 1


def test_output_that_goes_to_a_file_goes_there(tmp_path):
    with open(tmp_path / "out.txt", "wb") as file:
        terminal, code, _ = in_terminal(
            'with Progress("work", 9) as progress:\n    work(progress, 5)\n    print("to the file " * 9)', stdout=file
        )
    assert code == 0 and (tmp_path / "out.txt").read_text() == "to the file " * 9 + "\n"
    assert "to the file" not in "".join(terminal.shown)


def test_a_dumb_terminal_gets_plain_lines():
    _, code, written = in_terminal('with Progress("work", 9) as progress: work(progress, 9)', TERM="dumb")
    assert code == 0 and re.fullmatch(r"work · 9/9 · [\d.]+/s · done in 0s\r\n", written)
