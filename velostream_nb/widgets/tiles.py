"""Small multiples: a grid of little charts under one overlay that holds all their headers and takes the clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from velostream_nb.widgets import plots
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.columns import Floats, Ints, milliseconds
from velostream_nb.widgets.plots import bqplot
from velostream_nb.widgets.ranges import SteadyRange

MAX_SPIKES = 20
VOLUME_SHARE = 0.25
"""Height of the volume band, as a share of the plot."""


@dataclass(frozen=True, slots=True)
class TileData:
    """What one tile shows now.

    Attributes:
        times_us: epoch microseconds, ascending, shape (points,).
        lines: shape (lines, points); the first is drawn solid, a second one dashed.
        volume: shape (points,), or None for a chart without a volume band.
        spikes: (times, heights on the volume scale) of marked volumes.
        revision: a tile of unchanged revision is not sent again.
    """

    times_us: Ints
    lines: Floats
    volume: Floats | None = None
    spikes: tuple[Ints, Floats] | None = None
    revision: object = 0


class Tile:
    """One little chart; its widgets are made once."""

    def __init__(self, time_axis: plots.TimeAxis, color: str, *, volume: bool) -> None:
        self._range = SteadyRange()
        self._volume_range = SteadyRange(loose=0.4)
        self._revision: object = None
        self._spikes = 0
        self._y = bqplot.LinearScale(min=0.0, max=1.0)
        self._yv = bqplot.LinearScale(min=0.0, max=1.0)
        nothing = np.empty(0, dtype="datetime64[ms]")
        x = time_axis.scale
        self.lines = bqplot.Lines(
            x=nothing, y=np.empty(0), scales={"x": x, "y": self._y}, colors=[color, plots.VWAP], stroke_width=1.5
        )
        self.volume = bqplot.Lines(
            x=nothing,
            y=np.empty(0),
            scales={"x": x, "y": self._yv},
            colors=[plots.VOLUME],
            fill="bottom",
            fill_colors=[plots.VOLUME],
            fill_opacities=[0.55],
            interpolation="step-after",
            stroke_width=1,
        )
        self.spikes = bqplot.Scatter(
            x=nothing,
            y=np.empty(0),
            scales={"x": x, "y": self._yv},
            colors=[plots.SPIKE],
            marker="diamond",
            default_size=18,
            enable_move=False,
        )
        self._axis = plots.price_axis(self._y)
        self._with_volume = volume
        marks = [self.volume, self.lines, self.spikes] if volume else [self.lines]
        margin = {"top": 46, "bottom": 20, "left": 8, "right": 50}
        self.figure = plots.figure(marks, [time_axis.axis, self._axis], (x, self._y), margin)
        self.figure.add_class("velo-figure")
        self.figure.add_class("velo-tile-figure")

    def draw(self, data: TileData) -> None:
        """Send what changed since the last draw, each mark in one message."""
        if data.revision == self._revision or len(data.times_us) == 0:
            return
        self._revision = data.revision
        times = milliseconds(data.times_us)
        self._fit(*plots.extremes(data.lines))
        with self.lines.hold_sync():
            self.lines.x = times
            self.lines.y = data.lines if len(data.lines) > 1 else data.lines[0].copy()
        if self._with_volume and data.volume is not None:
            self._draw_volume(times, data.volume, data.spikes)

    def _fit(self, low: float, high: float) -> None:
        if not self._range.update(low, high):
            return
        low, high = self._range.low, self._range.high
        # the volume band lies under the prices, so their scale reaches below them
        under = (high - low) * (VOLUME_SHARE + 0.05) / (1 - VOLUME_SHARE - 0.05) if self._with_volume else 0.0
        with self._y.hold_sync():
            self._y.min, self._y.max = low - under, high
        plots.set_ticks(self._axis, low, high, 3)

    def _draw_volume(self, times: Any, volume: Floats, spikes: tuple[Ints, Floats] | None) -> None:
        if self._volume_range.update(0.0, plots.extremes(volume)[1]):
            with self._yv.hold_sync():
                self._yv.min, self._yv.max = 0.0, self._volume_range.high / VOLUME_SHARE
        with self.volume.hold_sync():
            self.volume.x, self.volume.y = plots.steps(times, volume)
        marks = spikes if spikes is not None else (np.empty(0, dtype=np.int64), np.empty(0))
        if len(marks[0]) == 0 and self._spikes == 0:
            return
        self._spikes = len(marks[0])
        with self.spikes.hold_sync():
            self.spikes.x = milliseconds(marks[0][-MAX_SPIKES:])
            self.spikes.y = marks[1][-MAX_SPIKES:].astype(np.float64)


class TileGrid:
    """Up to `slots` tiles in `columns` columns, one shared time axis, one overlay for all headers."""

    def __init__(
        self,
        *,
        columns: int,
        volume: bool,
        colors: Sequence[str] = (plots.PRICE,),
        on_action: Callable[[str, str], None] | None = None,
        span_us: int = 300_000_000,
    ) -> None:
        self._columns = columns
        self._with_volume = volume
        self._colors = colors
        self._span_us = span_us
        self.time_axis = plots.TimeAxis(ticks=2)
        self.tiles: list[Tile] = []
        self.board = Board("velo-tile-heads", on_action=on_action)
        self.root = ipywidgets.Box([self.board])
        self.root.add_class("velo-tiles")
        self._column_class = ""
        self._set_columns(columns)

    def grow(self, count: int) -> None:
        """Make tiles up to `count`; never fewer, never again."""
        if count <= len(self.tiles):
            return
        for index in range(len(self.tiles), count):
            self.tiles.append(Tile(self.time_axis, self._colors[index % len(self._colors)], volume=self._with_volume))
        self._set_columns(min(self._columns, count))
        self.root.children = [*(tile.figure for tile in self.tiles), self.board]

    def draw(self, heads: str, tiles: Sequence[TileData], newest_us: int | None) -> None:
        """`heads` is the overlay's HTML, one element a tile, in the order of `tiles`."""
        self.grow(len(tiles))
        self.board.html = heads
        if newest_us is not None:
            known = [data.times_us for data in tiles if len(data.times_us)]
            times = np.array([part.min() for part in known], dtype=np.int64)
            self.time_axis.show(*plots.window(times, newest_us, self._span_us))
        for tile, data in zip(self.tiles, tiles, strict=False):
            tile.draw(data)

    def _set_columns(self, columns: int) -> None:
        wanted = f"velo-columns-{columns}"
        if wanted == self._column_class:
            return
        if self._column_class:
            self.root.remove_class(self._column_class)
        self.root.add_class(wanted)
        self._column_class = wanted
