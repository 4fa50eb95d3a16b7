"""bqplot as the screens use it: dark, no animation, no toolbar, every array float64 or ``datetime64[ms]``.

The one door to bqplot.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

with warnings.catch_warnings():
    # bqscales builds its traits in a way that traitlets deprecated; nothing a user could do about it
    warnings.simplefilter("ignore", DeprecationWarning)
    import bqplot as bqplot
    from bqplot.traits import Date

from velostream_nb.widgets.columns import Floats, Ints, milliseconds
from velostream_nb.widgets.ranges import round_ticks, tick_decimals, time_ticks

PRICE = "#8ab4ff"
VWAP = "#f2b84b"
VOLUME = "#3c4d6e"
SPIKE = "#ff7ac6"
UP = "#35c9a5"
DOWN = "#ff8563"
GRID = "#1c2434"
SERIES = ("#8ab4ff", "#f2b84b", "#35c9a5", "#ff7ac6", "#c3a6ff", "#ff8563", "#7fd4ff", "#d7dde8")
"""Line colours of charts by series; told apart by their labels too, never by colour alone."""

MAX_POINTS = 600
"""Points of a line sent to the browser."""


def date(time_us: int) -> datetime:
    """Epoch microseconds as bqplot's date scales take them: naive UTC, whole milliseconds."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, tz=UTC).replace(tzinfo=None)
    return moment.replace(microsecond=time_us % 1_000_000 // 1_000 * 1_000)


def figure(marks: Sequence[Any], axes: Sequence[Any], scales: tuple[Any, Any], margin: dict[str, int]) -> Any:
    """A figure that fills its box."""
    return bqplot.Figure(
        marks=list(marks),
        axes=list(axes),
        scale_x=scales[0],
        scale_y=scales[1],
        fig_margin=margin,
        padding_x=0.0,
        padding_y=0.0,
        animation_duration=0,
        display_toolbar=False,
        background_style={"fill": "transparent"},
        layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0", margin="0"),
    )


def price_axis(scale: Any) -> Any:
    """Prices at the right edge, where the newest ones are; ticks are set by `set_ticks`."""
    return bqplot.Axis(
        scale=scale,
        side="right",
        grid_lines="solid",
        grid_color=GRID,
        tick_values=np.empty(0),
        tick_format=",.2f",
    )


class PannableDateScale(bqplot.DateScale):  # type: ignore[misc]
    """A date scale whose limits mean UTC in every browser, and come back when the reader pans.

    The stock scale writes limits without a zone, which browsers take for local time, and cannot read its own
    answers; the trait of bqplot does both right.
    """

    min = Date(default_value=None, allow_none=True).tag(sync=True)
    max = Date(default_value=None, allow_none=True).tag(sync=True)


class TimeAxis:
    """One date scale and one axis, shared by all figures that show the same time."""

    def __init__(self, *, ticks: int = 3) -> None:
        self._ticks = ticks
        self._limits: tuple[int, int] | None = None
        self.scale = PannableDateScale()
        self.axis = bqplot.Axis(
            scale=self.scale, grid_lines="none", tick_values=np.empty(0, dtype="datetime64[ms]"), tick_format="%H:%M:%S"
        )

    @property
    def limits(self) -> tuple[int, int] | None:
        """What was last asked for, epoch microseconds."""
        return self._limits

    def show(self, low_us: int, high_us: int) -> None:
        """Move the window; nothing is sent when it stands already."""
        if self._limits == (low_us, high_us) or high_us <= low_us:
            return
        self._limits = (low_us, high_us)
        with self.scale.hold_sync():
            self.scale.min, self.scale.max = date(low_us), date(high_us)
        self.retick(low_us, high_us)

    def forget(self) -> None:
        """The next `show` is sent even if nothing changed: the reader may have moved the scale."""
        self._limits = None

    def retick(self, low_us: int, high_us: int) -> None:
        """Ticks at round times; also for a window the reader chose by panning."""
        times, step_s = time_ticks(low_us, high_us, self._ticks)
        with self.axis.hold_sync():
            self.axis.tick_values = milliseconds(np.asarray(times, dtype=np.int64))
            self.axis.tick_format = "%H:%M" if step_s >= 60 else "%H:%M:%S"


def set_ticks(axis: Any, low: float, high: float, count: int) -> None:
    """Round ticks inside [low, high], with as many decimals as tell them apart (at least 2 for prices below 1000)."""
    ticks = round_ticks(low, high, count)
    decimals = tick_decimals(ticks)
    with axis.hold_sync():
        axis.tick_values = np.asarray(ticks, dtype=np.float64)
        axis.tick_format = f",.{decimals}f" if abs(high) < 1e6 else ".4s"


def extremes(*lines: Floats) -> tuple[float, float]:
    """The least and the largest finite value, or (NaN, NaN)."""
    finite = np.concatenate([line[np.isfinite(line)].ravel() for line in lines])
    if finite.size == 0:
        return float("nan"), float("nan")
    return float(finite.min()), float(finite.max())


def window(times: Ints, newest_us: int, span_us: int, *, least_us: int = 60_000_000) -> tuple[int, int]:
    """The time window to show: from the oldest time, at most `span_us` and at least `least_us` long."""
    oldest = int(times.min()) if len(times) else newest_us
    width = min(max(newest_us - oldest, least_us), span_us)
    return newest_us - width, newest_us + width // 50


def steps(starts: npt.NDArray[np.datetime64], heights: Floats) -> tuple[npt.NDArray[np.datetime64], Floats]:
    """Bars as the points of a step line, the last one closed so that it has a width too; fresh arrays."""
    if len(starts) == 0:
        return starts.copy(), heights.astype(np.float64)
    width = starts[-1] - starts[-2] if len(starts) > 1 else np.timedelta64(1_000, "ms")
    return np.append(starts, starts[-1] + width), np.append(heights, heights[-1]).astype(np.float64)
