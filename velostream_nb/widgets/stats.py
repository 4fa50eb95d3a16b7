"""Market statistics: one table of all symbols, and a line that sums the market up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from velostream_nb.core.model import SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.market import MarketBook, SymbolState
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree

MAX_ROWS = 50
_COLUMNS = ("symbol", "last", "chg %", "bid", "ask", "bps", "volume", "age")


class MarketStats(Panel):
    """One row a symbol, twice a second; a click on a row puts its symbol in focus."""

    every: ClassVar[int] = 2

    def __init__(self, session: SessionLike, book: MarketBook, *, on_pick: Callable[[str], None]) -> None:
        super().__init__(session)
        self._book = book
        self._on_pick = on_pick
        self.selected = ""
        self.board = Board("velo-card", "velo-stats", on_action=self._act)

    @property
    def root(self) -> Any:
        return self.board

    def draw(self, look: Look) -> None:
        states = [self._book.states[symbol] for symbol in self._book.order[:MAX_ROWS]]
        rows = "".join(self._row(state, look) for state in states)
        heads = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS)
        empty = "" if rows else '<div class="velo-empty">waiting for prices</div>'
        self.board.html = (
            f'<div class="velo-title"><h2>Market</h2>{self._summary(states)}</div>'
            f'<div class="velo-scroll"><table class="velo-table"><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table>{empty}</div>"
        )

    def fault(self, message: str | None) -> None:
        self.board.fault = message or ""

    def close(self) -> None:
        close_tree(self.root)

    def _act(self, act: str, arg: str) -> None:
        if act == "focus":
            self.enqueue(lambda: self._on_pick(arg))

    def _row(self, state: SymbolState, look: Look) -> str:
        name, change, spread = text.escape(state.symbol), state.change, state.spread_bps
        crossed = not text.is_missing(spread) and spread < 0
        note = ' title="crossed: one exchange bids above another&#39;s ask"' if crossed else ""
        age_us = look.now_us - state.arrived_us
        chosen = "selected" if state.symbol == self.selected else ""
        return (
            f'<tr class="{chosen}" data-key="{name}" data-act="focus" data-arg="{name}" tabindex="0">'
            f'<th scope="row">{name}</th><td class="strong">{text.price(state.last)}</td>'
            f'<td class="{text.trend(change)}">{text.arrow(change)} {text.percent(change).rstrip("%")}</td>'
            f"<td>{text.price(state.bid)}</td><td>{text.price(state.ask)}</td>"
            f'<td class="{"crossed" if crossed else ""}"{note}>{"✕" if crossed else ""}{text.fixed(spread, 1)}</td>'
            f'<td>{text.compact(state.volume)}</td><td class="{_age_class(age_us)}">{text.span(age_us)}</td></tr>'
        )

    def _summary(self, states: list[SymbolState]) -> str:
        if not states:
            return ""
        changes = np.array([state.change for state in states])
        up, down = int((changes > 0).sum()), int((changes < 0).sum())
        turnover = sum(state.notional for state in states)
        known = [state for state in states if not text.is_missing(state.change)]
        top = max(known, key=lambda state: abs(state.change), default=None)
        mover = "" if top is None else f"<span>top <b>{text.escape(top.symbol)}</b> {text.percent(top.change)}</span>"
        return (
            f'<span class="velo-summary"><span class="up">▲ {up}</span><span class="down">▼ {down}</span>'
            f"{mover}<span>turnover <b>{text.compact(turnover, unit='$')}</b></span></span>"
        )


def _age_class(age_us: int) -> str:
    return "amber" if age_us > 5_000_000 else "dim"
