"""Threads that share the work of one tick. Between two ticks they sleep, and nothing of a tick outlives it."""

from __future__ import annotations

import os
import threading
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
        at_home: only for the thread that ticks (it calls users' code, which is used to one thread).
        error: what the action raised, if it did.
    """

    action: Callable[[], object]
    cost_us: float
    at_home: bool = False
    error: Exception | None = None

    def do(self) -> None:
        """Run the action."""
        try:
            self.action()
        except Exception as error:  # noqa: BLE001 (whoever gave the task looks at its error; a thread must not end)
            self.error = error


WORTH_US = 400.0
"""Less than this is not worth waking another thread for: it takes a while to wake, and both wait for one another
wherever Python itself is at work."""


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

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all the tasks, the long ones first; returns when all are done. See each one's `error`."""
        helpers = min(self.size, len(tasks)) - 1
        if helpers < 1 or not self._is_worth_it(tasks):
            for task in tasks:
                task.do()
            return
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

    def _is_worth_it(self, tasks: Sequence[Task]) -> bool:
        """Whether sharing saves enough: no more than what is left besides the longest task."""
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
