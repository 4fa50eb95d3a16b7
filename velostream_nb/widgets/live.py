"""What a live object in a cell has in common: a header with its state, a pulse, text for those without a browser."""

from __future__ import annotations

from typing import Any

import ipywidgets
from IPython import get_ipython

from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree
from velostream_nb.widgets.pump import UiPump, ui_pump

QUIET_US = 5_000_000


class LiveWidget(Panel):
    """A panel that shows itself as the result of a cell.

    Args:
        topic: the topic it follows.
        key: a widget made later under the same key replaces this one; default: this class in this cell.
        pump: only for tests.
    """

    def __init__(self, session: SessionLike, topic: str, *, key: object = None, pump: UiPump | None = None) -> None:
        super().__init__(session)
        self.topic = topic
        self.topics = (topic,)
        self.rows = 0
        self.total = 0
        self._arrived_us: int | None = None
        self._made_us: int | None = None
        self._pump = pump or ui_pump()
        self.board = Board("velo-live-head", on_action=self._act)
        self._root = ipywidgets.VBox([self.board, self.content, self._pump.pulse])
        self._root.add_class("velo-live")
        self._pump.register(self, key=key if key is not None else cell_key(type(self).__name__, topic))

    @property
    def root(self) -> Any:
        return self._root

    @property
    def content(self) -> Any:
        """The widget under the header."""
        raise NotImplementedError

    def describe(self) -> str:
        """What is shown, in a few words."""
        raise NotImplementedError

    def ingest(self, frame: Frame, now_us: int) -> None:
        self.rows += frame.rows.num_rows
        self.total = max(self.total, frame.total)
        if frame.rows.num_rows:
            self._arrived_us = now_us

    def draw(self, look: Look) -> None:
        self._made_us = self._made_us or look.now_us
        self.board.html = self._head(look)

    def fault(self, message: str | None) -> None:
        self.board.fault = message or ""

    def stop(self) -> None:
        """Take it off the screen and forget it; jobs go on."""
        self._pump.unregister(self)

    def close(self) -> None:
        close_tree(self.root)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = self._root._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**(data or {}), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.topic!r}: {self.describe()}, {self.total} rows)"

    def _act(self, act: str, arg: str) -> None:
        """Nothing to click by default."""

    def _head(self, look: Look) -> str:
        if look.away is not None:
            state, why = "stale", f"server away for {text.span(look.now_us - (look.away_since_us or look.now_us))}"
        elif self._arrived_us is None:
            waited = look.now_us - (self._made_us or look.now_us)
            hint = " – %velo jobs shows whether its job gets any" if waited > QUIET_US else ""
            state, why = "waiting", f"waiting for rows in {self.topic}{hint}"
        else:
            state, why = "live", f"newest row {text.span(look.now_us - self._arrived_us)} ago"
        shape = {"live": "●", "stale": "◌", "waiting": "○"}[state]
        return (
            f'<div class="velo-live-line"><span class="state {state}">{shape}</span><b>{text.escape(self.topic)}</b>'
            f'<span class="dim">{text.escape(self.describe())}</span><span class="dim">{text.escape(why)}</span>'
            f'<span class="dim right">{text.compact(self.total)} rows</span></div>'
        )


def cell_key(*parts: str) -> object:
    """Names the running cell, so that running it again replaces what it showed; None outside a notebook."""
    shell = get_ipython()  # type: ignore[no-untyped-call,unused-ignore]
    parent: Any = getattr(shell, "get_parent", dict)() if shell is not None else {}
    cell_id = parent.get("metadata", {}).get("cellId")
    return None if cell_id is None else (cell_id, *parts)
