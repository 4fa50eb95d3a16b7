"""Reading a file one batch ahead: the next batch waits in memory, decoded, and nobody can tell but by the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from velostream_nb.brokers.contract import Reader
from velostream_nb.brokers.payload import slice_payload
from velostream_nb.core.records import RecordSet


class AheadReader:
    """A `Reader` that may hold records it has not given yet. Where it stands is where its user has read to.

    `fill` may be called on another thread while nobody else uses the reader.

    Attributes:
        inner: the reader behind it, which stands at the end of what is held.
    """

    def __init__(self, inner: Reader) -> None:
        self.topic = inner.topic
        self.inner = inner
        self._held: list[RecordSet] = []
        self._error: Exception | None = None
        self._drained: bool | None = None

    @property
    def held(self) -> Sequence[RecordSet]:
        """The records that the next poll begins with."""
        return self._held

    @property
    def is_full(self) -> bool:
        """Whether there is nothing to `fill` now: a batch is held, or the end or an error is known."""
        return bool(self._held or self._drained or self._error)

    def fill(self, max_rows: int) -> None:
        """Hold the next records, and find out whether they are the last. What goes wrong shows in the next poll."""
        if self.is_full:
            return
        try:
            self._held = self.inner.poll(max_rows)
            self._drained = self.inner.ended
        except Exception as error:  # noqa: BLE001 (it belongs to who polls)
            self._error = error

    def poll(self, max_rows: int, until: Mapping[int, int] | None = None) -> list[RecordSet]:
        given: list[RecordSet] = []
        while self._held and max_rows > 0:
            records = self._held[0]
            end = (until or {}).get(records.partition)
            rows = records.rows if end is None else int(records.offsets.searchsorted(end))
            rows = min(rows, max_rows)
            if rows == 0:
                return given
            given.append(_part(records, 0, rows))
            rest = _part(records, rows, records.rows - rows)
            self._held[:1] = [rest] if rest.rows else []
            max_rows -= rows
        if given or self._held or self._drained:
            return given
        if self._error is not None:
            raise self._error
        self._drained = None
        return self.inner.poll(max_rows, until)

    def take(self, records: Sequence[RecordSet]) -> bool:
        return not self._held and self.inner.take(records)

    def positions(self) -> dict[int, int]:
        found = self.inner.positions()
        for records in reversed(self._held):
            found[records.partition] = int(records.offsets[0])
        return found

    def lag_rows(self) -> int:
        """At least so many; 0 only at the end. What is not held yet is not looked at while something is."""
        if self._held:
            return sum(records.rows for records in self._held)
        if self._error is not None:
            return 1  # the next poll tells
        return 0 if self._drained else self.inner.lag_rows()

    @property
    def skipped(self) -> int:
        return self.inner.skipped

    @property
    def ended(self) -> bool:
        if self._held or self._error is not None:
            return False
        return self.inner.ended if self._drained is None else self._drained

    def close(self) -> None:
        self._held.clear()
        self.inner.close()


def _part(records: RecordSet, start: int, rows: int) -> RecordSet:
    """Some of the records; no copy."""
    if start == 0 and rows == records.rows:
        return records
    end = start + rows
    return replace(
        records,
        offsets=records.offsets[start:end],
        timestamps_ms=records.timestamps_ms[start:end],
        payload=slice_payload(records.payload, start, rows),
        keys=None if records.keys is None else records.keys.slice(start, rows),
    )
