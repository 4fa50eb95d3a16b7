"""The trading dashboard: eight symbols, alerts, a focus chart, the market's statistics, the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets

from velostream_nb.core.model import SessionLike
from velostream_nb.widgets.alerts_panel import AlertsPanel
from velostream_nb.widgets.focus import FocusChart
from velostream_nb.widgets.header import HeaderBar
from velostream_nb.widgets.jobs_strip import JobsStrip
from velostream_nb.widgets.live import cell_key
from velostream_nb.widgets.market import MarketBook
from velostream_nb.widgets.panel import Look
from velostream_nb.widgets.price_tiles import PriceTiles
from velostream_nb.widgets.pulse import close_tree
from velostream_nb.widgets.pump import UiPump, ui_pump
from velostream_nb.widgets.stats import MarketStats

ALERT_TOPICS = (
    "price_alerts",
    "volume_spikes",
    "risk_alerts",
    "order_imbalance_alerts",
    "arbitrage_opportunities",
)


class TradingDashboard:
    """``TradingDashboard(session)`` as the last line of a cell; the same in JupyterLab and in Voila.

    Args:
        session: local or remote; only looked at, never changed.
        symbols: which ones get the tiles, in this order; default: those that trade, the well-known first.
        prices, alerts: the topics to follow.
        pump: only for tests.
    """

    def __init__(
        self,
        session: SessionLike,
        *,
        symbols: Sequence[str] = (),
        prices: str = "market_data",
        alerts: Sequence[str] = ALERT_TOPICS,
        title: str = "Trading desk",
        pump: UiPump | None = None,
    ) -> None:
        self._pump = pump or ui_pump()
        self._away = False
        book = MarketBook(symbols)
        self.header = HeaderBar(session, book, prices_topic=prices, title=title)
        self.header.on_draw, self.header.on_pause, self.header.on_pick = self._before_header, self._pause, self._pick
        self.tiles = PriceTiles(session, book, on_pick=self._pick)
        self.alerts = AlertsPanel(session, alerts, on_pick=self._pick)
        self.focus = FocusChart(session, book, alert_topics=tuple(alerts), on_pick=self._pick)
        self.stats = MarketStats(session, book, on_pick=self._pick)
        self.jobs = JobsStrip(session)
        # the header comes first: it feeds the book that the others draw from
        self._panels = (self.header, self.alerts, self.tiles, self.focus, self.stats, self.jobs)
        self._root = self._compose()
        key = cell_key("TradingDashboard")
        for panel in self._panels:
            self._pump.register(panel, key=None if key is None else (key, type(panel).__name__))
        # what the first draw put into focus marks tile and row too
        self._pump.command(self._mark, panel=self.header)

    @property
    def root(self) -> Any:
        """The widget that holds everything."""
        return self._root

    def close(self) -> None:
        """Take it off the screen and free its widgets; jobs go on."""
        for panel in self._panels:
            self._pump.unregister(panel)
        close_tree(self._root)

    def _compose(self) -> Any:
        areas = ("header", "alerts", "tiles", "focus", "stats", "jobs")
        boxes = []
        for panel, area in zip(self._panels, areas, strict=True):
            box = ipywidgets.Box([panel.root])
            box.add_class("velo-area")
            box.add_class(f"velo-area-{area}")
            boxes.append(box)
        root = ipywidgets.Box([*boxes, self._pump.pulse])
        root.add_class("velo-dash")
        return root

    def _before_header(self, look: Look) -> None:
        """What only the whole knows and the bar on top shows."""
        self.header.unread = self.alerts.log.unread
        self.header.board.hotkeys = {
            str(index + 1): ["focus", symbol] for index, symbol in enumerate(self.tiles.shown[:9])
        }
        away = look.away is not None
        if away != self._away:
            self._away = away
            (self._root.add_class if away else self._root.remove_class)("velo-away")

    def _pause(self, paused: bool) -> None:
        """Hold everything but the bar that says so; records keep coming in."""
        self.header.paused = paused
        for panel in self._panels[1:]:
            panel.held = paused
        (self._root.add_class if paused else self._root.remove_class)("velo-paused")

    def _pick(self, symbol: str) -> None:
        self.focus.select(symbol)
        self._mark()

    def _mark(self) -> None:
        self.tiles.selected = self.stats.selected = self.focus.symbol
        self.tiles.hurry = self.stats.hurry = self.focus.hurry = True

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = self._root._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**(data or {}), "text/plain": repr(self)}

    def __repr__(self) -> str:
        shown = ", ".join(self.tiles.shown) or "no prices yet"
        return f"TradingDashboard({shown}; {self.alerts.log.total} alerts, {self.alerts.log.unread} new)"
