"""What the jobs of a demo did, counted while they run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from velostream_nb.core.errors import JobError
from velostream_nb.core.model import JobInfo, SessionLike

DRAIN_TIMEOUT_S = 10.0


class Tally:
    """Counts output rows once a second, per topic and in all.

    Args:
        speed: event seconds per second; rates are per second of the market's time.
    """

    def __init__(self, session: SessionLike, *, speed: float) -> None:
        self._session = session
        self._speed = speed
        self._topics: tuple[str, ...] = ()
        self._began_s = self._looked_s = time.monotonic()
        self._rows: dict[str, int] = {}
        self._rates: dict[str, list[float]] = {}
        self._jobs: list[JobInfo] = []
        self._drained = True

    def watch(self, topics: Sequence[str]) -> None:
        """Begin to count these."""
        self._topics = tuple(topics)
        self._began_s = self._looked_s = time.monotonic()
        self._rows = self._count()
        self._rates = {topic: [] for topic in topics}

    def look(self) -> None:
        """Note what has come since the last look."""
        now_s, rows = time.monotonic(), self._count()
        passed_s = (now_s - self._looked_s) * self._speed
        for topic, rates in self._rates.items():
            rates.append((rows[topic] - self._rows[topic]) / passed_s)
        self._looked_s, self._rows = now_s, rows

    def finish(self) -> None:
        """Let the jobs come to the end of what is in, and keep their last numbers."""
        try:
            self._session.drain(timeout=DRAIN_TIMEOUT_S)
        except JobError:  # a job failed or is behind: its state and error are in the summary
            self._drained = False
        self._rows = self._count()
        self._jobs = self._session.jobs()

    def rows(self) -> dict[str, int]:
        """Rows ever written, by topic."""
        return dict(self._rows)

    def summary(self) -> dict[str, Any]:
        """Numbers of the whole time, ready for JSON."""
        totals = [sum(each) for each in zip(*self._rates.values(), strict=True)]
        return {
            "seconds": round(time.monotonic() - self._began_s, 3),
            "drained": self._drained,
            "topics": self.rows(),
            "alerts_per_second": {
                "median": _median(totals),
                "max": round(max(totals, default=0.0), 3),
                "median_by_topic": {topic: _median(rates) for topic, rates in self._rates.items()},
            },
            "jobs": [_job(info) for info in self._jobs],
        }

    def _count(self) -> dict[str, int]:
        found = {info.name: info.latest for info in self._session.topics()}
        return {topic: found.get(topic, 0) for topic in self._topics}


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 3) if values else 0.0


def _job(info: JobInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "state": info.state.value,
        "inputs": list(info.inputs),
        "output": info.output,
        "rows_in": info.rows_in,
        "rows_out": info.rows_out,
        "late": info.late,
        "failed": info.failed,
        "error": info.error,
    }
