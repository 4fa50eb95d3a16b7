"""A real `Session` whose ticks are taken by hand: no thread, no waiting, every state between two ticks can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import ManualClock
from velostream_nb.jobs.drain import Drain
from velostream_nb.jobs.runner import Inline
from velostream_nb.jobs.session import Session
from velostream_nb.jobs.ticker import Ticker

START_US = 1_704_067_200_000_000
"""Where a driven clock begins: 2024-01-01 00:00:00."""


class HandDriven(Inline):
    """Stands where a session has its thread; ticks when it is told to."""

    def __init__(self, ticker: Ticker, broker: Broker) -> None:
        super().__init__(ticker)
        self._broker = broker

    def drain(self, *, final: bool = False, timeout: float | None = None) -> None:
        """Tick until everything is read; `final` ends the inputs."""
        while self.ticker.tick():
            pass
        if final:
            drain = Drain(self.ticker, self._broker, final=True)
            while not drain.advance():
                self.ticker.tick()
            drain.done.exception()

    def close(self) -> None:
        self.ticker.close()


class DrivenSession(Session):
    """A session whose `ticker` is called by the test; `clock` moves only when told to."""

    def __init__(self) -> None:
        self.clock = ManualClock(START_US)
        super().__init__(clock=self.clock)
        self.ticker = self._machine.ticker
        self.broker = self._machine.broker
        self.driver = HandDriven(self.ticker, self.broker)
        self._machine._runner = self.driver  # type: ignore[assignment]

    def tick(self) -> bool:
        """One tick; whether there was anything to do."""
        return self.ticker.tick()


@contextmanager
def driven() -> Iterator[DrivenSession]:
    """A driven session, closed at the end."""
    with DrivenSession() as session:
        yield session
