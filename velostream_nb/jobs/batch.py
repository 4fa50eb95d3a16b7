"""An application over files, to the end: backtest, test harness, batch. The same tick as live, without a thread."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from velostream_nb.brokers.file_reader import FileReader
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.codecs.widen import widened_schema
from velostream_nb.core.clock import Clock, SystemClock
from velostream_nb.core.errors import ConfigError, JobFailedError, UnsupportedError, did_you_mean
from velostream_nb.core.records import OP
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.crew import threads_or_default
from velostream_nb.jobs.execute import Executor
from velostream_nb.jobs.intake import BatchSize
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.run_broker import RunBroker
from velostream_nb.jobs.runner import Inline
from velostream_nb.jobs.running import JobSpec, RunningJob
from velostream_nb.jobs.summary import Progress, RunSummary, peak_memory_bytes, summary_of
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sinks.dead_letter import DEAD_LETTER_COLUMNS
from velostream_nb.sinks.files import FileSink
from velostream_nb.sql.parse import parse
from velostream_nb.sql.statements import CreateStream, CreateView, InsertRows, LoadTable, SetOption, StartJob

_TAKEN = (CreateStream, LoadTable, CreateView, InsertRows, SetOption, StartJob)

BATCH_ROWS = 80_000
"""Records of a source in one tick unless told otherwise. (50,000 take a tenth more time, 100,000 take 40 MB more.)"""


def run_files(
    app_text: str,
    sources: Mapping[str, str | Path],
    sinks: Mapping[str, str | Path] | None = None,
    *,
    sink_dir: str | Path | None = None,
    batch_rows: int = BATCH_ROWS,
    progress: Callable[[Progress], None] | None = None,
    params: Mapping[str, object] | None = None,
    clock: Clock | None = None,
    threads: int | None = None,
) -> RunSummary:
    """Push files through an application's jobs, to the end (watermark +infinity).

    Args:
        app_text: CREATE STREAM, SET and START JOB statements.
        sources: file by topic: .jsonl, .csv or .parquet. Several advance together in event time.
        sinks: file by output topic, of the kind its name says. ``<job>.dlq`` may be among them.
        sink_dir: a folder (made when missing) that gets ``<topic>.jsonl`` for every output topic without a sink.
        batch_rows: records of a source in one tick; the result does not depend on it.
        progress: called after every tick.
        params: values for ``$name`` in the text.
        threads: how many work at the jobs and read ahead; None: one for each core that the process may use. The result
            does not depend on it.

    A job that fails does not stop the others; its `JobSummary` has the error. Output goes straight to the files; only
    what another job reads is held, and bounded.

    Raises:
        SqlError, ConfigError, BrokerError: about the text, the options or the files, before anything is written.
        ConfigError: an output cannot be written, on a full disk for one; none is there then.
    """
    if batch_rows < 1:
        raise ConfigError(f"a batch has at least one row, got {batch_rows}")
    crew = threads_or_default(threads)
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    schemas: dict[str, StreamSchema] = {}
    with _thrifty_memory():
        while True:
            run = _Run(sources, batch_rows, clock or SystemClock(), schemas, crew)
            try:
                run.start(app_text, params or {})
                run.open_sinks(dict(sinks or {}), None if sink_dir is None else Path(sink_dir))
                if (wider := run.to_the_end(partial(_tell, progress, run, began_s))) is not None:
                    schemas |= wider  # a file has columns of one type: from the beginning
                    continue
                run.close_sinks()
                return run.summary(time.monotonic() - began_s, time.process_time() - began_cpu_s)
            finally:
                run.close()


@contextmanager
def _thrifty_memory() -> Iterator[None]:
    """Arrow's memory comes from jemalloc, where there is one: mimalloc keeps 50 MB more of what was freed.

    Who has chosen a pool by `ARROW_DEFAULT_MEMORY_POOL` keeps it.
    """
    before = pa.default_memory_pool()
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ and "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _tell(progress: Callable[[Progress], None] | None, run: _Run, began_s: float) -> None:
    if progress is not None:
        progress(run.progress(began_s))


class _Run:
    """One run: jobs, files, sinks.

    Args:
        schemas: of sources, by topic, where a run before this one has found out more than their first records say.
    """

    def __init__(
        self,
        sources: Mapping[str, str | Path],
        batch_rows: int,
        clock: Clock,
        schemas: Mapping[str, StreamSchema],
        threads: int,
    ) -> None:
        self._sources = sources
        self._broker = RunBroker(sources, clock, behind=threads > 1)
        for topic, schema in schemas.items():
            self._broker.set_schema(topic, schema)
        codec = JsonCodec()
        self._catalog = Catalog(self._broker, codec)
        size = BatchSize(rows=batch_rows, most=batch_rows, target_us=None)
        self._ticker = Ticker(
            self._broker, codec, clock, size, backpressure=True, threads=threads, chores=self._broker.chores
        )
        inline = Inline(self._ticker)
        looker = Looker(self._broker, codec, self._catalog)
        self._executor = Executor(self._broker, self._catalog, looker, self._ticker, lambda: inline, clock)
        self._if_any: set[str] = set()
        self._inserted: set[str] = set()

    def start(self, text: str, params: Mapping[str, object]) -> None:
        """Start every job of the text, before the first tick."""
        statements = parse(text, params=params or None).statements
        for statement in statements:
            if not isinstance(statement, _TAKEN):
                raise UnsupportedError(
                    f"a run over files declares and starts; it takes no {statement.text.split()[0].upper()}",
                    hint="CREATE STREAM, TABLE or VIEW, SET, START JOB … AS SELECT, INSERT INTO",
                    place=statement.place,
                )
        named = {s.name.lower(): s.options.get("topic", s.name) for s in statements if isinstance(s, CreateStream)}
        self._inserted = {named.get(s.name.lower(), s.name) for s in statements if isinstance(s, InsertRows)}
        self._broker.between = set(self._inserted)
        self._executor.carry_out(statements)
        specs = [job.spec for job in self._jobs()]
        if not specs:
            raise UnsupportedError("the application starts no job", hint="START JOB name AS SELECT … FROM a source")
        self._check_inputs(specs)
        # what was opened so far only told columns; the jobs' readers follow, limited to what is read
        self._plan_reading(specs)
        self._ticker.reopen()

    def _check_inputs(self, specs: Sequence[JobSpec]) -> None:
        made = {spec.output for spec in specs} | self._inserted
        for spec in specs:
            if spec.output in self._sources:
                raise ConfigError(
                    f"job {spec.name} writes {spec.output!r}, which is a source", hint="choose another 'output.topic'"
                )
            for topic in spec.inputs:
                if topic not in self._sources and topic not in made:
                    raise ConfigError(
                        f"job {spec.name} reads {topic!r}, which has no source",
                        hint=did_you_mean(topic, self._sources) or f"give --source {topic}=FILE",
                    )
        unread = [t for t in self._sources if not any(t in spec.inputs for spec in specs)]
        if unread:
            known = {t for spec in specs for t in spec.inputs}
            raise ConfigError(f"no job reads the source {unread[0]!r}", hint=did_you_mean(unread[0], known))

    def _plan_reading(self, specs: Sequence[JobSpec]) -> None:
        for spec in specs:
            for source in spec.plan.sources:
                topic, timed = source.stream.topic, source.stream.schema.time_column
                wanted = self._broker.wanted.setdefault(topic, set())
                wanted.update(source.columns, () if timed is None else (timed,))
        read = {topic for spec in specs for topic in spec.inputs}
        self._broker.between = ({spec.output for spec in specs} | self._inserted) & read

    def open_sinks(self, sinks: dict[str, str | Path], sink_dir: Path | None) -> None:
        """Open a file for every output that is wanted. ConfigError for a sink that no job writes."""
        schemas = {}
        for job in self._jobs():
            schemas[job.spec.output] = job.engine.output_schema
            if job.engine.changelog is not None:
                schemas[job.spec.output] = schemas[job.spec.output].append(pa.field(OP, pa.string()))
            schemas[job.spec.dead_letters] = DEAD_LETTER_COLUMNS
        for topic in sinks:
            if topic not in schemas:
                raise ConfigError(f"no job writes {topic!r}", hint=did_you_mean(topic, schemas))
        asked = set(sinks)
        if sink_dir is not None:
            try:
                sink_dir.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"cannot make the folder {sink_dir}: {error.strerror or error}") from error
            sinks = {**{topic: sink_dir / f"{topic}.jsonl" for topic in schemas}, **sinks}
        for topic, path in sinks.items():
            self._broker.sinks[topic] = FileSink(path, schema=schemas[topic])
        letters = {job.spec.dead_letters for job in self._jobs()}
        self._if_any = letters - asked

    def to_the_end(self, look: Callable[[], object]) -> dict[str, StreamSchema] | None:
        """Tick until every job has had all of its input, then end the jobs, those that feed others first.

        None at the end; schemas by topic when an inferred column turned out too narrow, and it has to begin anew.
        """
        while levels := self._ticker.levels():
            if not self._ticker.tick():
                self._ticker.tick(final={job.name for job in levels[0]})
            if wider := self._wider():
                return wider
            self._check_loss()
            look()
        return None

    def _wider(self) -> dict[str, StreamSchema]:
        found: dict[str, StreamSchema] = {}
        for narrow in self._ticker.narrow:
            schema = found.get(narrow.topic) or self._broker.schema(narrow.topic)
            if schema is None or narrow.topic not in self._sources:
                continue
            columns = widened_schema(schema, narrow.paths)
            if not columns.equals(schema.columns):
                found[narrow.topic] = replace(schema, columns=columns)
        return found

    def _check_loss(self) -> None:
        for job in self._ticker.active():
            if job.lost:
                lost = JobFailedError(
                    f"{job.lost} records of its input were gone before they were read",
                    hint="run it again with fewer --batch-rows",
                )
                self._ticker.fail(job, lost)

    def progress(self, began_s: float) -> Progress:
        """How far the files are read; each weighs the same."""
        read = {reader.topic: reader.progress() for reader in self._ticker.readers() if isinstance(reader, FileReader)}
        # a source that nobody reads any more has been read to its end
        parts = [done / total if total else 1.0 for done, total in (read.get(t, (0, 0)) for t in self._sources)]
        return Progress(sum(parts) / len(parts), self._rows_in(), time.monotonic() - began_s)

    def close_sinks(self) -> None:
        """Give the files their names; dead letters that nobody asked for make a file only when there are some."""
        self._broker.write_all()
        for topic, sink in list(self._broker.sinks.items()):
            if topic in self._if_any and not sink.rows:
                sink.abort()
                del self._broker.sinks[topic]
            sink.close()

    def summary(self, seconds: float, cpu_seconds: float) -> RunSummary:
        """What the run did."""
        rows_in = self._rows_in()
        return RunSummary(
            jobs=tuple(summary_of(job) for job in self._jobs()),
            rows_in=rows_in,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            rows_per_s=rows_in / seconds if seconds else 0.0,
            peak_memory_bytes=peak_memory_bytes(),
            written={str(sink.path): sink.rows for sink in self._broker.sinks.values()},
            unwritten=tuple(sorted(self._broker.dropped)),
        )

    def close(self) -> None:
        """Let go of everything; sinks that were not closed leave no file."""
        self._ticker.close()
        for sink in self._broker.sinks.values():
            sink.abort()
        self._broker.close()

    def _jobs(self) -> list[RunningJob]:
        return list(self._ticker.jobs.values())

    def _rows_in(self) -> int:
        reached = [job.totals.positions for job in self._jobs()]
        return sum(max(positions.get(topic, {}).get(0, 0) for positions in reached) for topic in self._sources)
