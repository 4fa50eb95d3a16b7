"""Runs of records: joined, cut, decoded once for many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.brokers.payload import payload_rows
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.records import Decoded, Lines, Payload, RecordSet, Span
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.runs import coalesce, decode_for

SCHEMA = StreamSchema(
    pa.schema([("symbol", pa.string()), ("price", pa.float64()), ("timestamp", pa.timestamp("us"))]), "timestamp"
)


class CountingCodec(JsonCodec):
    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def decode(self, records: RecordSet, schema: StreamSchema, columns: Sequence[str] | None = None) -> Decoded:
        self.asked.append(tuple(columns or ()))
        return super().decode(records, schema, columns)


def run(payload: Payload, first: int = 0, partition: int = 0, keys: pa.BinaryArray | None = None) -> RecordSet:
    offsets = np.arange(first, first + payload_rows(payload), dtype=np.int64)
    return RecordSet("t", partition, offsets, offsets * 10, payload, keys)


def raw(*records: bytes) -> pa.BinaryArray:
    return pa.array(records, pa.binary())


@given(st.lists(st.tuples(st.integers(0, 1), st.booleans(), st.integers(1, 4)), max_size=12))
def test_coalescing_changes_the_runs_and_not_the_records(shapes: list[tuple[int, bool, int]]) -> None:
    sets, first = [], 0
    for partition, typed, count in shapes:
        names = [f"r{first + i}" for i in range(count)]
        payload = pa.record_batch({"x": names}) if typed else raw(*[n.encode() for n in names])
        sets.append(run(payload, first, partition, keys=raw(*[b"k"] * count) if count > 2 else None))
        first += count
    merged = coalesce(sets)

    def flat(runs: Sequence[RecordSet]) -> list[tuple[object, ...]]:
        found = []
        for r in runs:
            values = (
                r.payload.column("x").to_pylist() if isinstance(r.payload, pa.RecordBatch) else r.payload.to_pylist()
            )
            keys = [None] * r.rows if r.keys is None else r.keys.to_pylist()
            found += list(zip([r.partition] * r.rows, r.offsets, r.timestamps_ms, values, keys, strict=True))
        return found

    assert flat(merged) == flat(sets)
    kinds = [(r.partition, type(r.payload)) for r in merged]
    assert all(a != b for a, b in pairwise(kinds))


def test_lines_are_not_joined() -> None:
    runs = [run(Lines(b"{}\n{}\n", 2)), run(Lines(b"{}", 1), first=2)]
    assert coalesce(runs) == runs


def test_a_run_is_decoded_once_for_all_jobs_with_the_columns_of_all() -> None:
    codec = CountingCodec()
    records = run(raw(b'{"symbol":"A","price":1,"timestamp":5}'))
    got = decode_for(codec, [records], SCHEMA, {"one": ("price",), "two": ("symbol",), "three": ("symbol", "price")})
    assert codec.asked == [("symbol", "price")]
    assert got["one"][0].batch.schema.names == ["price", "__ts", "__pos"]
    assert got["three"][0].batch.schema.names == ["symbol", "price", "__ts", "__pos"]


def test_a_job_is_not_deprived_of_a_row_for_a_field_it_does_not_read() -> None:
    codec = CountingCodec()
    records = run(raw(b'{"symbol":"A","price":"?","timestamp":5}', b"[", b'{"symbol":"B","price":2,"timestamp":6}'))
    got = decode_for(codec, [records], SCHEMA, {"priced": ("price",), "named": ("symbol",)})
    assert codec.asked == [("symbol", "price"), ("symbol",)]
    assert got["named"][0].batch["symbol"].to_pylist() == ["A", "B"]
    assert [r.offset for r in got["named"][0].rejected] == [1]
    assert got["priced"][0].batch["price"].to_pylist() == [2.0]
    assert [r.offset for r in got["priced"][0].rejected] == [0, 1]


@given(st.lists(st.integers(-5, 5), max_size=6), st.integers(0, 3))
def test_where_rows_stand_in_event_time_is_known_once_for_all_jobs(times: list[int], partition: int) -> None:
    records = run(raw(*[f'{{"symbol":"A","timestamp":{100_000 + t}}}'.encode() for t in times]), partition=partition)
    got = decode_for(CountingCodec(), [records], SCHEMA, {"one": ("symbol",), "two": ("price", "symbol")})
    (one,), (two,) = got["one"], got["two"]
    assert one.times is two.times
    if not times:
        assert one.times is None
        return
    us = [(100_000 + t) * 1_000 for t in times]
    assert one.times == Span(partition, us[0], max(us), us == sorted(us))


def test_a_job_that_keeps_more_rows_than_another_has_times_of_its_own() -> None:
    records = run(raw(b'{"symbol":"A","price":"?","timestamp":9}', b'{"symbol":"B","price":2,"timestamp":6}'))
    got = decode_for(CountingCodec(), [records], SCHEMA, {"priced": ("price",), "named": ("symbol",)})
    assert got["named"][0].times == Span(0, 9_000, 9_000, rising=False)
    assert got["priced"][0].times == Span(0, 6_000, 6_000, rising=True)
