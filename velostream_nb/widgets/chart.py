"""A live picture of any topic: the shape of its records chooses lines, alerts, tiles or a table."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import pyarrow as pa

from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.widgets import plots, text
from velostream_nb.widgets.alerts_panel import AlertsPanel
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.live import LiveWidget
from velostream_nb.widgets.panel import Look
from velostream_nb.widgets.series import Series, SeriesBook
from velostream_nb.widgets.shape import Shape, infer_shape
from velostream_nb.widgets.table import TableView
from velostream_nb.widgets.tiles import TileData, TileGrid

MAX_SERIES = 8


class LiveChart(LiveWidget):
    """``LiveChart(session, "price_alerts")``: the last expression of a cell, and it moves.

    Args:
        x, y, by: time, value and series column; inferred when not given.
        keep: points a line, at most 1000.
        key: a chart made later under the same key replaces this one; default: this cell.
    """

    def __init__(
        self,
        session: SessionLike,
        topic: str,
        x: str | None = None,
        y: str | None = None,
        by: str | None = None,
        *,
        keep: int = plots.MAX_POINTS,
        key: object = None,
    ) -> None:
        self._wanted = {"x": x, "y": y, "by": by}
        self._keep = max(2, min(keep, 1_000))
        self.shape: Shape | None = None
        self._seen: list[pa.Table] = []
        self._view: _LinesView | _TilesView | TableView | AlertsPanel | None = None
        self._start_us: int | None = None
        self._slot = ipywidgets.VBox([])
        super().__init__(session, topic, key=key)

    @property
    def content(self) -> Any:
        return self._slot

    def ingest(self, frame: Frame, now_us: int) -> None:
        super().ingest(frame, now_us)
        if self._view is None:
            self.shape = infer_shape(frame.rows, total=frame.total, **self._wanted)
            if self.shape is None:
                return
            self._view = self._make(self.shape)
        if isinstance(self._view, AlertsPanel):
            self._view.ingest(frame, now_us)
        elif isinstance(self._view, TableView):
            self._view.ingest(frame)
        else:
            self._view.ingest(frame.rows)

    def draw(self, look: Look) -> None:
        super().draw(look)
        if self._view is None:
            return
        if not self._slot.children:
            self._slot.children = [self._view.root]
        self._view.draw(look)

    def _make(self, shape: Shape) -> _LinesView | _TilesView | TableView | AlertsPanel:
        if shape.kind == "lines":
            return _LinesView(shape, self._keep)
        if shape.kind == "tiles":
            return _TilesView(shape)
        if shape.kind == "alerts":
            panel = AlertsPanel(self.session, self.topics, title=self.topic)
            panel.enqueue = lambda action: self.enqueue(action)
            panel.board.add_class("velo-short")
            return panel
        return TableView()

    def describe(self) -> str:
        if self.shape is None:
            return "no rows yet"
        words = [self.shape.kind]
        if self.shape.y:
            words.append(", ".join(self.shape.y))
        if self.shape.x:
            words.append(f"over {self.shape.x}")
        if self.shape.by:
            words.append(f"by {self.shape.by}")
        return " ".join(words)


class _LinesView:
    """One small chart a series."""

    def __init__(self, shape: Shape, keep: int) -> None:
        self._shape = shape
        self._book = SeriesBook(shape, keep=keep)
        self._shown: list[str] = []
        self.grid = TileGrid(columns=4, volume=False, colors=plots.SERIES, span_us=3_600_000_000 * 24)
        self.grid.root.add_class("velo-chart")

    @property
    def root(self) -> Any:
        return self.grid.root

    def ingest(self, rows: pa.Table) -> None:
        self._book.ingest(rows)
        # series keep their place: a chart must not change its subject while one looks at it
        self._shown += sorted(set(self._book.series) - set(self._shown))[: max(0, MAX_SERIES - len(self._shown))]

    def draw(self, _look: Look) -> None:
        series = [self._book.series[name] for name in self._shown]
        more = len(self._book.series) - len(series)
        heads = "".join(self._head(one, more if one is series[-1] else 0) for one in series)
        tiles = [TileData(s.times_us, s.values[np.newaxis, :], revision=(s.name, s.count)) for s in series]
        self.grid.draw(heads, tiles, self._book.newest_us)

    def _head(self, series: Series, more: int) -> str:
        value = self._shape.y[0]
        finite = series.values[np.isfinite(series.values)]
        last = float(finite[-1]) if finite.size else float("nan")
        change = last - float(finite[0]) if finite.size else 0.0
        hidden = f"{more} more series not shown" if more else f"{text.compact(series.count)} rows"
        return (
            f'<div class="velo-tile plain"><div class="line"><b class="symbol">{text.escape(series.name or value)}</b>'
            f'<span class="last">{text.escape(text.cell(last))}</span></div>'
            f'<div class="line small"><span class="dim">{text.escape(value if series.name else "")} {hidden}</span>'
            f'<span class="{text.trend(change)}">{text.arrow(change)} {text.fixed(change, 2, sign=True)}</span>'
            f"</div></div>"
        )


class _TilesView:
    """One row as big numbers."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._row: dict[str, Any] = {}
        self.board = Board("velo-stat-tiles")

    @property
    def root(self) -> Any:
        return self.board

    def ingest(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._row = rows.slice(rows.num_rows - 1).to_pylist()[0]

    def draw(self, _look: Look) -> None:
        self.board.html = "".join(
            f'<div class="stat"><i>{text.escape(name)}</i><b>{text.escape(text.cell(value))}</b></div>'
            for name, value in self._row.items()
        )


def chart(session: SessionLike, topic: str, x: str | None = None, y: str | None = None, by: str | None = None) -> Any:
    """A `LiveChart`, for those who prefer a verb."""
    return LiveChart(session, topic, x, y, by)
