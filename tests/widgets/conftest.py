from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from ipywidgets.widgets.widget import _instances

from velostream_nb.core.clock import ManualClock
from velostream_nb.core.errors import ServerError
from velostream_nb.core.model import Frame, JobInfo, JobState
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pump import UiPump

START_US = 1_700_000_000_000_000
TICK_US = 250_000


class LogSession:
    """The read side of a session over lists of rows; `away` makes every call fail as an unreachable server does."""

    def __init__(self) -> None:
        self.log: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[dict[str, int | None]] = []
        self.job_list: list[JobInfo] = []
        self.controlled: list[tuple[str, str]] = []
        self.away = False

    def append(self, topic: str, *rows: dict[str, Any]) -> None:
        self.log.setdefault(topic, []).extend(rows)

    def frames(self, wanted: Mapping[str, int | None], *, limit: int = 5_000) -> dict[str, Frame]:
        self.calls.append(dict(wanted))
        if self.away:
            raise ServerError("cannot reach the server")
        found = {}
        for topic, after in wanted.items():
            rows = self.log.get(topic, [])
            begin = max(after or 0, len(rows) - limit)
            table = pa.Table.from_pylist(rows[begin:]) if rows[begin:] else pa.table({})
            skipped = 0 if after is None else begin - after
            found[topic] = Frame(topic, table, len(rows), skipped=skipped, total=len(rows))
        return found

    def jobs(self) -> list[JobInfo]:
        if self.away:
            raise ServerError("cannot reach the server")
        return self.job_list

    def job_info(self, name: str) -> JobInfo:
        return next(job for job in self.job_list if job.name == name)

    def control(self, name: str, action: str) -> JobInfo:
        self.controlled.append((name, action))
        return JobInfo(name, "", JobState.STOPPED, (), "")


class Recorder(Panel):
    """A panel that only remembers."""

    def __init__(self, session: Any, topics: Sequence[str] = ("prices",)) -> None:
        super().__init__(session)
        self.topics = tuple(topics)
        self.rows: list[dict[str, Any]] = []
        self.looks: list[Look] = []
        self.faults: list[str | None] = []
        self.closed = 0
        self.fail_on: str | None = None

    def ingest(self, frame: Frame, _now_us: int) -> None:
        if self.fail_on == "ingest":
            raise ValueError("bad rows")
        self.rows += frame.rows.to_pylist()

    def draw(self, look: Look) -> None:
        if self.fail_on == "draw":
            raise ValueError("cannot draw")
        self.looks.append(look)

    def fault(self, message: str | None) -> None:
        self.faults.append(message)

    def close(self) -> None:
        self.closed += 1


class Browser:
    """Stands in for the page: beats, and acknowledges what it was sent, through the traits a page would set."""

    def __init__(self, pump: UiPump, clock: ManualClock) -> None:
        self.pump = pump
        self.clock = clock
        self._beats = 0

    def beat(self) -> None:
        self._beats += 1
        self.pump.pulse.beat = float(self._beats)

    def paint(self) -> None:
        self.pump.pulse.ack = self.pump.pulse.seq

    def run(self, ticks: int, *, paint: bool = True, latency_us: int = 20_000) -> None:
        """That many timer ticks of a live page; it paints `latency_us` after each write, or not at all."""
        for _ in range(ticks):
            self.beat()
            self.pump.tick()
            self.clock.advance_us(latency_us)
            if paint:
                self.paint()
            self.clock.advance_us(max(0, self.pump.gate.interval_us - latency_us))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START_US)


@pytest.fixture
def session() -> LogSession:
    return LogSession()


@pytest.fixture
def pump(clock: ManualClock) -> UiPump:
    return UiPump(clock=clock, threaded=False)


@pytest.fixture
def browser(pump: UiPump, clock: ManualClock) -> Browser:
    return Browser(pump, clock)


@pytest.fixture
def recorder(session: LogSession) -> Callable[..., Recorder]:
    return lambda *topics: Recorder(session, topics or ("prices",))


@pytest.fixture
def widget_count() -> Callable[[], int]:
    """How many widget models this process holds."""
    return lambda: len(_instances)
