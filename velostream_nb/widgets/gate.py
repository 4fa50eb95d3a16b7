"""When the kernel may send to the browser: after it has painted what it got, and never faster than it can."""

from __future__ import annotations

ESCAPE_US = 30_000_000
"""A busy cell delays acknowledgements; after this long we send again without one."""
SLOW_US = 200_000
FAST_US = 80_000
FAST_FOR_US = 5_000_000
SLOWEST_US = 2_000_000
RETURNED_US = 5_000_000
"""An acknowledgement later than this comes from a tab that was hidden; it says nothing about speed."""


class AckGate:
    """Flow control towards one kernel's front ends.

    One update is in flight at a time. The interval doubles while acknowledgements take longer than 200 ms (and
    longer than half of it: a browser that is idle most of the time gains nothing from an even lower rate), and is
    halved back, step by step, after each 5 s in which all of them took less than 80 ms (or an eighth of it).
    Called by the pump only.
    """

    def __init__(self, interval_us: int) -> None:
        self.base_us = interval_us
        self.interval_us = interval_us
        self.seq = 0
        self.acked = 0
        self.latency_us: int | None = None
        self._sent_us = 0
        self._fast_since_us: int | None = None

    def ready(self, now_us: int) -> bool:
        """May the pump write to widgets now?"""
        if self.acked >= self.seq:
            return True
        return now_us - self._sent_us >= ESCAPE_US

    def sent(self, now_us: int) -> int:
        """An update has been written; returns the sequence number to send after it."""
        self.seq += 1
        self._sent_us = now_us
        return self.seq

    def acknowledge(self, seq: int, now_us: int) -> None:
        """The browser has painted update `seq`; older and unknown numbers are ignored."""
        if not self.acked < seq <= self.seq:
            return
        self.acked = seq
        if seq == self.seq:
            self._adapt(max(0, now_us - self._sent_us), now_us)

    def _adapt(self, latency_us: int, now_us: int) -> None:
        self.latency_us = latency_us
        if latency_us > RETURNED_US:
            return
        if latency_us > max(SLOW_US, self.interval_us // 2):
            self.interval_us = min(self.interval_us * 2, max(SLOWEST_US, self.base_us))
            self._fast_since_us = None
        elif latency_us >= max(FAST_US, self.interval_us // 8):
            self._fast_since_us = None
        elif self._fast_since_us is None:
            self._fast_since_us = now_us
        elif now_us - self._fast_since_us >= FAST_FOR_US:
            self.interval_us = max(self.base_us, self.interval_us // 2)
            self._fast_since_us = now_us


class Lease:
    """Is anybody looking? A kernel nobody looks at should not work.

    Args:
        linger_us: silence after which a visible page counts as gone.
        hidden_us: the same for a hidden page, whose timers browsers slow down to one a minute.
        first_us: how long after `start` the first beat may take.
    """

    def __init__(
        self, *, linger_us: int = 60_000_000, hidden_us: int = 150_000_000, first_us: int = 120_000_000
    ) -> None:
        self._linger_us = linger_us
        self._hidden_us = hidden_us
        self._first_us = first_us
        self._visible = True
        self._last_us: int | None = None
        self._start_us: int | None = None

    @property
    def seen(self) -> bool:
        """Has any front end ever answered?"""
        return self._last_us is not None

    def start(self, now_us: int) -> None:
        """Something to look at exists from now on; gives a dormant lease a new first period."""
        self._start_us = now_us

    def beat(self, now_us: int, *, visible: bool | None = None) -> None:
        """A front end is alive; `visible` None leaves what was known."""
        self._last_us = now_us
        if visible is not None:
            self._visible = visible

    def expired(self, now_us: int) -> bool:
        starts = [] if self._start_us is None else [self._start_us + self._first_us]
        if self._last_us is not None:
            starts.append(self._last_us + (self._linger_us if self._visible else self._hidden_us))
        return bool(starts) and now_us > max(starts)
