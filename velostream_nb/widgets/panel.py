"""What the pump drives: a panel takes in records often and writes its widgets seldom."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from velostream_nb.core.model import Frame, JobInfo, SessionLike


@dataclass(frozen=True, slots=True)
class Look:
    """What a panel may want to know when it draws.

    Attributes:
        now_us: the kernel's clock.
        away: why the session cannot be reached, None while it can.
        away_since_us: since when; None while it can be reached.
        rows_per_s: records appended to the followed topics of this session a second, over the last 5 s.
        conflated: updates merged into a later one because the browser was busy or hidden.
        skipped: records left out of frames because only the newest fit.
        interval_us: the pump's present interval; longer than its base while the browser is slow.
        latency_us: from the last write to its paint; None before the first.
    """

    now_us: int
    away: str | None = None
    away_since_us: int | None = None
    rows_per_s: float = 0.0
    conflated: int = 0
    skipped: int = 0
    interval_us: int = 250_000
    latency_us: int | None = None


def _at_once(action: Callable[[], object]) -> None:
    action()


class Panel:
    """Base of everything live on screen. All methods are called by the pump, one at a time.

    Attributes:
        session: where its records come from.
        topics: topics it follows.
        wants_jobs: call `ingest_jobs` once a second?
        every: draw each n-th drawn tick (1 = all of them).
        held: take records in, but draw nothing.
        hurry: draw at the next drawn tick whatever `every` says; the pump resets it.
        enqueue: how callbacks of the browser hand work to the pump; set when the panel is registered.
    """

    topics: Sequence[str] = ()
    wants_jobs: ClassVar[bool] = False
    every: ClassVar[int] = 1

    def __init__(self, session: SessionLike) -> None:
        self.session = session
        self.held = False
        self.hurry = False
        self.enqueue: Callable[[Callable[[], object]], None] = _at_once

    @property
    def root(self) -> Any:
        """The ipywidget to show."""
        raise NotImplementedError

    def ingest(self, frame: Frame, now_us: int, /) -> None:
        """New records of one topic; must not touch widgets. Frames come in order and never twice."""

    def ingest_jobs(self, jobs: Sequence[JobInfo], /) -> None:
        """The session's jobs; must not touch widgets."""

    def draw(self, look: Look, /) -> None:
        """Write the widgets, each inside one ``hold_sync``; called only when the browser is ready for it."""

    def fault(self, message: str | None, /) -> None:
        """Show an error of this panel; None clears it. Data shown so far stay.

        That the session cannot be reached is no error of a panel: see `Look.away`.
        """

    def close(self) -> None:
        """Close its widgets; called once, after the pump let go of it."""
