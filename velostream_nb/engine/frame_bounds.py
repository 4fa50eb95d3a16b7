"""Bounds: where the frame of every row begins and ends."""

from __future__ import annotations

from typing import Literal

import numpy as np

from velostream_nb.core.records import TS
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.extended import Extended
from velostream_nb.engine.frames import Mask
from velostream_nb.sql import plan


class Bounds:
    """Frames of a tick's rows; each pair of bounds is found once."""

    def __init__(self, seen: Extended) -> None:
        self._seen = seen
        self._known: dict[tuple[str, int, int], tuple[Int64s, Int64s]] = {}

    def shifted(self, rows: int) -> tuple[Int64s, Mask | None]:
        """Per row: (the place so many rows on, whether that is in the partition; None: all are)."""
        seen = self._seen
        places = seen.places + rows
        if rows <= 0:
            return places, None if seen.has_before(-rows) else places >= seen.spread(seen.first)
        return places, places < seen.spread(seen.stop)

    def of(self, frame: plan.FrameCall) -> tuple[Int64s, Int64s]:
        """(low, high) of every row's frame, as places of `Extended.dense`, partition by partition."""
        key = frame.unit, frame.start, frame.end
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._rows(frame) if frame.unit == "rows" else self._time(frame)
        return found

    def _rows(self, frame: plan.FrameCall) -> tuple[Int64s, Int64s]:
        seen = self._seen
        places = seen.dense_places
        low, high = places + frame.start, places + (frame.end + 1)
        if frame.start <= frame.end <= 0 and seen.has_before(-frame.start):
            return low, high
        first = seen.dense_first.repeat(seen.sizes)
        stop = (seen.dense_first + (seen.stop - seen.first)).repeat(seen.sizes)
        low = np.minimum(np.maximum(low, first), stop)
        return low, np.maximum(np.minimum(high, stop), low)

    def _time(self, frame: plan.FrameCall) -> tuple[Int64s, Int64s]:
        seen = self._seen
        ts = seen.dense(TS).numbers.astype(np.int64, copy=False)
        low = _searched(ts, seen, frame.start, "left")
        return low, np.maximum(_searched(ts, seen, frame.end, "right"), low)


def _searched(ts: Int64s, seen: Extended, offset_us: int, side: Literal["left", "right"]) -> Int64s:
    """Per row, partition by partition: where its own time and `offset_us` would be put among that partition's."""
    base, span = int(ts.min()), int(ts.max()) - int(ts.min())
    wanted = np.clip(ts[seen.dense_places] - base + offset_us, -1, span + 1)
    parts = len(seen.first)
    if parts * (span + 3) < 1 << 62:
        # one partition after another on one axis
        number = np.arange(parts) * (span + 3)
        axis = ts - base + np.repeat(number, seen.stop - seen.first)
        return np.searchsorted(axis, wanted + number.repeat(seen.sizes), side=side)
    found = np.empty(len(wanted), dtype=np.int64)
    stops = np.cumsum(seen.sizes)
    begins, ends = seen.dense_first, seen.dense_first + (seen.stop - seen.first)
    for first, stop, end, size in zip(begins, ends, stops, seen.sizes, strict=True):
        mine = slice(end - size, end)
        found[mine] = first + np.searchsorted(ts[first:stop] - base, wanted[mine], side=side)
    return found
