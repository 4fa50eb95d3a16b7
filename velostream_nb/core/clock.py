"""The clock is an argument: production passes `SystemClock`, tests pass `ManualClock`."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time and waiting, in integer microseconds."""

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""

    def sleep_us(self, duration_us: int) -> None:
        """Return after `duration_us` of this clock's time."""


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def sleep_us(self, duration_us: int) -> None:
        if duration_us > 0:
            time.sleep(duration_us / 1_000_000)


class ManualClock:
    """A clock that moves only when told to; `sleep_us` moves it and returns at once."""

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us
        self._lock = threading.Lock()

    def now_us(self) -> int:
        with self._lock:
            return self._now_us

    def sleep_us(self, duration_us: int) -> None:
        self.advance_us(max(0, duration_us))

    def advance_us(self, duration_us: int) -> None:
        """Move forward; a negative duration is refused because time never runs back."""
        if duration_us < 0:
            raise ValueError(f"a clock cannot run back (got {duration_us} µs)")
        with self._lock:
            self._now_us += duration_us
