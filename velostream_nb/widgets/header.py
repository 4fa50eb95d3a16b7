"""The bar on top: is what I see alive, how old is it, and what was left out?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from velostream_nb.core.model import Frame, JobInfo, JobState, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.market import MarketBook
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree

_SHAPES = {"LIVE": "●", "STALE": "◌", "PAUSED": "❚❚", "FAILED": "✖", "WAITING": "○"}


class HeaderBar(Panel):
    """State, event clock, lag, throughput, late and skipped records; feeds the book that others draw from.

    Attributes:
        on_draw: called before each draw; on_pause, on_pick: called when the button or a hotkey is used. All on the
            pump.
    """

    wants_jobs: ClassVar[bool] = True
    on_draw: Callable[[Look], None] = staticmethod(lambda _look: None)
    on_pause: Callable[[bool], None] = staticmethod(lambda _paused: None)
    on_pick: Callable[[str], None] = staticmethod(lambda _symbol: None)

    def __init__(self, session: SessionLike, book: MarketBook, *, prices_topic: str, title: str) -> None:
        super().__init__(session)
        self.topics = (prices_topic,)
        self.paused = False
        self.jobs: Sequence[JobInfo] = ()
        self.unread = 0
        self._book = book
        self._title = title
        self.board = Board("velo-header", on_action=self._act)

    @property
    def root(self) -> Any:
        return self.board

    def ingest(self, frame: Frame, now_us: int) -> None:
        self._book.ingest(frame.rows, now_us)

    def ingest_jobs(self, jobs: Sequence[JobInfo]) -> None:
        self.jobs = jobs

    def state(self, look: Look) -> tuple[str, str]:
        """One of LIVE, STALE, PAUSED, FAILED, WAITING, and why in words ('' when it needs none)."""
        if look.away is not None:
            since = text.span(look.now_us - (look.away_since_us or look.now_us))
            return "STALE", f"server away for {since}: {look.away}"
        failed = [job for job in self.jobs if job.state is JobState.FAILED]
        if failed:
            return "FAILED", f"{failed[0].name}: {failed[0].error or 'stopped by an error'}"
        if self.paused:
            return "PAUSED", "the view is paused, the jobs go on"
        if self._book.arrived_us is None:
            return "WAITING", f"no records in {self.topics[0]} yet"
        if self._book.stale(look.now_us):
            return "STALE", f"nothing new for {text.span(look.now_us - self._book.arrived_us)}"
        return "LIVE", ""

    def draw(self, look: Look) -> None:
        self.on_draw(look)
        word, why = self.state(look)
        book = self._book
        lag_us = None if book.newest_us is None else look.now_us - book.newest_us
        late = sum(job.late for job in self.jobs)
        failed = sum(job.failed for job in self.jobs)
        note = f'<span class="velo-why" title="{text.escape(why)}">{text.escape(why)}</span>' if why else ""
        pause = "▶ Resume view" if self.paused else "❚❚ Pause view"
        figures = (
            ("event time", text.clock(book.newest_us, tenths=True) + " UTC", "of the newest price"),
            ("lag", _lag(lag_us), "this computer's clock minus event time"),
            ("rows/s", text.compact(look.rows_per_s), "appended to the topics shown here"),
            ("late", text.compact(late), "records behind the watermark, all jobs"),
            ("rejected", text.compact(failed), "records in dead-letter topics, all jobs"),
            ("ui skipped", f"{text.compact(look.conflated)}", _skip_note(look)),
        )
        cells = "".join(
            f'<span class="figure" title="{text.escape(tip)}"><i>{name}</i><b>{text.escape(value)}</b></span>'
            for name, value, tip in figures
        )
        self.board.html = (
            f'<span class="brand">VELO</span><span class="name">{text.escape(self._title)}</span>'
            f'<span class="state {word.lower()}" role="status">{_SHAPES[word]} {word}</span>{note}'
            f'<span class="figures">{cells}</span>'
            f'<button data-act="pause" class="{"on amber" if self.paused else ""}">{pause}</button>'
        )
        unread = f"({self.unread}) " if self.unread else ""
        self.board.title = f"{unread}{word} · {self._title}"

    def fault(self, _message: str | None) -> None:
        # the state pill already says it when the session is away
        self.board.fault = ""

    def close(self) -> None:
        close_tree(self.root)

    def _act(self, act: str, arg: str) -> None:
        if act == "pause":
            self.enqueue(lambda: self.on_pause(not self.paused))
        elif act == "focus":
            self.enqueue(lambda: self.on_pick(arg))


def _lag(lag_us: int | None) -> str:
    if lag_us is not None and lag_us < -1_000_000:
        return f"ahead {text.span(-lag_us)}"
    return text.span(None if lag_us is None else max(0, lag_us))


def _skip_note(look: Look) -> str:
    latency = text.DASH if look.latency_us is None else f"{look.latency_us / 1000:.0f} ms"
    rate = 1_000_000 / look.interval_us
    return f"updates merged for this browser; {look.skipped} rows not shown; paint {latency}, {rate:.1f} updates/s"
