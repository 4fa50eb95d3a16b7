"""Rows on their way to the dead-letter topic: those that could not be computed, and those that came too late."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.core.records import POS, TS, Rejected, unpack_position
from velostream_nb.engine.delta import WM


def rejected_row(row: pa.Table, topics: Sequence[str], reason: str, path: str) -> Rejected:
    """One row (a table of one) as the record it came from, as far as that is known: its columns as JSON."""
    return _letters(row, topics, [reason], path)[0]


def late_rows(rows: pa.Table, topics: Sequence[str], path: str) -> list[Rejected]:
    """Late rows (`Delta.late`), each with how late it was."""
    times = zip(rows.column(TS).to_pylist(), rows.column(WM).to_pylist(), strict=True)
    return _letters(rows, topics, [_lateness(ts, wm) for ts, wm in times], path)


def _letters(rows: pa.Table, topics: Sequence[str], reasons: Sequence[str], path: str) -> list[Rejected]:
    visible = rows.select([c for c in rows.column_names if not c.startswith("__")]).to_pylist()
    positions = rows.column(POS).to_pylist() if POS in rows.column_names else [0] * rows.num_rows
    topic = ",".join(topics)
    found = []
    for row, position, reason in zip(visible, positions, reasons, strict=True):
        partition, offset = unpack_position(position)
        raw = json.dumps(row, default=str, ensure_ascii=False).encode()
        found.append(Rejected(topic, partition, offset, reason, path, raw))
    return found


def _lateness(ts_us: int, wm_us: int) -> str:
    behind = wm_us - ts_us
    try:
        at = (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=ts_us)).isoformat(sep=" ")
        mark = (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=wm_us)).isoformat(sep=" ")
    except OverflowError:  # the watermark of an input that has ended, or a time before the year 1
        return f"late: event time {ts_us} µs is behind the watermark: the input had ended"
    return f"late: event time {at} is {behind / 1e6:g} s behind the watermark {mark}"
