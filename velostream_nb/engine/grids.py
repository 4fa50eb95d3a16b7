"""Where windows begin and end, as SQL over slices and as integers: every time lies in whole slices of its windows.

All times are microseconds since the epoch. A *slice* is named by its start; windows are made of whole slices.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.engine.arrays import ranges
from velostream_nb.engine.delta import Int64s
from velostream_nb.sql.plan import Window


class Grid(Protocol):
    """The ends of windows; they are regular, and a window is known by its end."""

    def slice_sql(self, ts: str) -> str:
        """The slice that holds a time."""

    def first_end_sql(self, slice_: str) -> str:
        """The end of the earliest window that holds the slice."""

    def last_end_sql(self, slice_: str) -> str:
        """The end of the latest window that holds the slice."""

    def ends_sql(self, slice_: str, above: str, upto: str) -> str:
        """The ends in (above, upto] of windows that hold the slice, as a list; `above` is an end or -infinity."""

    def start_sql(self, end: str) -> str:
        """The start of the window that ends there."""

    def floor_us(self, us: int) -> int:
        """The latest end at or before a time; infinities stay."""

    def next_us(self, end_us: int) -> int:
        """The end after an end; infinities stay."""

    def floors(self, us: Int64s) -> Int64s:
        """`floor_us` of many finite times."""

    def last_ends(self, ts: Int64s) -> Int64s:
        """The end of the latest window that holds each time."""

    def slices(self, ts: Int64s) -> Int64s:
        """The slice that holds each time."""

    def ends(self, slices: Int64s, above: Int64s, upto: int) -> tuple[Int64s, Int64s]:
        """`ends_sql` of many slices: (which slice, an end of it) for each of their ends."""

    def starts(self, ends: Int64s) -> Int64s:
        """`start_sql` of many ends."""

    def describe(self) -> str:
        """For people."""


def grid_of(window: Window) -> Grid:
    """The grid of a window."""
    return Months(window.months) if window.months else Regular(window)


def floor_sql(x: str, step: int, offset: int = 0) -> str:
    """``x`` rounded down to ``offset (mod step)``; SQL's ``%`` takes the sign of what it divides."""
    return f"({x} - ((({x} - {offset}) % {step}) + {step}) % {step})"


def is_finite(us: int) -> bool:
    """Is the time neither before all records nor after the end of the input?"""
    return abs(us) < WATERMARK_MAX_US


class Regular:
    """Tumbling, hopping and cumulating windows of a fixed length."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.slice_us = window.slide_us if window.cumulate else math.gcd(window.size_us, window.slide_us)

    def slice_sql(self, ts: str) -> str:
        return floor_sql(ts, self.slice_us, self.window.offset_us)

    def first_end_sql(self, slice_: str) -> str:
        w, end = self.window, f"({slice_} + {self.slice_us})"
        if w.cumulate:
            return end
        # the earliest end that is not before the slice's own: rounded up
        return f"({end} + ((({w.offset_us} + {w.size_us} - {end}) % {w.slide_us}) + {w.slide_us}) % {w.slide_us})"

    def last_end_sql(self, slice_: str) -> str:
        w = self.window
        period = w.size_us if w.cumulate else w.slide_us
        return f"({floor_sql(slice_, period, w.offset_us)} + {w.size_us})"

    def ends_sql(self, slice_: str, above: str, upto: str) -> str:
        w, last = self.window, self.last_end_sql(slice_)
        if w.size_us == w.slide_us:
            return f"CASE WHEN {last} > {above} AND {last} <= {upto} THEN [{last}] ELSE []::BIGINT[] END"
        first = f"greatest({self.first_end_sql(slice_)}, {above} + {w.slide_us})"
        return f"range({first}, least({last}, {upto}) + 1, {w.slide_us})"

    def start_sql(self, end: str) -> str:
        w = self.window
        return floor_sql(f"({end} - 1)", w.size_us, w.offset_us) if w.cumulate else f"({end} - {w.size_us})"

    def floor_us(self, us: int) -> int:
        w = self.window
        return us - (us - w.offset_us - w.size_us) % w.slide_us if is_finite(us) else us

    def next_us(self, end_us: int) -> int:
        return end_us + self.window.slide_us if is_finite(end_us) else end_us

    def floors(self, us: Int64s) -> Int64s:
        w = self.window
        return us - (us - w.offset_us - w.size_us) % w.slide_us

    def last_ends(self, ts: Int64s) -> Int64s:
        w = self.window
        period = w.size_us if w.cumulate else w.slide_us
        return ts - (ts - w.offset_us) % period + w.size_us

    def slices(self, ts: Int64s) -> Int64s:
        return ts - (ts - self.window.offset_us) % self.slice_us

    def ends(self, slices: Int64s, above: Int64s, upto: int) -> tuple[Int64s, Int64s]:
        w, end = self.window, slices + self.slice_us
        first = end if w.cumulate else end + (w.offset_us + w.size_us - end) % w.slide_us
        first = np.maximum(first, above + w.slide_us)
        sizes = np.maximum((np.minimum(self.last_ends(slices), upto) - first) // w.slide_us + 1, 0)
        which = np.repeat(np.arange(len(slices)), sizes)
        return which, first[which] + ranges(np.zeros_like(sizes), sizes) * w.slide_us

    def starts(self, ends: Int64s) -> Int64s:
        w = self.window
        return ends - 1 - (ends - 1 - w.offset_us) % w.size_us if w.cumulate else ends - w.size_us

    def describe(self) -> str:
        w = self.window
        offset = f" offset {w.offset_us / 1e6:g} s" if w.offset_us else ""
        size, slide = f"{w.size_us / 1e6:g} s", f"{w.slide_us / 1e6:g} s"
        if w.size_us == 1:
            return "rows of one event time"
        if w.cumulate:
            return f"cumulate {size} in steps of {slide}{offset}"
        if w.size_us == w.slide_us:
            return f"tumble {size}{offset}"
        return f"hop {size} every {slide}{offset}, slices of {self.slice_us / 1e6:g} s"


class Months:
    """Tumbling windows of whole calendar months, UTC, counted from January 1970."""

    def __init__(self, months: int) -> None:
        self.months = months
        self._interval = f"INTERVAL {months} MONTH"

    def slice_sql(self, ts: str) -> str:
        bucket = f"time_bucket({self._interval}, make_timestamp({ts}), TIMESTAMP '1970-01-01')"
        return f"epoch_us({bucket})"

    def first_end_sql(self, slice_: str) -> str:
        return self.last_end_sql(slice_)

    def last_end_sql(self, slice_: str) -> str:
        return f"epoch_us(make_timestamp({slice_}) + {self._interval})"

    def ends_sql(self, slice_: str, above: str, upto: str) -> str:
        last = self.last_end_sql(slice_)
        return f"CASE WHEN {last} > {above} AND {last} <= {upto} THEN [{last}] ELSE []::BIGINT[] END"

    def start_sql(self, end: str) -> str:
        return f"epoch_us(make_timestamp({end}) - {self._interval})"

    def floor_us(self, us: int) -> int:
        return int(self.floors(np.array([us], dtype=np.int64))[0]) if is_finite(us) else us

    def next_us(self, end_us: int) -> int:
        return int(self.last_ends(np.array([end_us], dtype=np.int64))[0]) if is_finite(end_us) else end_us

    def floors(self, us: Int64s) -> Int64s:
        return self._start(self._number(us))

    def last_ends(self, ts: Int64s) -> Int64s:
        return self._start(self._number(ts) + self.months)

    def slices(self, ts: Int64s) -> Int64s:
        return self._start(self._number(ts))

    def ends(self, slices: Int64s, above: Int64s, upto: int) -> tuple[Int64s, Int64s]:
        last = self.last_ends(slices)
        which = np.flatnonzero((last > above) & (last <= upto))
        return which, last[which]

    def starts(self, ends: Int64s) -> Int64s:
        return self._start(self._number(ends) - self.months)

    def _number(self, us: Int64s) -> Int64s:
        """The first month, counted from 1970, of the window that holds each time."""
        month = us.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
        return month - month % self.months

    def _start(self, month: Int64s) -> Int64s:
        return month.astype("datetime64[M]").astype("datetime64[us]").astype(np.int64)

    def describe(self) -> str:
        return f"tumble {self.months} month{'s' if self.months > 1 else ''} of the calendar"
