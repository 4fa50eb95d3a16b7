"""A broker, a catalog and a ticker, driven by hand: no thread, no waiting."""

from __future__ import annotations

from collections.abc import Sequence

from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.clock import ManualClock
from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.ingest import to_outputs
from velostream_nb.jobs.intake import BatchSize
from velostream_nb.jobs.outputs import output_schema
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sql.parse import parse
from velostream_nb.sql.planner import plan_job
from velostream_nb.sql.statements import CreateStream, StartJob


class CountingCodec(JsonCodec):
    rows = 0

    def decode(self, records: RecordSet, schema: StreamSchema, columns: Sequence[str] | None = None) -> Decoded:
        self.rows += records.rows
        return super().decode(records, schema, columns)


class Bench:
    """A broker, a catalog and a ticker, driven by hand."""

    def __init__(
        self, size: BatchSize | None = None, *, backpressure: bool = False, codec: CountingCodec | None = None
    ) -> None:
        self.clock = ManualClock(1_000_000_000)
        self.broker = EmbeddedBroker(self.clock)
        self.codec = codec or CountingCodec()
        self.catalog = Catalog(self.broker, self.codec)
        self.ticker = Ticker(self.broker, self.codec, self.clock, size, backpressure=backpressure)
        self.looker = Looker(self.broker, self.codec, self.catalog)

    def sql(self, text: str) -> RunningJob:
        job = None
        for statement in parse(text).statements:
            if isinstance(statement, CreateStream):
                self.catalog.declare(statement)
                continue
            assert isinstance(statement, StartJob)
            plan = plan_job(statement, self.catalog, {})
            start = statement.options.get("auto.offset.reset", "earliest")
            job = RunningJob(JobSpec(statement.name, statement.text, plan, statement.output, start), 0)
            self.ticker.start(job)
            schema = output_schema(job.engine.output_schema, job.engine.key, job.engine.changelog)
            if self.broker.exists(statement.output):
                self.broker.set_schema(statement.output, schema)
            else:
                self.broker.create_topic(statement.output, schema=schema)
        assert job is not None or "START" not in text
        return job  # type: ignore[return-value]

    def produce(self, topic: str, count: int, first: int = 0, partition: int | None = None) -> None:
        rows = [{"symbol": "AB"[i % 2], "x": i, "timestamp": i * 1_000} for i in range(first, first + count)]
        for output in to_outputs(topic, rows):
            self.broker.produce(topic, output.payload, partition=partition)

    def run(self) -> int:
        ticks = 0
        while self.ticker.tick():
            ticks += 1
        return ticks

    def column(self, topic: str, name: str = "x") -> list[object]:
        sets = self.broker.read_range({topic: None}, 10**9)[topic][0]
        return [value for r in sets for value in r.payload.column(name).to_pylist()]


STREAM = "CREATE STREAM t (symbol VARCHAR, x BIGINT, timestamp TIMESTAMP)"
