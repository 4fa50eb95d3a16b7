"""What a session shows of itself, the same whether it runs in this process or behind a server.

`Session` (in `jobs/`) and `RemoteSession` (in `client/`) both satisfy `SessionLike`; magics, widgets, CLI and
server see only this contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

WATERMARK_MIN_US = -(2**62)
"""The watermark before any record."""
WATERMARK_MAX_US = 2**62
"""The watermark of an input that has ended: +infinity."""


PLAN_METADATA = b"velo.plan"
"""Schema metadata key of the table that EXPLAIN gives: the whole plan as JSON, for who draws it."""


class JobState(StrEnum):
    """Words shared by notebook, CLI, HTTP and dashboards."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One look at a job.

    Attributes:
        rows_in, rows_out, late, failed: totals since the start; failed counts records sent to the dead-letter topic.
        rate: input rows a second over the last few seconds.
        watermark_us: epoch microseconds; None before the first record or after the end of the input.
        lag_rows: records in the input topics that are not yet processed (consumer lag).
        busy_us: microseconds spent evaluating.
        state_rows, state_bytes: what the operators hold.
        notes: assumptions made for the user (a default join bound, an implicit hop).
        params: the values of its ``$name`` parameters, as SQL.
    """

    name: str
    sql: str
    state: JobState
    inputs: tuple[str, ...]
    output: str
    rows_in: int = 0
    rows_out: int = 0
    late: int = 0
    failed: int = 0
    rate: float = 0.0
    watermark_us: int | None = None
    lag_rows: int = 0
    busy_us: int = 0
    state_rows: int = 0
    state_bytes: int = 0
    started_us: int = 0
    error: str | None = None
    notes: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One look at a topic: offsets are summed over partitions; rows = retained records."""

    name: str
    partitions: int
    rows: int
    earliest: int
    latest: int
    bytes: int = 0
    columns: Mapping[str, str] = field(default_factory=dict)
    """Column name to DuckDB type name; empty while unknown."""
    key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What one statement did.

    Attributes:
        kind: 'job' | 'table' | 'message'.
        message: one line for people ("started job spikes: market_data -> spikes").
        job: name of the job that the statement started or touched.
        table: rows of a SELECT, SHOW, DESCRIBE or EXPLAIN.
    """

    kind: str
    message: str
    job: str | None = None
    table: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """New records of one topic since the reader's last look, at most as many as it asked for.

    Attributes:
        rows: the user's columns; timestamps are ``timestamp[us]`` UTC without zone.
        next: pass it as `after` in the next look.
        skipped: records between the reader's `after` and the first row, left out because only the newest fit.
        total: records ever appended to the topic.
        changelog: how the topic's records are to be read (`schema.StreamSchema`). Of a changelog, `rows` are what the
            new records amount to: 'upsert', the newest row of each key among them; 'retract', the rows that came.
        key: columns of an upsert changelog's key.
        deleted: of a changelog, what went: keys of an upsert changelog, rows of a retract one; else None.
    """

    topic: str
    rows: pa.Table
    next: int
    skipped: int = 0
    total: int = 0
    changelog: str | None = None
    key: tuple[str, ...] = ()
    deleted: pa.Table | None = None


class SessionLike(Protocol):
    """A session: one interface, local or remote. All methods may be called from any thread."""

    def sql(
        self,
        text: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        given_up: Callable[[], bool] | None = None,
        **named: object,
    ) -> list[Result]:
        """Run one or many statements in order; the first error stops the rest. Returns one result a statement.

        Args:
            params, **named: values for ``$name``.
            timeout: seconds; a query with EMIT CHANGES LIMIT then gives what has come. None waits for all its rows.
            given_up: asked while such a query waits in this process: whether nobody wants its rows any more.
        """

    def query(
        self,
        text: str,
        *,
        params: Mapping[str, object] | None = None,
        timeout: float | None = None,
        given_up: Callable[[], bool] | None = None,
    ) -> pa.Table:
        """A pull query: a bare SELECT over what is retained, as of one tick. Arguments as for `sql`."""

    def produce(self, topic: str, rows: Any, *, op: str = "upsert") -> int:
        """Append rows (list of dicts, pandas, Arrow, or list of bytes for raw records); returns how many."""

    def drain(self, *, final: bool = False, timeout: float | None = None) -> None:
        """Return when all that was produced is processed; `final` ends the inputs (watermark +infinity)."""

    def read(self, topic: str, *, changelog: bool = False) -> pa.Table:
        """All retained records of a topic; a changelog is folded by its key unless `changelog`."""

    def frames(self, wanted: Mapping[str, int | None], *, limit: int = 5_000) -> dict[str, Frame]:
        """What is new in each topic since its offset (None: the newest `limit` rows); all as of one tick.

        A topic that does not exist yet gives an empty frame, not an error.
        """

    def jobs(self) -> list[JobInfo]:
        """All jobs, in the order they were started."""

    def job_info(self, name: str) -> JobInfo:
        """One job; UnknownJobError with near names otherwise."""

    def control(self, name: str, action: str) -> JobInfo:
        """'stop' | 'pause' | 'resume' | 'restart' | 'drop' a job."""

    def topics(self) -> list[TopicInfo]:
        """All topics, by name."""

    def close(self) -> None:
        """Stop the jobs this session owns and release everything. Safe to call twice."""


Rows: TypeAlias = pa.Table | pa.RecordBatch | Sequence[Mapping[str, Any]]
"""Accepted by `produce` beside pandas frames and lists of raw bytes."""
