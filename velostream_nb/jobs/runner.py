"""The engine's thread: ticks while there is something to read, serves commands in between, and sleeps otherwise."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol, TypeVar

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import JobError
from velostream_nb.jobs.drain import Drain
from velostream_nb.jobs.ticker import Ticker

T = TypeVar("T")

COMMAND_TIMEOUT_S = 60.0
"""How long a caller waits for the engine's thread; a tick takes a fraction of a second."""
MEASURE_EVERY_US = 500_000
"""How often a busy engine looks at the size of its operators' state."""
NAP_S = 0.05
"""Records and commands wake the thread. Idle partitions and drains that wait for somebody else do not: so often it
looks for them."""


class Commands(Protocol):
    """How statements reach the jobs: through the engine's thread, or, in a run over files, directly."""

    ticker: Ticker

    def call(self, action: Callable[[], T]) -> T:
        """Run `action` where jobs may be touched."""

    def hold(self) -> AbstractContextManager[None]:
        """No tick runs inside."""

    def on_engine(self) -> bool:
        """Whether the caller is the engine's own thread."""

    @property
    def alive(self) -> bool: ...


class Inline:
    """`Commands` for a caller that ticks by itself."""

    def __init__(self, ticker: Ticker) -> None:
        self.ticker = ticker

    def call(self, action: Callable[[], T]) -> T:
        return action()

    def hold(self) -> AbstractContextManager[None]:
        return nullcontext()

    def on_engine(self) -> bool:
        return True

    @property
    def alive(self) -> bool:
        return True


class Runner:
    """Runs a `Ticker` in a thread of its own. Every method may be called from any thread.

    Called from the engine's thread itself (a user's stream code), commands run at once, because waiting for that thread
    would never end.
    """

    def __init__(self, ticker: Ticker, broker: Broker, clock: Clock, *, name: str = "velo-engine") -> None:
        self.ticker = ticker
        self._broker = broker
        self._clock = clock
        self._commands: deque[tuple[Callable[[], object], Future[object]]] = deque()
        self._drains: list[Drain] = []
        self._holds = 0
        self._closing = False
        self._lock = threading.Condition()
        self._measured_us = clock.now_us()
        self._measure_due = False
        # a daemon: the interpreter joins other threads before any exit handler could close this one
        self._thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._thread.start()

    # -- for callers ------------------------------------------------------------------------------------------------

    def call(self, action: Callable[[], T], *, timeout: float | None = COMMAND_TIMEOUT_S) -> T:
        """Run `action` between two ticks on the engine's thread; gives what it gives, raises what it raises.

        Raises:
            JobError: the session is closed, or the thread did not come to it in `timeout` seconds (None: no limit).
        """
        if self.on_engine():
            return action()
        return self._wait(self._enqueue(action), timeout, "the engine is busy and did not answer")

    def drain(self, *, final: bool = False, timeout: float | None = None) -> None:
        """Wait until all that was produced before the call is processed; see `Drain`.

        Raises:
            JobFailedError: a job failed since the last drain; the other jobs are drained all the same.
            JobError: not there in `timeout` seconds, or called from the engine's thread.
        """
        if self.on_engine():
            raise JobError(
                "drain() would wait for the thread it is called from",
                hint="call it outside the code of a job's stream",
            )
        deadline_s = None if timeout is None else time.monotonic() + timeout
        drain = self.call(lambda: self._begin_drain(final), timeout=timeout)
        try:
            drain.done.result(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))
        except FutureTimeoutError:
            drain.done.cancel()
            raise JobError(
                f"not drained after {timeout} s: {', '.join(drain.behind()) or 'no job'} still has records to read",
                hint="give it more time, or look at lag_rows in SHOW JOBS",
            ) from None
        except CancelledError:
            raise _closed() from None

    @contextmanager
    def hold(self) -> Iterator[None]:
        """No tick runs inside: jobs started together start from one cut and share their readers."""
        with self._lock:
            self._holds += 1
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1
                self._lock.notify_all()

    def close(self, timeout: float = COMMAND_TIMEOUT_S) -> None:
        """Stop every job and end the thread. Safe to call twice, and from the engine's thread."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        if not self.on_engine():
            self._broker.wake()
            self._thread.join(timeout)

    def on_engine(self) -> bool:
        """Whether the caller is the engine's own thread."""
        return threading.current_thread() is self._thread

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    # -- on the engine's thread -------------------------------------------------------------------------------------

    def _loop(self) -> None:
        try:
            while not self._closing:
                version = self._broker.version()  # first, so that nothing that comes from here on is slept over
                self._serve()
                if self._holds:
                    with self._lock:
                        self._lock.wait_for(lambda: self._commands or not self._holds or self._closing)
                    continue
                busy = self._tick()
                self._drains = [drain for drain in self._drains if not self._advance(drain)]
                self._measure(idle=not busy)
                if not busy:
                    self._broker.wait(version, NAP_S)
        finally:
            self._shut()

    def _tick(self) -> bool:
        try:
            return self.ticker.tick()
        except Exception as error:  # noqa: BLE001 (a fault of ours must end jobs with a reason, not leave callers waiting)
            for job in self.ticker.active():
                self.ticker.fail(job, error)
            return True

    def _serve(self) -> None:
        while self._commands:
            action, future = self._commands.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = action()
            except Exception as error:  # noqa: BLE001 (it belongs to the caller, who gets it from the future)
                future.set_exception(error)
            else:
                future.set_result(result)

    def _begin_drain(self, final: bool) -> Drain:
        drain = Drain(self.ticker, self._broker, final=final)
        self._drains.append(drain)
        return drain

    def _advance(self, drain: Drain) -> bool:
        try:
            return drain.advance()
        except Exception as error:  # noqa: BLE001 (it belongs to who waits for the drain)
            drain.done.set_exception(error)
            return True

    def _measure(self, *, idle: bool) -> None:
        """Refresh state sizes twice a second under load, and once when the engine comes to rest."""
        now_us = self._clock.now_us()
        if idle and not self._measure_due:
            return
        self._measure_due = not idle
        if idle or now_us - self._measured_us >= MEASURE_EVERY_US:
            self.ticker.measure()
            self._measured_us = now_us

    def _shut(self) -> None:
        self.ticker.close()
        for drain in self._drains:
            drain.done.cancel()
        with self._lock:
            self._closing = True
            waiting = list(self._commands)
            self._commands.clear()
        for _, future in waiting:
            future.cancel()

    # -- between them -----------------------------------------------------------------------------------------------

    def _enqueue(self, action: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._closing:
                raise _closed()
            self._commands.append((action, future))  # type: ignore[arg-type]  # one queue for all result types
            self._lock.notify_all()
        self._broker.wake()
        return future

    def _wait(self, future: Future[T], timeout: float | None, complaint: str) -> T:
        try:
            return future.result(timeout)
        except FutureTimeoutError:
            future.cancel()
            raise JobError(f"{complaint} in {timeout:g} s", hint="try again; a large batch may be under way") from None
        except CancelledError:
            raise _closed() from None


def _closed() -> JobError:
    return JobError("the session is closed", hint="open a new one with velo.connect()")
