"""The newest rows of a topic as one HTML table."""

from __future__ import annotations

from typing import Any

from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.columns import is_number
from velostream_nb.widgets.live import LiveWidget
from velostream_nb.widgets.panel import Look

SHOWN_ROWS = 20
MAX_ROWS = 50
MAX_COLUMNS = 24


class TableView:
    """Keeps and draws the newest rows, newest on top."""

    def __init__(self, rows: int = SHOWN_ROWS) -> None:
        self._limit = max(1, min(rows, MAX_ROWS))
        self._rows: list[dict[str, Any]] = []
        self._columns: list[tuple[str, bool]] = []
        self._serial = 0
        self._drawn = -1
        self.board = Board("velo-live-table")

    @property
    def root(self) -> Any:
        return self.board

    @property
    def columns(self) -> list[str]:
        return [name for name, _ in self._columns]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The kept rows, newest first."""
        return list(self._rows)

    def ingest(self, frame: Frame) -> None:
        """Take in what is new; rows of a changelog that were replaced or deleted go."""
        rows, gone = frame.rows, frame.deleted
        if rows.num_rows == 0 and (gone is None or gone.num_rows == 0):
            return
        newest = rows.slice(max(0, rows.num_rows - self._limit)).to_pylist()
        if gone is not None:
            self._forget(frame, [*newest, *gone.to_pylist()] if frame.key else gone.to_pylist())
        self._rows = [*reversed(newest), *self._rows][: self._limit]
        if rows.num_rows:
            self._columns = [(str(f.name), is_number(f.type)) for f in rows.schema][:MAX_COLUMNS]
        self._serial += rows.num_rows + (0 if gone is None else gone.num_rows)

    def _forget(self, frame: Frame, gone: list[dict[str, Any]]) -> None:
        """Rows of these keys; of a bag, one row equal to each; of a state of one row, that one."""
        if frame.key:
            keys = {repr([row.get(name) for name in frame.key]) for row in gone}
            self._rows = [row for row in self._rows if repr([row.get(name) for name in frame.key]) not in keys]
        elif frame.changelog == "upsert":
            self._rows = []
        else:
            for row in gone:
                if row in self._rows:
                    self._rows.remove(row)

    def draw(self, _look: Look) -> None:
        if self._drawn == self._serial:
            return
        self._drawn = self._serial
        heads = "".join(f'<th class="{_align(num)}">{text.escape(name)}</th>' for name, num in self._columns)
        body = "".join(
            f'<tr data-key="r{self._serial - index}">'
            + "".join(f'<td class="{_align(n)}">{text.escape(text.cell(row.get(c)))}</td>' for c, n in self._columns)
            + "</tr>"
            for index, row in enumerate(self._rows)
        )
        table = f'<table class="velo-table"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        self.board.html = f'<div class="velo-scroll">{table}</div>' if self._columns else ""


class LiveTable(LiveWidget):
    """``LiveTable(session, "price_alerts")``: the newest rows (at most 50), newest on top.

    Args:
        rows: how many rows are shown.
        key: as for `LiveChart`.
    """

    def __init__(self, session: SessionLike, topic: str, *, rows: int = SHOWN_ROWS, key: object = None) -> None:
        self._view = TableView(rows)
        super().__init__(session, topic, key=key)

    @property
    def content(self) -> Any:
        return self._view.root

    def ingest(self, frame: Frame, now_us: int) -> None:
        super().ingest(frame, now_us)
        self._view.ingest(frame)

    def draw(self, look: Look) -> None:
        super().draw(look)
        self._view.draw(look)

    def describe(self) -> str:
        return f"newest {len(self._view.rows)} rows" if self._view.rows else "no rows yet"

    def __repr__(self) -> str:
        lines = [super().__repr__()]
        columns = self._view.columns
        for row in self._view.rows[:5]:
            lines += ["  " + "  ".join(f"{name}={text.cell(row.get(name))}" for name in columns)]
        return "\n".join(lines)


def _align(number: bool) -> str:
    return "num" if number else "txt"
