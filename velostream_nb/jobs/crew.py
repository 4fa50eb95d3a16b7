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

WORTH_US = 1_000.0
"""Nobody tries to save less than this by waking another thread."""
GUESS_US = 0.5
"""What a row takes, as long as nothing is known of its like."""
GAIN = 0.95
"""Work is shared where it takes less than this part of what it takes alone."""
MOST_PAUSE = 64
"""After at most so many turns alone, sharing is tried again."""
_CALM = 16
"""Work that is better shared is tried alone so many times less often: a try costs as much as sharing saves."""
_RECENT = 0.25
"""How much the newest turn counts in what is known of those before."""


class Cost:
    """What something takes of a processor: waiting for other threads is no part of it.

    Kept for each size of it (rows between two powers of 2), because much of it is the same for any number of rows.
    """

    __slots__ = ("_us",)

    def __init__(self) -> None:
        self._us: dict[int, float] = {}

    @property
    def is_known(self) -> bool:
        return bool(self._us)

    def expected_us(self, rows: int) -> float:
        """For so many rows: as the last times with about as many; else in proportion to the nearest size.

        Before the first time it is a guess.
        """
        known, size = self._us, rows.bit_length()
        if size in known:
            return known[size]
        if not known:
            return GUESS_US * rows
        nearest = min(known, key=lambda other: abs(other - size))
        return known[nearest] * max(0.5, 2.0 ** (size - nearest))

    def note(self, us: float, rows: int) -> None:
        """Learn from one time."""
        size = rows.bit_length()
        known = self._us.get(size, us)
        self._us[size] = known + _RECENT * (us - known)


@dataclass(slots=True)
class Task:
    """One piece of a tick's work; it touches nothing that another piece does.

    Attributes:
        action: what to do. It catches what it expects, and keeps its own result.
        rows: how many it is about.
        cost: what is known about its like; kept by whoever makes the tasks.
        at_home: only for the thread that ticks (it calls users' code, which is used to one thread).
        error: what the action raised, if it did.
    """

    action: Callable[[], object]
    rows: int
    cost: Cost
    at_home: bool = False
    error: Exception | None = None

    @property
    def expected_us(self) -> float:
        return self.cost.expected_us(self.rows)

    def do(self) -> None:
        """Run the action."""
        try:
            self.action()
        except Exception as error:  # noqa: BLE001 (whoever gave the task looks at its error; a thread must not end)
            self.error = error

    def measure(self) -> None:
        """Run the action, and learn what it takes."""
        began_ns = time.thread_time_ns()
        self.do()
        self.cost.note((time.thread_time_ns() - began_ns) / 1_000, self.rows)


@dataclass(slots=True)
class Sharing:
    """Whether it pays to share turns of about one size: measured, because nobody can tell beforehand.

    Where the work is Python's, threads only wait for one another: a thousand rows may take twice as long shared as
    alone, where fifty thousand take half.

    Attributes:
        part: how long shared turns take, as a part of what they take of a processor; None before the first.
        alone: the same of turns that are not shared: more than 1 where others are at the processors, too.
    """

    part: float | None = None
    alone: float = 1.0
    _turns: int = 0
    _pause: int = 4

    @property
    def _pays(self) -> bool:
        return self.part is None or self.part < GAIN * self.alone

    def next(self) -> bool:
        """Whether to share the next turn: as it was better, and now and then the other way."""
        if self.part is None:
            return True
        self._turns += 1
        better = self._pays
        if self._turns < (MOST_PAUSE * _CALM if better else self._pause):
            return better
        self._turns = 0
        return not better

    def note(self, part: float, *, shared: bool) -> None:
        """Learn from a turn."""
        if not shared:
            self.alone += _RECENT * (part - self.alone)
            return
        if self.part is None or not self._pays:  # a try: what was before it is long ago
            self.part = part
        else:
            self.part += _RECENT * (part - self.part)
        self._pause = 4 if self._pays else min(MOST_PAUSE, self._pause * 2)


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
        self._known: dict[int, Sharing] = {}

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all the tasks; returns when all are done. See each one's `error`."""
        if self.size < 2:  # nobody asks what they take
            for task in tasks:
                task.do()
            return
        alone_us = self._may_save_us(tasks)
        sharing = self._known.setdefault(int(alone_us).bit_length(), Sharing())
        known = all(task.cost.is_known for task in tasks)
        shared = alone_us > 0 and sharing.next()
        began_ns = time.perf_counter_ns()
        if shared:
            self._share(tasks)
        else:
            for task in tasks:
                task.measure()
        if alone_us and known:
            sharing.note((time.perf_counter_ns() - began_ns) / 1_000 / alone_us, shared=shared)

    def _share(self, tasks: Sequence[Task]) -> None:
        """The long tasks first, so that all are ready at about the same time."""
        helpers = min(self.size, len(tasks)) - 1
        ordered = sorted(tasks, key=lambda task: -task.expected_us)
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
                    task.measure()
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

    def _may_save_us(self, tasks: Sequence[Task]) -> float:
        """How long the tasks take alone; 0 when nothing could be saved by sharing them."""
        if len(tasks) < 2:
            return 0.0
        costs = [task.expected_us for task in tasks]
        total = sum(costs)
        home = sum(task.expected_us for task in tasks if task.at_home)
        return total if total - max(*costs, home, total / self.size) > WORTH_US else 0.0

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
        task.measure()
