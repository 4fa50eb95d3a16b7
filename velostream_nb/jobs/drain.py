"""Waiting until what was produced has been processed, through chains of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.model import JobState
from velostream_nb.jobs.feeds import reached
from velostream_nb.jobs.running import RunningJob
from velostream_nb.jobs.ticker import Ticker

Goal = dict[str, dict[int, int]]
"""Offsets by topic and partition."""


class Drain:
    """One caller's wait. Belongs to the thread that ticks, which calls `advance` after every tick.

    Jobs are looked at level by level: those that read what another job writes stand below it, and what they have to
    reach is fixed when the level above has got there. So producers that go on meanwhile do not make it endless.

    Attributes:
        done: resolved when every level is through; with JobFailedError when a job failed that no drain has told of yet.
    """

    def __init__(self, ticker: Ticker, broker: Broker, *, final: bool) -> None:
        self.done: Future[None] = Future()
        self._ticker = ticker
        self._broker = broker
        self._final = final
        self._levels = ticker.levels()
        self._goal: Goal | None = None

    def advance(self) -> bool:
        """Look whether a level is through; True when the drain is over."""
        while self._levels and not self.done.cancelled():
            level = [job for job in self._levels[0] if job.state is JobState.RUNNING]
            if self._goal is None:
                self._goal = self._broker.ends({t for job in level for t in job.spec.inputs})
            if not all(_is_there(job, self._goal) for job in level):
                return False
            if self._final and level:
                self._ticker.tick(final={job.name for job in level})
            self._levels.pop(0)
            self._goal = None
        self._resolve()
        return True

    def behind(self) -> list[str]:
        """Names of the jobs that are still waited for."""
        return [job.name for level in self._levels for job in level if job.state is JobState.RUNNING]

    def _resolve(self) -> None:
        if self.done.cancelled():
            return
        untold = [job for job in self._ticker.jobs.values() if job.state is JobState.FAILED and not job.said]
        for job in untold:
            job.said = True
        if not untold:
            self.done.set_result(None)
            return
        error = untold[0].error
        assert error is not None, "a failed job keeps its error"
        self.done.set_exception(_tell(untold) if len(untold) > 1 else error)


def _is_there(job: RunningJob, goal: Mapping[str, Mapping[int, int]]) -> bool:
    return not job.withholds and all(
        reached(job.totals.positions.get(topic, {}), goal[topic]) for topic in job.spec.inputs
    )


def _tell(failed: list[RunningJob]) -> JobFailedError:
    messages = "; ".join(job.error.message for job in failed if job.error is not None)
    error = JobFailedError(f"{len(failed)} jobs failed: {messages}", hint="the other jobs went on; see SHOW JOBS")
    error.__cause__ = failed[0].error
    return error
