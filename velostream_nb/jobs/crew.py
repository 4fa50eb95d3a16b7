"""Threads that share the work of one tick. Between two ticks they sleep, and nothing of a tick outlives it."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from velostream_nb.core.errors import ConfigError


@dataclass(slots=True)
class Task:
    """One piece of a tick's work; it touches nothing that another piece does.

    Attributes:
        action: what to do. It catches what it expects, and keeps its own result.
        cost_us: how long it probably takes.
        rows: how many it is about.
        at_home: only for the thread that ticks (it calls users' code, which is used to one thread).
        error: what the action raised, if it did.
    """

    action: Callable[[], object]
    cost_us: float
    rows: int = 0
    at_home: bool = False
    error: Exception | None = None

    def do(self) -> None:
        """Run the action."""
        try:
            self.action()
        except Exception as error:  # noqa: BLE001 (whoever gave the task looks at its error; a thread must not end)
            self.error = error


WORTH_US = 1_000.0
"""Nobody tries to save less than this by waking another thread."""
TRY_EVERY = 64
"""After so many ticks of one size, the way that was slower is tried again."""
_RECENT = 0.25
"""How much the newest tick counts in what a way is said to take."""


@dataclass(slots=True)
class Pace:
    """How long ticks of about one size take, alone and shared, in microseconds a row; None: not tried yet.

    Whether it pays to share is measured, because it depends on how much of the work is Python's: there, threads only
    wait for one another. A thousand rows shared may take twice as long as alone, where fifty thousand take half.
    """

    alone_us: float | None = None
    shared_us: float | None = None
    ticks: int = 0

    def shares(self) -> bool:
        """The way that the next tick goes: each once, then the faster one, and now and then the other."""
        self.ticks += 1
        if self.shared_us is None or self.alone_us is None:
            return self.shared_us is None
        return (self.shared_us < self.alone_us) != (self.ticks % TRY_EVERY == 0)

    def note(self, us_a_row: float, *, shared: bool) -> None:
        """Learn from a tick."""
        before = self.shared_us if shared else self.alone_us
        now = us_a_row if before is None else before + _RECENT * (us_a_row - before)
        if shared:
            self.shared_us = now
        else:
            self.alone_us = now


def threads_or_default(threads: int | None) -> int:
    """How many threads to use: as asked, or one for each core that the process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise ConfigError(f"there must be at least one thread, got {threads}", hint="threads=1 works in one thread")
    return threads


class Crew:
    """The thread that ticks and `size` - 1 others, hired with the first work that is worth it. Belongs to that thread.

    The others are daemons, as the engine's own thread is: that may be in the midst of a tick when the interpreter ends.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._hired = 0
        self._paces: dict[int, Pace] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all the tasks; returns when all are done. See each one's `error`."""
        if not self._may_save(tasks):
            _drain(deque(tasks))
            return
        rows = max(1, sum(task.rows for task in tasks))
        pace = self._paces.setdefault(rows.bit_length(), Pace())
        shared, began_ns = pace.shares(), time.perf_counter_ns()
        if shared:
            self._share(tasks)
        else:
            _drain(deque(tasks))
        pace.note((time.perf_counter_ns() - began_ns) / 1_000 / rows, shared=shared)

    def _share(self, tasks: Sequence[Task]) -> None:
        """The long tasks first, so that all are ready at about the same time."""
        helpers = min(self.size, len(tasks)) - 1
        ordered = sorted(tasks, key=lambda task: -task.cost_us)
        pending = deque(task for task in ordered if not task.at_home)
        done = threading.Semaphore(0)

        def help_out() -> None:
            _drain(pending)
            done.release()

        self._hire(helpers)
        for _ in range(helpers):
            self._calls.put(help_out)
        try:
            for task in ordered:
                if task.at_home:
                    task.do()
            _drain(pending)
        finally:  # interrupted, too: nobody may be at work on what its owner then takes apart
            pending.clear()
            for _ in range(helpers):
                done.acquire()

    def close(self) -> None:
        """Let the others go. Safe to call twice; the next work hires again."""
        for _ in range(self._hired):
            self._calls.put(None)
        self._hired = 0

    def _may_save(self, tasks: Sequence[Task]) -> bool:
        """Whether sharing could save enough if threads never waited for one another."""
        if self.size < 2 or len(tasks) < 2:
            return False
        costs = [task.cost_us for task in tasks]
        total = sum(costs)
        home = sum(task.cost_us for task in tasks if task.at_home)
        return total - max(*costs, home, total / self.size) > WORTH_US

    def _hire(self, wanted: int) -> None:
        while self._hired < wanted:
            self._hired += 1
            threading.Thread(target=self._work, name=f"velo-crew-{self._hired}", daemon=True).start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _drain(pending: deque[Task]) -> None:
    while True:
        try:
            task = pending.popleft()
        except IndexError:
            return
        task.do()
