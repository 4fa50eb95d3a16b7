"""Rows a second over the last few seconds."""

from __future__ import annotations

import threading
from collections import deque

RATE_WINDOW_US = 5_000_000
"""A job's rate is its input rows over so long."""


class RateMeter:
    """Rows a second over the last `RATE_WINDOW_US`. Fed by the engine's thread, read by any."""

    def __init__(self, began_us: int) -> None:
        self._began_us = began_us
        self._counts: deque[tuple[int, int]] = deque()
        self._lock = threading.Lock()

    def count(self, now_us: int, rows: int) -> None:
        with self._lock:
            self._counts.append((now_us, rows))
            self._forget(now_us)

    def rate(self, now_us: int) -> float:
        with self._lock:
            self._forget(now_us)
            span_us = min(RATE_WINDOW_US, max(now_us - self._began_us, 1_000_000))
            return sum(rows for _, rows in self._counts) * 1_000_000 / span_us

    def _forget(self, now_us: int) -> None:
        while self._counts and self._counts[0][0] <= now_us - RATE_WINDOW_US:
            self._counts.popleft()
