"""The log of one partition in memory: segments as they were appended, found by bisection, trimmed from the front.

Not safe for threads by itself: the broker holds its lock around every method. `Part`s, once taken, are immutable
and are turned into record sets outside that lock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.brokers.contract import Retention
from velostream_nb.brokers.payload import concat_payloads, joinable, line_ends, slice_payload
from velostream_nb.core.records import Lines, Payload, RecordSet

SMALL_ROWS = 128
"""A segment below this is small: `_CHAIN` small segments in a row are made one, or single-row appends would cost
kilobytes of memory a record for as long as they are kept."""

_CHAIN = 128
_GRAINS = 8
"""Segments are joined only while at least this many of the result fit into what retention keeps."""

JOIN_BELOW_ROWS = 1_024
"""Neighbours below this are joined when they are read: decoding a batch costs the same for 1 row as for hundreds."""

JOIN_UP_TO_ROWS = 16_384


@dataclass(slots=True)
class Segment:
    """Records appended together.

    Attributes:
        base: offset of the first record.
        position: how many records the topic had, over all partitions, before it.
        timestamps_ms: one a record, or one for all.
    """

    base: int
    position: int
    rows: int
    bytes: int
    payload: Payload
    keys: pa.BinaryArray | None
    timestamps_ms: npt.NDArray[np.int64] | int
    _ends: npt.NDArray[np.int64] | None = field(default=None, repr=False)

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


class PartitionLog:
    """Appended segments of one partition. Retention never removes the newest segment, so one big batch is readable."""

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self.next_offset = 0
        self.rows = 0
        self.bytes = 0
        self._segments: list[Segment] = []
        self._bases: list[int] = []
        self._positions: list[int] = []
        self._head = 0
        self._small_tail = 0

    @property
    def earliest(self) -> int:
        """Offset of the oldest record kept; `next_offset` when there is none."""
        return self._bases[self._head] if self._head < len(self._bases) else self.next_offset

    def append(self, segment: Segment) -> None:
        """Add it at the end (its base must be `next_offset`) and let go of what retention no longer covers."""
        small = segment.rows < SMALL_ROWS
        if small and self._small_tail and self._continues(self._segments[-1], segment):
            self._small_tail += 1
        else:
            self._small_tail = int(small)
        self._segments.append(segment)
        self._bases.append(segment.base)
        self._positions.append(segment.position)
        self.next_offset += segment.rows
        self.rows += segment.rows
        self.bytes += segment.bytes
        if self._small_tail == _CHAIN:
            self._join_tail()
        self._trim()

    def parts_from(self, offset: int, max_rows: int) -> list[Part]:
        """At most `max_rows` records from `offset` on, oldest first."""
        return list(self._walk(self._bases, offset, max_rows))

    def parts_after(self, position: int) -> list[Part]:
        """Every record whose topic position is `position` or later, oldest first."""
        return list(self._walk(self._positions, position, self.next_offset))

    def _walk(self, starts: list[int], wanted: int, max_rows: int) -> Iterator[Part]:
        at = max(self._head, bisect_right(starts, wanted, self._head) - 1)
        while at < len(starts) and max_rows > 0:
            segment = self._segments[at]
            skip = max(0, wanted - starts[at])
            rows = min(segment.rows - skip, max_rows)
            if rows > 0:
                yield Part(segment, skip, rows)
                max_rows -= rows
            at += 1

    @staticmethod
    def _continues(last: Segment, segment: Segment) -> bool:
        return last.position + last.rows == segment.position and joinable(last.payload, segment.payload)

    def _join_tail(self) -> None:
        """Make one segment of the chain of small ones at the end, unless retention could then only drop too much."""
        tail = self._segments[max(self._head, len(self._segments) - self._small_tail) :]
        self._small_tail = 0
        max_rows, max_bytes = self.retention.rows, self.retention.bytes
        if (max_rows is not None and sum(s.rows for s in tail) * _GRAINS > max_rows) or (
            max_bytes is not None and sum(s.bytes for s in tail) * _GRAINS > max_bytes
        ):
            return
        joined = join_segments(tail)
        for chain, entry in ((self._segments, joined), (self._bases, joined.base), (self._positions, joined.position)):
            chain[-len(tail) :] = [entry]  # type: ignore[list-item]

    def _trim(self) -> None:
        max_rows, max_bytes = self.retention.rows, self.retention.bytes
        while self._head < len(self._segments) - 1 and (
            (max_rows is not None and self.rows > max_rows) or (max_bytes is not None and self.bytes > max_bytes)
        ):
            oldest = self._segments[self._head]
            self._head += 1
            self.rows -= oldest.rows
            self.bytes -= oldest.bytes
        # removed in bulk: taking one element off the front of a list moves all the others
        if self._head > 64 and self._head * 2 > len(self._segments):
            for chain in (self._segments, self._bases, self._positions):
                del chain[: self._head]
            self._head = 0


def join_segments(segments: Sequence[Segment]) -> Segment:
    """One segment of neighbours whose payloads are joinable and whose positions follow each other."""
    first = segments[0]
    rows = sum(segment.rows for segment in segments)
    times = np.concatenate([segment.times(0, segment.rows) for segment in segments])
    payload = concat_payloads([segment.payload for segment in segments])
    keys = _join_keys([(segment.keys, segment.rows) for segment in segments])
    return Segment(first.base, first.position, rows, sum(s.bytes for s in segments), payload, keys, times)


def _join_keys(keys: Sequence[tuple[pa.BinaryArray | None, int]]) -> pa.BinaryArray | None:
    if len(keys) == 1:
        return keys[0][0]
    if all(part is None for part, _ in keys):
        return None
    return pa.concat_arrays([pa.nulls(rows, pa.binary()) if part is None else part for part, rows in keys])


def record_sets(topic: str, partition: int, parts: Sequence[Part]) -> list[RecordSet]:
    """Record sets of consecutive parts of one partition; runs of small neighbours become one."""
    sets: list[RecordSet] = []
    group: list[Part] = []
    rows = 0
    for part in parts:
        if group and not (
            part.rows < JOIN_BELOW_ROWS
            and rows < JOIN_UP_TO_ROWS
            and group[-1].rows < JOIN_BELOW_ROWS
            and joinable(group[-1].segment.payload, part.segment.payload)
        ):
            sets.append(_record_set(topic, partition, group))
            group, rows = [], 0
        group.append(part)
        rows += part.rows
    if group:
        sets.append(_record_set(topic, partition, group))
    return sets


def _record_set(topic: str, partition: int, parts: Sequence[Part]) -> RecordSet:
    rows = sum(part.rows for part in parts)
    first = parts[0].segment.base + parts[0].start
    offsets = np.arange(first, first + rows, dtype=np.int64)
    keys = _join_keys([(part.segment.cut_keys(part.start, part.rows), part.rows) for part in parts])
    times = [part.segment.times(part.start, part.rows) for part in parts]
    payload = concat_payloads([part.segment.cut(part.start, part.rows) for part in parts])
    return RecordSet(topic, partition, offsets, times[0] if len(times) == 1 else np.concatenate(times), payload, keys)
