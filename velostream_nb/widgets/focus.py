"""The focus chart: candles of one symbol with volume, VWAP, the last price at the axis and alerts marked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

import ipywidgets
import numpy as np

from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.widgets import plots, text
from velostream_nb.widgets.bars import Bars, resample
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.columns import NO_TIME, labels, milliseconds, times_us
from velostream_nb.widgets.market import BAR_US, KEEP_BARS, MarketBook, SymbolState
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.plots import bqplot
from velostream_nb.widgets.pulse import close_tree
from velostream_nb.widgets.ranges import SteadyRange

MAX_CANDLES = 120
SIZES = {"5s": 5, "15s": 15, "1m": 60}
_MARGIN = {"top": 40, "bottom": 22, "left": 10, "right": 58}
_VOLUME_SHARE = 0.2


class FocusChart(Panel):
    """Candles of the selected symbol at half the pump's rate; drag to pan, then 'Follow' to return to live."""

    every: ClassVar[int] = 2

    def __init__(
        self, session: SessionLike, book: MarketBook, *, alert_topics: tuple[str, ...], on_pick: Callable[[str], None]
    ) -> None:
        super().__init__(session)
        self.topics = alert_topics
        self.symbol = ""
        self.follow = True
        self.size = "5s"
        self._book = book
        self._on_pick = on_pick
        self._alerts: dict[str, deque[int]] = {}
        self._drawn: object = None
        self._range = SteadyRange()
        self._volume_range = SteadyRange(loose=0.4)
        self._make_marks()
        self.board = Board("velo-focus-head", on_action=self._act)
        self.figure = self._make_figure()
        self._root = ipywidgets.Box([self.figure, self.board])
        self._root.add_class("velo-focus")

    @property
    def root(self) -> Any:
        return self._root

    def select(self, symbol: str) -> None:
        """Show another symbol; its ranges fit anew."""
        if symbol != self.symbol and symbol in self._book.states:
            self.symbol = symbol
            self._refit()

    def ingest(self, frame: Frame, _now_us: int) -> None:
        """Alert records: remember when, per symbol."""
        codes, names = labels(frame.rows, "symbol")
        for code, time_us in zip(codes.tolist(), times_us(frame.rows).tolist(), strict=True):
            if code >= 0 and time_us != NO_TIME:
                self._alerts.setdefault(names[code], deque(maxlen=20)).append(time_us)

    def draw(self, _look: Look) -> None:
        if not self.symbol and self._book.order:
            self.select(self._book.order[0])
            self._on_pick(self.symbol)
        state = self._book.states.get(self.symbol)
        if state is None:
            self.board.html = '<div class="velo-empty">waiting for prices</div>'
            return
        size_us = SIZES[self.size] * 1_000_000
        candles = resample(state.bars, size_us).tail(MAX_CANDLES)
        version = (self.symbol, self.size, state.revision, len(self._alerts.get(self.symbol, ())), self.follow)
        if version != self._drawn:
            self._drawn = version
            self._draw_marks(state, candles, size_us)
        self.board.html = self._head(state, candles)

    def fault(self, message: str | None) -> None:
        self.board.fault = message or ""

    def close(self) -> None:
        close_tree(self.root)

    def _make_marks(self) -> None:
        self.time_axis = plots.TimeAxis(ticks=7)
        self._x = self.time_axis.scale
        self._y = bqplot.LinearScale(min=0.0, max=1.0)
        self._yv = bqplot.LinearScale(min=0.0, max=1.0)
        prices, nothing = {"x": self._x, "y": self._y}, np.empty(0, dtype="datetime64[ms]")
        self._candles = bqplot.OHLC(
            x=nothing,
            y=np.empty((0, 4)),
            scales=prices,
            format="ohlc",
            marker="candle",
            stroke="#8a97b0",
            colors=[plots.UP, plots.DOWN],
            stroke_width=1.0,
        )
        self._vwap = bqplot.Lines(
            x=nothing, y=np.empty(0), scales=prices, colors=[plots.VWAP], stroke_width=1.5, line_style="dashed"
        )
        self._last = bqplot.Lines(
            x=nothing, y=np.empty(0), scales=prices, colors=[plots.PRICE], stroke_width=1.0, line_style="dotted"
        )
        self._marked = bqplot.Scatter(
            x=nothing, y=np.empty(0), scales=prices, colors=[plots.SPIKE], marker="triangle-down", default_size=48
        )
        self._volume = bqplot.Lines(
            x=nothing,
            y=np.empty(0),
            scales={"x": self._x, "y": self._yv},
            colors=[plots.VOLUME],
            fill="bottom",
            fill_colors=[plots.VOLUME],
            fill_opacities=[0.55],
            interpolation="step-after",
            stroke_width=1,
        )

    def _make_figure(self) -> Any:
        self._axis = plots.price_axis(self._y)
        marks = [self._volume, self._candles, self._vwap, self._last, self._marked]
        figure = plots.figure(marks, [self.time_axis.axis, self._axis], (self._x, self._y), _MARGIN)
        figure.add_class("velo-figure")
        figure.interaction = bqplot.PanZoom(scales={"x": [self._x]})
        self._x.observe(self._on_pan, names=["min", "max"])
        return figure

    def _on_pan(self, change: Any) -> None:
        """Limits the pump did not write come from the reader's mouse: stop following."""
        limits = self.time_axis.limits
        ours = () if limits is None else (plots.date(limits[0]), plots.date(limits[1]))
        if change["new"] is not None and change["new"] not in ours and self.follow:
            self.enqueue(self._unfollow)

    def _unfollow(self) -> None:
        self.follow, self.hurry = False, True

    def _act(self, act: str, arg: str) -> None:
        if act == "follow":
            self.enqueue(self._follow)
        elif act == "size" and arg in SIZES:
            self.enqueue(lambda: self._set_size(arg))

    def _follow(self) -> None:
        self.follow = self.hurry = True
        self.time_axis.forget()

    def _set_size(self, size: str) -> None:
        self.size = size
        self._refit()

    def _refit(self) -> None:
        self._range.reset()
        self._volume_range.reset()
        self._follow()

    def _draw_marks(self, state: SymbolState, candles: Bars, size_us: int) -> None:
        middle = milliseconds(candles.start_us + size_us // 2)
        vwap = state.vwap_line()
        at = np.searchsorted(state.bars.start_us, candles.start_us + size_us) - 1
        vwap_at = vwap[np.clip(at, 0, len(vwap) - 1)]
        low, high = plots.extremes(candles.low, candles.high, vwap_at)
        self._fit(low, high, plots.extremes(candles.volume)[1])
        if self.follow and self._book.newest_us is not None:
            span_us = min(MAX_CANDLES * size_us, KEEP_BARS * BAR_US)
            oldest = int(candles.start_us[0])
            end = int(candles.start_us[-1]) + 2 * size_us
            self.time_axis.show(max(end - span_us, min(oldest - size_us, end - 24 * size_us)), end)
        with self._candles.hold_sync():
            self._candles.x = middle
            self._candles.y = np.column_stack([candles.open, candles.high, candles.low, candles.close])
        with self._vwap.hold_sync():
            self._vwap.x, self._vwap.y = middle.copy(), vwap_at
        with self._volume.hold_sync():
            self._volume.x, self._volume.y = plots.steps(milliseconds(candles.start_us), candles.volume)
        self._draw_last(state, candles)
        self._draw_alerts(candles, size_us)

    def _draw_last(self, state: SymbolState, candles: Bars) -> None:
        ends = np.array([candles.start_us[0] - 3600_000_000, candles.start_us[-1] + 3600_000_000], dtype=np.int64)
        with self._last.hold_sync():
            self._last.x, self._last.y = milliseconds(ends), np.full(2, state.last)

    def _draw_alerts(self, candles: Bars, size_us: int) -> None:
        times = np.fromiter(self._alerts.get(self.symbol, ()), dtype=np.int64)
        starts = np.unique(times - times % size_us)
        at = np.searchsorted(candles.start_us, starts)
        hit = at < len(candles)
        hit[hit] = candles.start_us[at[hit]] == starts[hit]
        over = (self._range.high - self._range.low) * 0.03
        with self._marked.hold_sync():
            self._marked.x = milliseconds(starts[hit] + size_us // 2)
            self._marked.y = candles.high[at[hit]] + over

    def _fit(self, low: float, high: float, volume: float) -> None:
        if self._volume_range.update(0.0, volume):
            with self._yv.hold_sync():
                self._yv.min, self._yv.max = 0.0, self._volume_range.high / _VOLUME_SHARE
        if not self._range.update(low, high):
            return
        low, high = self._range.low, self._range.high
        share = _VOLUME_SHARE + 0.04
        with self._y.hold_sync():
            self._y.min, self._y.max = low - (high - low) * share / (1 - share), high
        plots.set_ticks(self._axis, low, high, 4)

    def _head(self, state: SymbolState, candles: Bars) -> str:
        change = state.change
        since = datetime.fromtimestamp(state.first_us // 1_000_000, tz=UTC).strftime("%H:%M:%S")
        newest = {name: float(getattr(candles, name)[-1]) for name in ("open", "high", "low", "close", "volume")}
        ohlc = " ".join(
            f"<span><i>{name[0].upper()}</i> {text.price(newest[name])}</span>" for name in list(newest)[:4]
        )
        sizes = "".join(
            f'<button data-act="size" data-arg="{name}" class="{"on" if name == self.size else ""}" '
            f'aria-pressed="{str(name == self.size).lower()}">{name}</button>'
            for name in SIZES
        )
        follow = "" if self.follow else '<button class="on amber" data-act="follow">⟳ Follow</button>'
        return (
            f'<div class="velo-focus-line"><b class="symbol">{text.escape(state.symbol)}</b>'
            f'<span class="last">{text.price(state.last)}</span>'
            f'<span class="{text.trend(change)}" title="since {since}">{text.arrow(change)} '
            f"{text.percent(change)}</span>"
            f'<span class="velo-ohlc">{ohlc} <span><i>Vol</i> {text.compact(newest["volume"])}</span>'
            f'<span class="vwap"><i>VWAP</i> {text.price(state.vwap)}</span></span>'
            f'<span class="velo-buttons">{follow}{sizes}</span></div>{self._last_label(state)}'
        )

    def _last_label(self, state: SymbolState) -> str:
        """The last price at the right axis, placed by the scale we own."""
        low, high = float(self._y.min), float(self._y.max)
        share = min(1.0, max(0.0, (high - state.last) / (high - low))) if high > low else 0.5
        room = _MARGIN["top"] + _MARGIN["bottom"]
        top = f"calc({_MARGIN['top']}px + (100% - {room}px) * {share:.4f})"
        return f'<div class="velo-last-label" style="top:{top}">{text.price(state.last)}</div>'
