"""Rows with a text in one column: JSON lines, JSON lists, CSV and TSV."""

from __future__ import annotations

import codecs
import csv
import json
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from fledge.text.sources.encoding import BadText, mend
from fledge.text.sources.inputs import Input
from fledge.text.sources.records import RawRecord
from fledge.types import Reject

JSON_SPACE = " \t\r\n"
DELIMITERS = (",", ";", "\t", "|")


def text_row(item: Input, text: Any, where: str) -> RawRecord | Reject:
    """The record of one row's text, whatever it is."""
    if not isinstance(text, str):
        kind = {"NoneType": "null", "dict": "an object", "list": "a list", "bool": "a boolean"}
        found = kind.get(type(text).__name__, "a number")
        return item.reject("bad-row", f'"{item.settings.text_column}" is {found}, not text', where)
    try:
        text, meta = mend(text)
    except BadText as error:
        return item.bad_text(error, where, len(text))
    if not text.strip():
        return item.reject("empty", f'"{item.settings.text_column}" holds no text', where)
    return item.record(text, where, meta)


class _JsonRows:
    """Rows of one file. Where the first object lacks the column the whole file is ``unusable``, later the row is."""

    def __init__(self, item: Input) -> None:
        self.item, self.seen, self.unusable = item, False, False

    def record(self, row: Any, where: str) -> RawRecord | Reject:
        column = self.item.settings.text_column
        if not isinstance(row, dict):
            return self.item.reject("bad-row", "is not a JSON object", where, text=str(row))
        if column not in row and not self.seen:
            self.unusable = True
            return self.item.wrong_column(f'has no column "{column}"', list(row))
        if column not in row:
            return self.item.reject("bad-row", f'has no "{column}"', where, text=str(row))
        self.seen = True
        return text_row(self.item, row[column], where)


def read_jsonl(item: Input) -> Iterator[RawRecord | Reject]:
    """One record a line; blank lines are passed over."""
    rows = _JsonRows(item)
    for number, line in item.lines():
        where = f"#{number}"
        if isinstance(line, Reject):
            yield line
            continue
        if not line.strip():
            continue
        text = line.decode("utf-8", "surrogateescape")
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = f"is not valid JSON ({error})"
            yield item.reject("bad-row", reason, where, text=text, n_bytes=len(line))
            continue
        yield rows.record(row, where)
        if rows.unusable:
            return


class _JsonValues:
    """The values of a JSON list, or of several values in a row, parsed from a stream piece by piece."""

    def __init__(self, item: Input) -> None:
        self._item = item
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._buffer, self._at, self._ended = "", 0, False
        self._n_read = 0

    @property
    def n_bytes(self) -> int:
        """Bytes before the place that it is at."""
        return self._n_read - len(self._buffer[self._at :].encode("utf-8", "surrogateescape"))

    def _fill(self, n_bytes: int) -> None:
        data = self._item.utf8.read(n_bytes)
        self._ended = len(data) < n_bytes
        self._n_read += len(data)
        self._buffer = self._buffer[self._at :] + self._decoder.decode(data, final=self._ended)
        self._at = 0

    def skip(self, characters: str) -> str:
        """Pass over ``characters``; the next one, or "" at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in characters:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                return ""
            self._fill(65_536)

    def value(self) -> Any:
        """The value that begins here; raises ValueError where there is none."""
        n_bytes = 65_536
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self._buffer, self._at)
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            except ValueError:
                if self._ended or len(self._buffer) - self._at > self._item.settings.max_item_bytes:
                    raise
            self._fill(n_bytes)
            n_bytes = max(n_bytes, len(self._buffer))  # doubling keeps the whole work linear


def read_json(item: Input) -> Iterator[RawRecord | Reject]:
    """One record an object of a list (or of objects one after another); broken JSON ends the file."""
    rows, values, number = _JsonRows(item), _JsonValues(item), 0
    in_list = values.skip(JSON_SPACE) == "["
    separators = JSON_SPACE + ",[" if in_list else JSON_SPACE
    while (start := values.skip(separators)) and not (in_list and start == "]"):
        separators = JSON_SPACE + "," if in_list else JSON_SPACE
        number += 1
        try:
            value = values.value()
        except (ValueError, RecursionError) as error:
            if not item.fault:
                reason = f"is not valid JSON from here on ({error})"
                before = values.n_bytes if number > 1 else 0
                yield item.reject("bad-row", reason, f"#{number}", n_bytes=max(0, item.n_bytes - before))
            return
        yield rows.record(value, f"#{number}")
        if rows.unusable:
            return
    if number == 0 and not item.fault:
        yield item.refuse("empty", "holds no objects")


def read_tsv(item: Input) -> Iterator[RawRecord | Reject]:
    """One record a row, columns parted by tabs."""
    return read_csv(item, ("\t",))


class _CsvLines:
    """The lines that a CSV reader takes, as text. ``row`` has those of the row in hand, with their numbers.

    After a row that is none, :meth:`back` gives all its lines but the first again: a quote that is never closed
    takes whatever follows into its field. What is given again in all is at most ``AGAIN`` times what was read.
    """

    AGAIN = 4

    def __init__(self, item: Input) -> None:
        self._item, self._lines = item, item.lines()
        self._waiting: deque[tuple[int, str]] = deque()
        self._n_read = self._n_again = 0
        self.row: list[tuple[int, str]] = []
        self._n_row = 0
        self.rejects: list[Reject] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._n_row > self._item.settings.max_item_bytes:
            raise csv.Error(f"over {self._item.settings.max_item_bytes} bytes (setting max_item_bytes)")
        number, line = self._waiting.popleft() if self._waiting else self._read()
        self.row.append((number, line))
        self._n_row += len(line)
        return line

    def _read(self) -> tuple[int, str]:
        for number, line in self._lines:
            if isinstance(line, Reject):
                self.rejects.append(line)
            else:
                self._n_read += len(line) + 1
                return number, line.decode("utf-8", "surrogateescape") + "\n"
        raise StopIteration

    def begin(self) -> None:
        """A row begins."""
        self.row, self._n_row = [], 0

    def back(self) -> str:
        """The text that is set aside of the row in hand; the rest comes again."""
        again = self._n_row - len(self.row[0][1])
        if self._n_again + again > self.AGAIN * self._n_read:  # made to be read again and again
            return "".join(line for _, line in self.row)
        self._n_again += again
        self._waiting.extendleft(reversed(self.row[1:]))
        return self.row[0][1]


def read_csv(item: Input, delimiters: Sequence[str] = DELIMITERS) -> Iterator[RawRecord | Reject]:
    """One record a row; the first row names the columns, and tells which of ``delimiters`` is used.

    A row whose quotes do not close is set aside with its first line alone; the next line begins a row again.
    """
    csv.field_size_limit(min(item.settings.max_item_bytes, 2**31 - 1))  # the module's own 131,072 is too small
    lines = _CsvLines(item)
    first = next(lines, "")
    if not first.strip():
        if not item.fault:
            yield item.refuse("empty", "holds no rows")
        return
    column = item.settings.text_column
    headers = [(delimiter, next(csv.reader([first], delimiter=delimiter), [])) for delimiter in delimiters]
    delimiter, header = next((pair for pair in headers if column in pair[1]), headers[0])
    if column not in header:
        yield item.wrong_column(f'has no column "{column}"', header)
        return
    at, reader = header.index(column), csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        try:
            row = next(reader, None)
        except csv.Error as error:
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            where, text = f"#{lines.row[0][0]}", lines.back()
            n_bytes = len(text.encode("utf-8", "surrogateescape"))
            yield item.reject("bad-row", f"is not a CSV row ({error})", where, text=text, n_bytes=n_bytes)
            continue
        yield from lines.rejects
        lines.rejects.clear()
        if row is None:
            return
        if not row:
            continue
        where = f"#{lines.row[0][0]}"
        if len(row) != len(header):
            reason = f"has {len(row)} fields, the header names {len(header)}"
            yield item.reject("bad-row", reason, where, text=delimiter.join(row))
            continue
        yield text_row(item, row[at], where)
