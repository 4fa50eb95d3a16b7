"""Tables that SHOW, DESCRIBE and EXPLAIN answer with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from velostream_nb.core.functions import Function
from velostream_nb.core.model import JobInfo, TopicInfo
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import field_type
from velostream_nb.engine.explain import Step
from velostream_nb.jobs.catalog import View
from velostream_nb.jobs.reference import FILE_OPTION
from velostream_nb.sql.plan import StreamInfo

_TIMESTAMP = pa.timestamp("us")
_JOBS = pa.schema(
    [
        ("job", pa.string()),
        ("state", pa.string()),
        ("inputs", pa.string()),
        ("output", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("rate", pa.float64()),
        ("late", pa.int64()),
        ("failed", pa.int64()),
        ("lag_rows", pa.int64()),
        ("watermark", _TIMESTAMP),
        ("state_rows", pa.int64()),
        ("error", pa.string()),
    ]
)
_TOPICS = pa.schema(
    [
        ("topic", pa.string()),
        ("partitions", pa.int64()),
        ("rows", pa.int64()),
        ("earliest", pa.int64()),
        ("latest", pa.int64()),
        ("bytes", pa.int64()),
        ("key", pa.string()),
        ("columns", pa.string()),
    ]
)
_STREAMS = pa.schema([(n, pa.string()) for n in ("stream", "topic", "event_time", "key", "columns", "options")])
_TABLES = pa.schema([(n, pa.string()) for n in ("table", "kind", "source", "key", "columns")])
_VIEWS = pa.schema([(n, pa.string()) for n in ("view", "columns", "sql")])
_COLUMNS = pa.schema(
    [
        ("column", pa.string()),
        ("type", pa.string()),
        ("null", pa.bool_()),
        ("key", pa.bool_()),
        ("role", pa.string()),
        ("known", pa.string()),
    ]
)
_PROPERTIES = pa.schema([("property", pa.string()), ("value", pa.string())])
_FUNCTIONS = pa.schema([("function", pa.string()), ("meaning", pa.string())])
_OPERATORS = pa.schema(
    [
        ("step", pa.int64()),
        ("operator", pa.string()),
        ("detail", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("busy_ms", pa.float64()),
        ("state_rows", pa.int64()),
        ("state_bytes", pa.int64()),
    ]
)

STREAMING_FUNCTIONS = (
    ("TUMBLE(ts, size)", "in GROUP BY: windows of that size, side by side; columns window_start, window_end"),
    ("HOP(ts, slide, size)", "in GROUP BY: windows of that size, one every slide"),
    ("WINDOW TUMBLING(ts, 1m)", "the same as TUMBLE, as a clause after GROUP BY"),
    ("WINDOW SLIDING(ts, 5m, 1m)", "the same as HOP, size first, as a clause after GROUP BY"),
    ("timestamp()", "the stream's time; WHERE ts >= timestamp() - INTERVAL … is a hopping window"),
    ("wall_clock()", "the wall's time, one value a tick"),
    ("ASOF JOIN", "for each row the newest row of the other stream at or before it"),
    ("LAG, LEAD, agg() OVER (…)", "window functions, also in WHERE; ordered by event time"),
    ("every scalar and aggregate of DuckDB", "see duckdb.org/docs/sql/functions"),
)


def jobs_table(infos: Iterable[JobInfo]) -> pa.Table:
    """``SHOW JOBS``."""
    return _table(
        _JOBS,
        (
            (
                i.name,
                i.state.value,
                ", ".join(i.inputs),
                i.output,
                i.rows_in,
                i.rows_out,
                round(i.rate, 1),
                i.late,
                i.failed,
                i.lag_rows,
                i.watermark_us,
                i.state_rows,
                i.error,
            )
            for i in infos
        ),
    )


def topics_table(infos: Iterable[TopicInfo]) -> pa.Table:
    """``SHOW TOPICS``."""
    return _table(
        _TOPICS,
        (
            (t.name, t.partitions, t.rows, t.earliest, t.latest, t.bytes, ", ".join(t.key), _columns_text(t.columns))
            for t in infos
        ),
    )


def streams_table(infos: Iterable[StreamInfo]) -> pa.Table:
    """``SHOW STREAMS``: those that were declared."""
    return _table(
        _STREAMS,
        (
            (
                i.name,
                i.topic,
                i.schema.time_column or "(broker)",
                ", ".join(i.schema.key),
                _columns_text({f.name: field_type(f) for f in i.schema.columns}),
                ", ".join(f"{k} = {v}" for k, v in i.options.items()),
            )
            for i in infos
        ),
    )


def tables_table(declared: Iterable[StreamInfo], written: Iterable[TopicInfo]) -> pa.Table:
    """``SHOW TABLES``: those that were declared or read from files, and topics of changelogs that jobs write."""
    rows = [
        (
            i.name,
            "topic" if i.rows is None else "file",
            i.topic if i.rows is None else i.options[FILE_OPTION],
            ", ".join(i.schema.key),
            _columns_text({f.name: field_type(f) for f in i.schema.columns}),
        )
        for i in declared
    ]
    rows += [(t.name, "job", t.name, ", ".join(t.key), _columns_text(t.columns)) for t in written]
    return _table(_TABLES, sorted(rows))


def views_table(views: Iterable[View]) -> pa.Table:
    """``SHOW VIEWS``."""
    return _table(_VIEWS, ((v.name, _columns_text({f.name: field_type(f) for f in v.columns}), v.text) for v in views))


def functions_table(own: Iterable[Function] = ()) -> pa.Table:
    """``SHOW FUNCTIONS``: Python functions with signature and docstring, then what streaming adds to DuckDB's."""
    return _table(_FUNCTIONS, [*((f.signature, _purpose(f)) for f in own), *STREAMING_FUNCTIONS])


def _purpose(function: Function) -> str:
    """The docstring's first paragraph, and what else one should know."""
    text = " ".join(function.doc.partition("\n\n")[0].split()) or "a Python function"
    return text if function.deterministic else f"{text} (not deterministic: a replay may give other rows)"


def columns_table(schema: StreamSchema, known: str, delay: str | None = None) -> pa.Table:
    """``DESCRIBE`` of a stream, table, view or topic.

    Args:
        known: how its columns are known, such as 'declared'.
        delay: how far the watermark stays behind the event time.
    """
    return _table(
        _COLUMNS,
        (
            (f.name, field_type(f), f.nullable, f.name in schema.key, _role(f.name, schema, delay), known)
            for f in schema.columns
        ),
    )


def job_table(info: JobInfo, columns: Mapping[str, str], options: Mapping[str, str]) -> pa.Table:
    """``DESCRIBE`` of a job."""
    lines = [
        ("job", info.name),
        ("state", info.state.value),
        ("inputs", ", ".join(info.inputs)),
        ("output", info.output),
        ("columns", _columns_text(columns)),
        *((f"parameter {name}", value) for name, value in info.params.items()),
        *((f"option {name}", value) for name, value in options.items()),
        *(("note", note) for note in info.notes),
        *((("error", info.error),) if info.error else ()),
        ("sql", info.sql),
    ]
    return _table(_PROPERTIES, lines)


def plan_table(lines: Sequence[str]) -> pa.Table:
    """``EXPLAIN``: one line a row."""
    return pa.table({"plan": pa.array(list(lines), pa.string())})


def operators_table(steps: Iterable[Step]) -> pa.Table:
    """``EXPLAIN ANALYZE JOB``: what each operator has done and holds."""
    return _table(
        _OPERATORS,
        (
            (n, s.name, s.detail, s.rows_in, s.rows_out, s.busy_us / 1_000, s.state_rows, s.state_bytes)
            for n, s in ((step.number, step.live) for step in steps)
            if s is not None
        ),
    )


def _role(name: str, schema: StreamSchema, delay: str | None) -> str:
    if name == schema.time_column:
        return f"event time, watermark {delay} behind" if delay else "event time"
    return "key" if name in schema.key else ""


def _columns_text(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _table(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.Table:
    found = list(rows)
    arrays = [pa.array([row[i] for row in found], field.type) for i, field in enumerate(schema)]
    return pa.Table.from_arrays(arrays, schema=schema)
