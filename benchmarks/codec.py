"""Rows per CPU-second of the JSON codec and the embedded broker. Data is made here; nothing is read or written.

Run: python benchmarks/codec.py [rows]
"""

import json
import sys
import time

import numpy as np
import pyarrow as pa

from velostream_nb.brokers.contract import Retention
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.core.schema import StreamSchema

COLUMNS = pa.schema(
    [
        ("symbol", pa.string()),
        ("exchange", pa.string()),
        ("price", pa.float64()),
        ("bid_price", pa.float64()),
        ("ask_price", pa.float64()),
        ("bid_size", pa.int64()),
        ("ask_size", pa.int64()),
        ("volume", pa.int64()),
        ("timestamp", pa.timestamp("us")),
    ]
)
SCHEMA = StreamSchema(COLUMNS, "timestamp")
THREE = ["symbol", "price", "timestamp"]


def market(rows: int) -> pa.RecordBatch:
    rng = np.random.default_rng(7)
    price = np.round(rng.uniform(100, 450, rows), 4)
    sizes = [rng.integers(100, 10_000, rows) for _ in range(3)]
    times = (1_700_000_000_000 + np.arange(rows)) * 1_000
    symbols = np.array(["AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "NFLX"])[rng.integers(0, 8, rows)]
    venues = np.array(["NYSE", "NASDAQ", "BATS"])[rng.integers(0, 3, rows)]
    quotes = [price, np.round(price - 0.01, 4), np.round(price + 0.01, 4)]
    arrays = [
        pa.array(symbols, pa.string()),
        pa.array(venues, pa.string()),
        *map(pa.array, quotes),
        *map(pa.array, sizes),
    ]
    return pa.RecordBatch.from_arrays([*arrays, pa.array(times).view(pa.timestamp("us"))], schema=COLUMNS)


def cpu_seconds(work, budget: float = 1.0) -> float:
    """Best CPU time of one call, over calls that fill the budget."""
    work()
    best, spent = float("inf"), 0.0
    while spent < budget:
        start = time.process_time()
        work()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-6)
    return best


def records_of(payload, rows: int) -> RecordSet:
    return RecordSet("market_data", 0, np.arange(rows), np.full(rows, 1_700_000_000_000), payload)


def joined(records: list[bytes]) -> Lines:
    return Lines(b"\n".join(records) + b"\n", len(records))


def variants(lines: Lines) -> dict[str, Lines]:
    """The same rows as other programs write them."""
    records = lines.data.splitlines()
    spaced = [json.dumps(json.loads(record)).encode() for record in records]
    optional = [r.replace(b',"volume"', b',"venue":"X","volume"') if at % 3 else r for at, r in enumerate(records)]
    escaped = [r.replace(b'"NYSE"', b'"N\\u0059SE"') for r in records]
    reordered = [
        json.dumps(dict(reversed(json.loads(r).items()))).encode() if at % 2 else r for at, r in enumerate(records)
    ]
    return {
        "spaces": joined(spaced),
        "two templates": joined(optional),
        "two orders": joined(reordered),
        "nulls": joined([r.replace(b'"bid_size":1', b'"bid_size":null,"x":1') for r in records]),
        "commas in texts": Lines(lines.data.replace(b'"NYSE"', b'"NY, SE"'), lines.rows),
        "a third escaped": joined(escaped),
        "one bad record": Lines(lines.data.replace(b'"price":', b'"price":"x', 1), lines.rows),
        "whole prices": Lines(lines.data.replace(b".0,", b","), lines.rows),
    }


def main(rows: int) -> None:
    codec, batch = JsonCodec(), market(rows)
    lines = Lines(codec.encode_lines(batch), rows)
    values = codec.encode(batch)
    print(f"{rows} rows, {len(lines.data) / rows:.0f} bytes each")
    cases = {
        "decode lines, 9 of 9 columns": lambda: codec.decode(records_of(lines, rows), SCHEMA),
        "decode lines, 3 of 9 columns": lambda: codec.decode(records_of(lines, rows), SCHEMA, THREE),
        **{
            f"decode lines, {name}": lambda other=other: codec.decode(records_of(other, rows), SCHEMA)
            for name, other in variants(lines).items()
        },
        "decode values, 9 of 9 columns": lambda: codec.decode(records_of(values, rows), SCHEMA),
        "decode values, 3 of 9 columns": lambda: codec.decode(records_of(values, rows), SCHEMA, THREE),
        "decode typed batch, 9 columns": lambda: codec.decode(records_of(batch, rows), SCHEMA),
        "encode to lines": lambda: codec.encode_lines(batch),
        "encode to values": lambda: codec.encode(batch),
    }
    for name, work in cases.items():
        print(f"{name:42s} {rows / cpu_seconds(work) / 1e6:8.2f} M rows/CPU-s")
    for few in (1, 10, 50, 100):
        small = batch.slice(0, few)
        raw = codec.encode(small)
        read = cpu_seconds(
            lambda raw=raw, few=few: [codec.decode(records_of(raw, few), SCHEMA) for _ in range(100)], 0.2
        )
        write = cpu_seconds(lambda small=small: [codec.encode_lines(small) for _ in range(100)], 0.2)
        print(f"{f'decode, encode {few} records':42s} {read * 1e4:8.2f} µs {write * 1e4:8.2f} µs")
    broker = EmbeddedBroker(retention=Retention(rows=10_000_000))
    thousand = batch.slice(0, 1_000)
    append = cpu_seconds(lambda: [broker.produce("t", thousand) for _ in range(1_000)]) / 1_000

    def poll_all() -> None:
        reader = broker.reader("t")
        for _ in range(1_000):
            assert reader.poll(1_000)

    poll = cpu_seconds(poll_all) / 1_000
    print(f"{'append a batch':42s} {append * 1e6:8.2f} µs\n{'poll a batch':42s} {poll * 1e6:8.2f} µs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
