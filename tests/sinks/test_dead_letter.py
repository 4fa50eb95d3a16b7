"""Rejected records as rows of the dead-letter topic."""

import base64
import datetime as dt

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.clock import ManualClock
from velostream_nb.core.records import Rejected
from velostream_nb.sinks.dead_letter import (
    DEAD_LETTER_COLUMNS,
    DEAD_LETTER_SCHEMA,
    dead_letter_topic,
    rejected_batch,
)


def test_every_record_is_a_row_with_its_place_reason_and_bytes():
    rejected = [
        Rejected("market_data", 2, 2**40, "expected a number at price, got 'abc'", "price", b'{"price":"abc"}'),
        Rejected("market_data", 0, 1, "not JSON: invalid UTF-8 at byte 0", "", b"\xff\x00"),
    ]
    batch = rejected_batch(rejected, "spikes", ManualClock(5_000_000))
    assert batch.schema.equals(DEAD_LETTER_COLUMNS)
    first, second = batch.to_pylist()
    assert first == {
        "job": "spikes",
        "topic": "market_data",
        "partition": 2,
        "offset": 2**40,
        "reason": "expected a number at price, got 'abc'",
        "path": "price",
        "raw": '{"price":"abc"}',
        "encoding": "utf-8",
        "time": dt.datetime(1970, 1, 1, 0, 0, 5),
    }
    assert second["encoding"] == "base64"
    assert base64.b64decode(second["raw"]) == b"\xff\x00"
    assert JsonCodec().encode(batch).null_count == 0


def test_none_rejected_is_an_empty_batch_and_the_topic_is_named_after_the_job():
    assert rejected_batch([], "spikes", ManualClock()).schema.equals(DEAD_LETTER_COLUMNS)
    assert dead_letter_topic("spikes") == "spikes.dlq"
    assert DEAD_LETTER_SCHEMA.time_column == "time"
