"""A block of undecoded JSON records as numbers: its bytes, where its records and their marks are."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa

from velostream_nb.codecs.json_template import QUOTE, Bools, Bytes, Int64s, Template, mark_bytes
from velostream_nb.core.records import Lines
from velostream_nb.core.vectors import valid_in

_NEWLINE = 0x0A
_BACKSLASH = 0x5C
_LAST_ASCII = 0x7F


class Block:
    """Records in one run of bytes, without a copy: lines, or the values of an Arrow array.

    Attributes:
        text: the bytes. Lines all have their newline, which is a mark of the record before it.
        rows: how many records.
    """

    def __init__(self, payload: pa.BinaryArray | Lines) -> None:
        self.rows = payload.rows if isinstance(payload, Lines) else len(payload)
        self._bounds: Int64s | None = None
        self._marks: dict[int, Int64s] = {}
        self._lines = b""
        self._tombstones = np.empty(0, np.int64)
        if isinstance(payload, Lines):
            data = self._lines = payload.data if payload.data.endswith(b"\n") else payload.data + b"\n"
            self.text: Bytes = np.frombuffer(data, np.uint8)
        else:
            bounds = np.frombuffer(payload.buffers()[1], np.int32)[payload.offset : payload.offset + self.rows + 1]
            data = payload.buffers()[2]
            whole = np.frombuffer(b"" if data is None else data, np.uint8)
            self.text = whole[bounds[0] : bounds[-1]]
            self._bounds = (bounds - bounds[0]).astype(np.int64)
            if payload.null_count:
                self._tombstones = np.flatnonzero(~valid_in(payload))

    @cached_property
    def quotes(self) -> Bools:
        """Which bytes are quotes."""
        found: Bools = self.text == QUOTE
        return found

    @cached_property
    def quote_count(self) -> int:
        """How many quotes there are."""
        return int(np.count_nonzero(self.quotes))

    @cached_property
    def is_text(self) -> bool:
        """Whether the whole is UTF-8."""
        if not len(self.text) or self.text.max() <= _LAST_ASCII:
            return True
        bounds = np.array([0, len(self.text)], np.int32)
        text = pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(bounds), pa.py_buffer(self.text)])
        try:
            text.cast(pa.string())
        except pa.ArrowInvalid:
            return False
        return True

    @cached_property
    def edges(self) -> tuple[Int64s, Int64s] | None:
        """Where each record starts and stops; None when there are not as many lines as records."""
        if self._bounds is not None:
            return self._bounds[:-1], self._bounds[1:]
        stops = np.flatnonzero(self.text == _NEWLINE)
        if len(stops) != self.rows:
            return None
        starts = np.empty_like(stops)
        starts[0], starts[1:] = 0, stops[:-1] + 1
        return starts, stops

    def records(self, rows: Int64s) -> list[bytes | None]:
        """The bytes of these records, without their newlines; None for a tombstone."""
        assert self.edges is not None
        starts, stops = self.edges
        text = memoryview(self.text.data)
        pairs = zip(starts[rows].tolist(), stops[rows].tolist(), strict=True)
        records: list[bytes | None] = [bytes(text[start:stop]) for start, stop in pairs]
        for at in np.flatnonzero(np.isin(rows, self._tombstones)).tolist() if len(self._tombstones) else ():
            records[at] = None
        return records

    @cached_property
    def aside(self) -> Int64s:
        """The records that no template is for: tombstones, and those that have a backslash."""
        if self._bounds is None and b"\\" not in self._lines:
            return self._tombstones
        found = np.flatnonzero(self.text == _BACKSLASH)
        if not len(found) or self.edges is None:
            return self._tombstones
        return np.union1d(self._tombstones, np.searchsorted(self.edges[1], found, side="right"))

    @cached_property
    def quotes_by_record(self) -> Int64s:
        """How many quotes each record has."""
        assert self.edges is not None
        # there are none between one record and the next
        return np.diff(np.searchsorted(np.flatnonzero(self.quotes), self.edges[1]), prepend=0)

    def anchors(self, template: Template) -> Int64s | None:
        """The anchors (anchors, records) of the records, when each is sure to have as many as the template; else None.

        Of lines this is not sure before their literals are verified: a line may have too few marks, and its neighbour
        too many.
        """
        inner, marks = template.marks, self._found(template.gap)
        lines = self._bounds is None
        if len(marks) != self.rows * (inner + lines):
            return None
        anchors = np.empty((inner + 2, self.rows), np.int64)
        if lines:
            anchors[1:] = marks.reshape(self.rows, inner + 1).T
            if (self.text[anchors[-1]] != _NEWLINE).any():
                return None
            anchors[0, 0] = 0
            np.add(anchors[-1, :-1], 1, out=anchors[0, 1:])
            return anchors
        assert self._bounds is not None
        anchors[0], anchors[-1] = self._bounds[:-1], self._bounds[1:]
        anchors[1:-1] = marks.reshape(self.rows, inner).T
        outside = (anchors[1] < anchors[0]) | (anchors[-2] >= anchors[-1])
        return None if outside.any() else anchors

    def anchors_of(self, template: Template, wanted: Bools) -> tuple[Int64s, Int64s]:
        """Of the wanted records those that have as many marks as the template, and their anchors."""
        assert self.edges is not None
        starts, stops = self.edges
        marks = self._found(template.gap)
        last = np.searchsorted(marks, stops)
        first = np.zeros_like(last)
        first[1:] = last[:-1] + (self._bounds is None)  # a newline is a mark, of no record
        fitting = np.flatnonzero(wanted & (last - first == template.marks))
        anchors = np.empty((template.marks + 2, len(fitting)), np.int64)
        anchors[0], anchors[-1] = starts[fitting], stops[fitting]
        for number in range(template.marks):
            anchors[number + 1] = marks[first[fitting] + number]
        return fitting, anchors

    def _found(self, gap: int) -> Int64s:
        if (known := self._marks.get(gap)) is None:
            known = self._marks[gap] = np.flatnonzero(mark_bytes(self.text, self.quotes, gap))
        return known
