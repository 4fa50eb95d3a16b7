"""The price tiles of a market: line, running VWAP, volume with its spikes marked, and a header a trader can read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.columns import NO_TIME, Ints, labels, times_us
from velostream_nb.widgets.market import BAR_US, MarketBook, SymbolState
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree
from velostream_nb.widgets.tiles import MAX_SPIKES, TileData, TileGrid

TILE_BARS = 300
PULSE_US = 1_500_000
"""How long a tile's border shows a new spike."""


class PriceTiles(Panel):
    """Eight symbols at a glance.

    Args:
        book: shared with other panels; somebody else feeds it.
        on_pick: called with a symbol when its tile is clicked; runs on the pump.
    """

    def __init__(
        self,
        session: SessionLike,
        book: MarketBook,
        *,
        slots: int = 8,
        spikes_topic: str = "volume_spikes",
        on_pick: Callable[[str], None],
    ) -> None:
        super().__init__(session)
        self.topics = (spikes_topic,)
        self._book = book
        self._slots = slots
        self._on_pick = on_pick
        self._spikes: dict[str, deque[int]] = {}
        self._spiked_us: dict[str, int] = {}
        self._revisions: dict[str, int] = {}
        self.selected = ""
        self.grid = TileGrid(columns=4, volume=True, on_action=self._act)
        self.grid.grow(slots)

    @property
    def root(self) -> object:
        return self.grid.root

    @property
    def shown(self) -> list[str]:
        """The symbols of the tiles, in screen order."""
        return self._book.order[: self._slots]

    def ingest(self, frame: Frame, now_us: int) -> None:
        """Records of volume spikes: remember when, per symbol."""
        codes, names = labels(frame.rows, "symbol")
        for code, time_us in zip(codes.tolist(), times_us(frame.rows).tolist(), strict=True):
            if code < 0 or time_us == NO_TIME:
                continue
            self._spikes.setdefault(names[code], deque(maxlen=MAX_SPIKES)).append(time_us)
            self._spiked_us[names[code]] = now_us
            self._revisions[names[code]] = self._revisions.get(names[code], 0) + 1

    def draw(self, look: Look) -> None:
        shown = self.shown
        heads = [self._head(self._book.states[symbol], index, look) for index, symbol in enumerate(shown)]
        heads += [_empty_head(index) for index in range(len(shown), self._slots)]
        self.grid.draw(
            "".join(heads), [self._tile(self._book.states[symbol]) for symbol in shown], self._book.newest_us
        )

    def fault(self, message: str | None) -> None:
        self.grid.board.fault = message or ""

    def _act(self, act: str, symbol: str) -> None:
        if act == "focus":
            self.enqueue(lambda: self._on_pick(symbol))

    def _tile(self, state: SymbolState) -> TileData:
        bars = state.bars.tail(TILE_BARS)
        lines = np.vstack([bars.close, state.vwap_line()[-len(bars) :]])
        revision = (state.symbol, state.revision, self._revisions.get(state.symbol, 0))
        spikes = self._marks(state.symbol, bars.start_us, bars.volume)
        return TileData(bars.start_us, lines, bars.volume, spikes, revision)

    def _marks(self, symbol: str, starts: Ints, volume: np.ndarray) -> tuple[Ints, np.ndarray] | None:
        """Spikes inside the shown window, each at the middle of its bar and on top of its volume."""
        times = np.fromiter(self._spikes.get(symbol, ()), dtype=np.int64)
        if len(times) == 0 or len(starts) == 0:
            return None
        times = np.unique(times - times % BAR_US)
        at = np.searchsorted(starts, times)
        hit = (at < len(starts)) & (starts[np.minimum(at, len(starts) - 1)] == times)
        return times[hit] + BAR_US // 2, volume[at[hit]]

    def _head(self, state: SymbolState, index: int, look: Look) -> str:
        name, change = text.escape(state.symbol), state.change
        old = look.now_us - state.arrived_us > max(5_000_000, 4 * self._book.gap_us)
        classes = ["velo-tile"]
        classes += ["selected"] if state.symbol == self.selected else []
        classes += ["stale"] if old else []
        spiked = look.now_us - self._spiked_us.get(state.symbol, -PULSE_US) < PULSE_US
        classes += ["spiked"] if spiked else []
        step = text.trend(state.last - state.before)
        # the parity in the name restarts the CSS animation on each tick
        flash = f"flash-{step}-{state.revision % 2}" if step != "flat" else ""
        return (
            f'<div class="{" ".join(classes)}" data-act="focus" data-arg="{name}" tabindex="0" role="button" '
            f'aria-label="{name} {text.price(state.last)}, show in focus chart" title="click or press {index + 1}">'
            f'<div class="line"><b class="symbol">{name}</b>'
            f'<span class="last {flash}">{text.price(state.last)}</span></div>'
            f'<div class="line small"><span class="dim">vol {text.compact(state.volume)}</span>'
            f'<span class="{text.trend(change)}">{text.arrow(change)} {text.percent(change)}</span></div></div>'
        )

    def close(self) -> None:
        close_tree(self.root)


def _empty_head(index: int) -> str:
    return f'<div class="velo-tile empty"><span class="dim">waiting for symbol {index + 1}</span></div>'


def tiles_of(symbols: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Hotkeys 1-8: the action that puts each tile's symbol in focus."""
    return {str(index + 1): ("focus", symbol) for index, symbol in enumerate(symbols[:9])}
