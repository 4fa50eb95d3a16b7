"""Segments: records as they were appended together, or as compaction left them. Immutable once they are in a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.brokers.payload import concat_payloads, line_ends, slice_payload
from velostream_nb.core.records import Lines, Payload


@dataclass(slots=True)
class Segment:
    """Records appended together.

    Attributes:
        base: offset of the first record.
        position: how many records the topic had, over all partitions, before it.
        timestamps_ms: one a record, or one for all.
        places: (offsets, positions), one a record, where compaction has left gaps; None where they count by one.
    """

    base: int
    position: int
    rows: int
    bytes: int
    payload: Payload
    keys: pa.BinaryArray | None
    timestamps_ms: npt.NDArray[np.int64] | int
    places: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None
    _ends: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def offsets(self, start: int, rows: int) -> npt.NDArray[np.int64]:
        """Offsets of a run of its records."""
        if self.places is None:
            return np.arange(self.base + start, self.base + start + rows, dtype=np.int64)
        return self.places[0][start : start + rows]

    def positions(self) -> npt.NDArray[np.int64]:
        """How many records the topic had before each of its records."""
        if self.places is None:
            return np.arange(self.position, self.position + self.rows, dtype=np.int64)
        return self.places[1]

    def rows_before(self, place: int, *, by_position: bool) -> int:
        """How many of its records lie before an offset, or before a topic position."""
        if self.places is None:
            return min(max(0, place - (self.position if by_position else self.base)), self.rows)
        return int(np.searchsorted(self.places[int(by_position)], place))

    def cut(self, start: int, rows: int) -> Payload:
        """A run of its records; where lines end is looked up once for all cuts."""
        if start == 0 and rows == self.rows:
            return self.payload
        if isinstance(self.payload, Lines) and self._ends is None:
            self._ends = line_ends(self.payload.data)
        return slice_payload(self.payload, start, rows, self._ends)

    def cut_keys(self, start: int, rows: int) -> pa.BinaryArray | None:
        """Keys of a run of its records."""
        return None if self.keys is None else self.keys.slice(start, rows)

    def times(self, start: int, rows: int) -> npt.NDArray[np.int64]:
        """Broker timestamps of a run of its records."""
        if isinstance(self.timestamps_ms, int):
            return np.full(rows, self.timestamps_ms, np.int64)
        return self.timestamps_ms[start : start + rows]


class Part(NamedTuple):
    """A run of records of one segment: row numbers `start` to `start + rows`."""

    segment: Segment
    start: int
    rows: int

    @property
    def end(self) -> int:
        """The offset after its last record."""
        return int(self.segment.offsets(self.start + self.rows - 1, 1)[0]) + 1


def join_segments(segments: Sequence[Segment]) -> Segment:
    """One segment of neighbours whose payloads are joinable and whose positions follow each other."""
    first = segments[0]
    rows = sum(segment.rows for segment in segments)
    times = np.concatenate([segment.times(0, segment.rows) for segment in segments])
    payload = concat_payloads([segment.payload for segment in segments])
    keys = join_keys([(segment.keys, segment.rows) for segment in segments])
    return Segment(first.base, first.position, rows, sum(s.bytes for s in segments), payload, keys, times)


def join_keys(keys: Sequence[tuple[pa.BinaryArray | None, int]]) -> pa.BinaryArray | None:
    """The keys of (keys, rows) one after another; None when no record has one."""
    if len(keys) == 1:
        return keys[0][0]
    if all(part is None for part, _ in keys):
        return None
    return pa.concat_arrays([pa.nulls(rows, pa.binary()) if part is None else part for part, rows in keys])
