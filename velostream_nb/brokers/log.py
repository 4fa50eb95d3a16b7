"""The log of one partition in memory: segments as they were appended, found by bisection, trimmed from the front.

Not safe for threads by itself: the broker holds its lock around every method. `Part`s, once taken, are immutable
and are turned into record sets outside that lock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import numpy as np

from velostream_nb.brokers.compaction import compacted
from velostream_nb.brokers.contract import Retention
from velostream_nb.brokers.payload import concat_payloads, joinable
from velostream_nb.brokers.segment import Part, Segment, join_keys, join_segments
from velostream_nb.core.records import RecordSet

SMALL_ROWS = 128
"""A segment below this is small: `_CHAIN` small segments in a row are made one, or single-row appends would cost
kilobytes of memory a record for as long as they are kept."""

_CHAIN = 128
_GRAINS = 8
"""Segments are joined only while at least this many of the result fit into what retention keeps."""

JOIN_BELOW_ROWS = 1_024
"""Neighbours below this are joined when they are read: decoding a batch costs the same for 1 row as for hundreds."""

JOIN_UP_TO_ROWS = 16_384


class PartitionLog:
    """Appended segments of one partition. Retention never removes the newest segment, so one big batch is readable.

    Attributes:
        changelog: how the topic is to be read: None, 'upsert', 'single' (upserts of one row in all) or 'retract'. A
            changelog does not lose its oldest records to retention but those that later ones have made void, so that
            what stands can always be read.
        cleaned: offset up to which deletes have been removed too; a reader that stands before it, and has read
            something, may have missed some.
    """

    def __init__(self, retention: Retention) -> None:
        self.retention = retention
        self.changelog: str | None = None
        self.cleaned = 0
        self._compacted = 0
        self._compact_above = 0
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

    @property
    def is_compacted(self) -> bool:
        """Whether records between those that are kept have been removed."""
        return self._compacted > 0

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

    def parts_from(self, offset: int, max_rows: int, until: int) -> list[Part]:
        """At most `max_rows` records from `offset` on and before `until`, oldest first."""
        parts = []
        for part in self._walk(self._bases, offset, max_rows, by_position=False):
            rows = part.segment.rows_before(until, by_position=False) - part.start
            if rows <= 0:
                break
            parts.append(part if rows >= part.rows else part._replace(rows=rows))
        return parts

    def parts_after(self, position: int) -> list[Part]:
        """Every record whose topic position is `position` or later, oldest first."""
        return list(self._walk(self._positions, position, self.next_offset, by_position=True))

    def removed(self, start: int, end: int) -> int:
        """How many records from offset `start` to `end` have been removed; negative when `end` is before `start`."""
        if end <= start:
            return end - start
        at = max(self._head, bisect_right(self._bases, start, self._head) - 1)
        last = bisect_left(self._bases, end, self._head)
        kept = sum(
            segment.rows_before(end, by_position=False) - segment.rows_before(start, by_position=False)
            for segment in self._segments[at:last]
        )
        return end - start - kept

    def _walk(self, starts: list[int], wanted: int, max_rows: int, *, by_position: bool) -> Iterator[Part]:
        at = max(self._head, bisect_right(starts, wanted, self._head) - 1)
        while at < len(starts) and max_rows > 0:
            segment = self._segments[at]
            skip = segment.rows_before(wanted, by_position=by_position)
            rows = min(segment.rows - skip, max_rows)
            if rows > 0:
                yield Part(segment, skip, rows)
                max_rows -= rows
            at += 1

    @staticmethod
    def _continues(last: Segment, segment: Segment) -> bool:
        if last.places is not None or last.position + last.rows != segment.position:
            return False
        return joinable(last.payload, segment.payload)

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

    def _is_over(self) -> bool:
        max_rows, max_bytes = self.retention.rows, self.retention.bytes
        return (max_rows is not None and self.rows > max_rows) or (max_bytes is not None and self.bytes > max_bytes)

    def _trim(self) -> None:
        if self.changelog is not None and self._is_over() and self._compact():
            return
        while self._head < len(self._segments) - 1 and self._is_over():
            oldest = self._segments[self._head]
            self._head += 1
            self.rows -= oldest.rows
            self.bytes -= oldest.bytes
            if self.is_compacted:
                self.cleaned = max(self.cleaned, self.earliest)
        # removed in bulk: taking one element off the front of a list moves all the others
        if self._head > 64 and self._head * 2 > len(self._segments):
            for chain in (self._segments, self._bases, self._positions):
                del chain[: self._head]
            self._head = 0

    def _compact(self) -> bool:
        """Keep a changelog within retention by removing what is void from its older half.

        Done again only when as many records have come as it left standing, so that each is looked at a bounded number
        of times on average. False where the records do not tell what is void.
        """
        old = self._old_segments()
        if not old or self.rows <= self._compact_above:
            return True
        end = old[-1].offsets(old[-1].rows - 1, 1)[0] + 1
        kept = compacted(old, self.changelog or "", self._compacted)
        if kept is None:
            return False
        self.cleaned = self._compacted if self.changelog == "upsert" else int(end)
        self._compacted = int(end)
        segments = [*kept, *self._segments[self._head + len(old) :]]
        self._segments, self._head, self._small_tail = segments, 0, 0
        self._bases = [segment.base for segment in segments]
        self._positions = [segment.position for segment in segments]
        before, standing = self.rows, sum(segment.rows for segment in kept)
        self.rows = sum(segment.rows for segment in segments)
        self.bytes = sum(segment.bytes for segment in segments)
        self._compact_above = self.rows + max(standing, (before - self.rows) // 2)
        return True

    def _old_segments(self) -> list[Segment]:
        """The older half of what is kept: its newest records stay as they are, for readers that follow closely."""
        recent = 0
        for at in range(len(self._segments) - 1, self._head - 1, -1):
            recent += self._segments[at].rows
            if recent * 2 >= self.rows:
                return self._segments[self._head : at]
        return []


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
    if all(part.segment.places is None for part in parts):
        first = parts[0].segment.base + parts[0].start
        offsets = np.arange(first, first + rows, dtype=np.int64)
    else:
        offsets = np.concatenate([part.segment.offsets(part.start, part.rows) for part in parts])
    keys = join_keys([(part.segment.cut_keys(part.start, part.rows), part.rows) for part in parts])
    times = [part.segment.times(part.start, part.rows) for part in parts]
    payload = concat_payloads([part.segment.cut(part.start, part.rows) for part in parts])
    return RecordSet(topic, partition, offsets, times[0] if len(times) == 1 else np.concatenate(times), payload, keys)
