"""The five jobs live in a session: how long after an event is due a subscriber in another thread has its alert.

Everything is in one process, as in a notebook: the engine's thread, a producer's, a subscriber's, one interpreter lock.
The producer wakes every `SLICE_US` and appends what is due by then (open loop: it never waits for the engine). The
subscriber is woken by the jobs' streams and reads the alert topics as any reader does; an alert counts as readable when
the call that brings it has returned.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.child import serve
from benchmarks.five import BATCH, OUTPUTS
from benchmarks.histogram import Histogram

SLICE_US = 2_000
SAMPLE_US = 100_000
"""So often the producer notes the backlog."""
DRAIN_S = 300
"""An engine that cannot keep up has this long for what is left at the end."""


class Subscriber(threading.Thread):
    """Reads the alerts and notes when it had them.

    Attributes:
        reads: (nanoseconds of `time.perf_counter_ns`, topic, rows), in order.
    """

    def __init__(self, session: Any) -> None:
        super().__init__(name="subscriber")
        self.reads: list[tuple[int, str, Any]] = []
        self.error: Exception | None = None
        self._session = session
        self._news = threading.Event()
        self._ended = False
        for job in session.jobs():
            session.job(job.name).stream.sink(lambda _rows: self._news.set())

    def run(self) -> None:
        try:
            after = dict.fromkeys(OUTPUTS, 0)
            while not self._ended:
                self._news.wait()
                self._news.clear()
                self._read(after)
            self._read(after)  # what came while the last read was under way
        except Exception as error:  # noqa: BLE001 (whoever ends the thread gets it)
            self.error = error

    def _read(self, after: dict[str, int]) -> None:
        frames = self._session.frames(after, limit=10**7)
        now_ns = time.perf_counter_ns()
        for topic, frame in frames.items():
            assert not frame.skipped, f"{frame.skipped} records of {topic} were gone before they were read"
            after[topic] = frame.next
            if frame.rows.num_rows:
                self.reads.append((now_ns, topic, frame.rows))

    def __enter__(self) -> Subscriber:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Read once more, and stop; a process with a thread that waits for ever would never end."""
        self._ended = True
        self._news.set()
        self.join()
        if self.error is not None and kind is None:
            raise self.error


def produce(session: Any, load: Any, until_us: int) -> dict[str, Any]:
    """Append every event when it is due, until that moment; gives the start and what was seen on the way.

    Returns:
        start_ns, late_us (of each slice: how long after its moment its last append returned), backlog ((microseconds,
        records) over time), sent.
    """
    sent = dict.fromkeys(load, 0)
    late_us: list[int] = []
    backlog: list[tuple[int, int]] = []
    start_ns = time.perf_counter_ns() + 50_000_000
    due_us = 0
    while due_us < until_us:
        due_us += SLICE_US
        planned_ns = start_ns + due_us * 1_000
        wait_s = (planned_ns - time.perf_counter_ns()) / 1e9
        if wait_s > 0:
            time.sleep(wait_s)
        # after a pause the next slice holds all that came due meanwhile
        due_us = max(due_us, min(until_us, (time.perf_counter_ns() - start_ns) // 1_000))
        for topic, lane in load.items():
            end = int(lane.due_us.searchsorted(due_us, "left"))
            if end > sent[topic]:
                session.produce(topic, lane.rows.slice(sent[topic], end - sent[topic]))
                sent[topic] = end
        late_us.append((time.perf_counter_ns() - planned_ns) // 1_000)
        if not backlog or due_us - backlog[-1][0] >= SAMPLE_US:
            backlog.append((due_us, max(job.lag_rows for job in session.jobs())))
    return {"start_ns": start_ns, "late_us": late_us, "backlog": backlog, "sent": sent}


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``shape`` ('replay' | 'live'), ``rate``, ``seconds`` measured after ``warm_up_s``, ``sources`` (Parquet
    files, for 'replay'), ``out`` and ``expected`` (folders for the answers, ours and DuckDB's)."""
    import velostream_nb as velo
    from benchmarks.load import live, replay
    from velostream_nb.core.files import shipped

    rate, total_s = options["rate"], options["warm_up_s"] + options["seconds"]
    replayed = options["shape"] == "replay"
    load = replay(options["sources"], rate, rate * total_s) if replayed else live(rate, total_s)
    with velo.connect() as session:
        session.sql(shipped("sql/financial_trading.sql").read_text())
        with Subscriber(session) as subscriber:
            began_s = time.process_time()
            seen = produce(session, load, total_s * 1_000_000)
            cpu_s = time.process_time() - began_s
            session.drain(final=True, timeout=DRAIN_S)
        for job in session.jobs():
            assert not job.late, f"{job.name}: {job.late} rows came late"
    load = {topic: _first(lane, seen["sent"][topic]) for topic, lane in load.items()}
    _write(subscriber, load, Path(options["out"]), Path(options["expected"]))
    return _figures(subscriber, load, seen, options) | {"busy_cores": cpu_s / total_s}


def _first(lane: Any, count: int) -> Any:
    return type(lane)(lane.rows.slice(0, count), lane.time_us[:count], lane.due_us[:count])


def _figures(subscriber: Subscriber, load: Any, seen: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    from benchmarks.load import NEVER_US, caused_us

    warm_us, end_us = options["warm_up_s"] * 1_000_000, (options["warm_up_s"] + options["seconds"]) * 1_000_000
    quarters = [Histogram() for _ in range(4)]
    topics = {topic: Histogram() for topic in OUTPUTS}
    for now_ns, topic, rows in subscriber.reads:
        due_us = caused_us(topic, rows, load)
        due_us = due_us[(due_us != NEVER_US) & (due_us >= warm_us)]
        latency_us = (now_ns - seen["start_ns"]) // 1_000 - due_us
        topics[topic].add(latency_us.tolist())
        quarter = (due_us - warm_us) * 4 // (end_us - warm_us)
        for number in range(4):
            quarters[number].add(latency_us[quarter == number].tolist())
    measured = [(at_us, rows) for at_us, rows in seen["backlog"] if at_us >= warm_us]
    sent = sum(seen["sent"].values())
    return {
        "topics": {topic: histogram.counts for topic, histogram in topics.items()},
        "quarters": [histogram.counts for histogram in quarters],
        "backlog": measured,
        "sent": sent,
        "late_us": {"p99": sorted(seen["late_us"])[len(seen["late_us"]) * 99 // 100], "max": max(seen["late_us"])},
    }


def _write(subscriber: Subscriber, load: Any, out: Path, expected: Path) -> None:
    """All that was read, and what DuckDB answers in batch to what was sent."""
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    for topic in OUTPUTS:
        tables = [rows for _, read, rows in subscriber.reads if read == topic]
        if tables:
            pq.write_table(pa.concat_tables(tables), out / f"{topic}.parquet")
        else:
            (out / f"{topic}.jsonl").touch()
    with duckdb.connect(config={"threads": 1}) as con:
        for topic, lane in load.items():
            rows = pa.table(lane.rows)
            con.register(topic, rows.append_column("n", pa.array(range(rows.num_rows), pa.int64())))
        for topic, query in BATCH.items():
            con.execute(f"COPY ({query}) TO '{expected / topic}.parquet' (FORMAT parquet)")


if __name__ == "__main__":
    serve(work)
