"""Records that could not be decoded or computed, as rows of ``<job>.dlq``: nothing is lost silently."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.core.clock import Clock
from velostream_nb.core.records import Rejected
from velostream_nb.core.schema import StreamSchema

DEAD_LETTER_COLUMNS = pa.schema(
    [
        ("job", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("reason", pa.string()),
        ("path", pa.string()),
        ("raw", pa.string()),
        ("encoding", pa.string()),
        ("time", pa.timestamp("us")),
    ]
)
"""`raw` is the record as text (`encoding` 'utf-8'), or base64 where it is not UTF-8 (`encoding` 'base64')."""

DEAD_LETTER_SCHEMA = StreamSchema(DEAD_LETTER_COLUMNS, time_column="time")


def dead_letter_topic(job: str) -> str:
    """Name of the dead-letter topic of a job."""
    return f"{job}.dlq"


def rejected_batch(rejected: Sequence[Rejected], job: str, clock: Clock) -> pa.RecordBatch:
    """The rows for the dead-letter topic, all with the clock's time, in order."""
    texts = [_as_text(record.raw) for record in rejected]
    columns = {
        "job": [job] * len(rejected),
        "topic": [record.topic for record in rejected],
        "partition": [record.partition for record in rejected],
        "offset": [record.offset for record in rejected],
        "reason": [record.reason for record in rejected],
        "path": [record.path for record in rejected],
        "raw": [text for text, _ in texts],
        "encoding": [encoding for _, encoding in texts],
        "time": [clock.now_us()] * len(rejected),
    }
    return pa.RecordBatch.from_pydict(columns, schema=DEAD_LETTER_COLUMNS)


def _as_text(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode(), "base64"
