"""Rows as they arrive: a list that can be cut anywhere, shortened anywhere, and still keeps its promises."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa

from velostream_nb.core.records import OP, POS, TS, Decoded, pack_position

BASE_US = 1_704_067_200_000_000
DELAY_US = 3_000_000
"""How far behind its partition's newest a row may come; the sources' 'watermark.delay'."""

STREAM = pa.schema(
    [
        ("id", pa.int64()),
        ("k", pa.string()),
        ("g", pa.int32()),
        ("v", pa.int64()),
        ("f", pa.float64()),
        ("d", pa.decimal128(12, 2)),
        ("b", pa.bool_()),
        ("ts", pa.timestamp("us")),
    ]
)
"""Of the streams `s` and `r`; `id` is unique over both."""
TABLE = pa.schema([("k", pa.string()), ("g", pa.int32()), ("x", pa.int64()), ("ts", pa.timestamp("us"))])
"""Of the table `t`, keyed by `k`; rows may be deleted."""

SCHEMAS = {"s": STREAM, "r": STREAM, "t": TABLE}
KEYS = ("a", "b", "é✓", "", None)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record.

    Attributes:
        ends_tick: the tick ends behind it.
        restarts: after that tick the engine is saved, closed and loaded again.
    """

    topic: str
    partition: int
    row: dict[str, Any]
    delete: bool = False
    ends_tick: bool = False
    restarts: bool = False


def random_arrivals(rng: random.Random, topics: Sequence[str]) -> list[Arrival]:
    """Rows of several topics with ties, NULLs, NaN, gaps and disorder, cut into ticks at random."""
    rows = rng.choice([0, 1, 3, 8, 20, 40, 40, 80])
    ends, partitions = rng.choice([1, 0.3, 0.1, 0.03]), rng.choice([1, 1, 2, 3])
    disorder_us, restarts = rng.choice([0, 0, DELAY_US // 2, DELAY_US]), rng.choice([0, 0, 0.4])
    rare = rng.choice([1, 2, len(KEYS)])
    now_us, newest, found = BASE_US, {}, []
    for number in range(rows):
        now_us += rng.choice([0, 0, 1, 250_000, 1_000_000, 1_000_000, 4_000_000])
        topic = rng.choice(topics)
        partition = rng.randrange(partitions) if topic != "t" else 0
        ts = now_us - (rng.choice([0, 1, disorder_us, rng.randrange(disorder_us + 1)]) if disorder_us else 0)
        ts = max(ts, newest.get((topic, partition), 0) - disorder_us)
        newest[topic, partition] = max(ts, newest.get((topic, partition), 0))
        row = _row(rng, number, ts, KEYS[:rare])
        if topic == "t":
            row = {"k": row["k"] or "a", "g": row["g"], "x": row["v"], "ts": ts}
        end = rng.random() < ends
        delete = topic == "t" and rng.random() < 0.25
        found.append(Arrival(topic, partition, row, delete, end, end and rng.random() < restarts))
    return found


def _row(rng: random.Random, number: int, ts: int, keys: Sequence[str | None]) -> dict[str, Any]:
    def maybe(value: object, share: float = 0.15) -> object:
        return None if rng.random() < share else value

    return {
        "id": number,
        "k": rng.choice(keys),
        "g": maybe(rng.choice([1, 1, 2])),
        "v": maybe(rng.choice([0, 1, 2, 2, 3, -7, 5_000_000_000])),
        "f": maybe(rng.choice([0.0, -0.0, 0.25, 1.5, -3.75, float("nan")])),
        "d": maybe(Decimal(rng.choice(["0.10", "0.20", "-1.25", "100.00"]))),
        "b": maybe(rng.random() < 0.5),
        "ts": ts,
    }


def ticks(arrivals: Sequence[Arrival]) -> list[Sequence[Arrival]]:
    """The arrivals, tick by tick."""
    cuts = [0, *(i + 1 for i, a in enumerate(arrivals) if a.ends_tick), len(arrivals)]
    return [arrivals[a:b] for a, b in pairwise(cuts) if b > a]


class Log:
    """Topics as Arrow tables in the order of arrival, with `TS`, `POS` (and `OP` for tables)."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self.tables: dict[str, pa.Table] = {}
        self._partitions: dict[str, list[int]] = {}
        self._read = dict.fromkeys(SCHEMAS, 0)
        for topic, schema in SCHEMAS.items():
            mine = [a for a in arrivals if a.topic == topic]
            table = pa.Table.from_pylist([a.row for a in mine], schema=schema)
            table = table.append_column(TS, pa.array([a.row["ts"] for a in mine], pa.int64()))
            offsets: dict[int, int] = {}
            positions = []
            for arrival in mine:
                offset = offsets.get(arrival.partition, 0)
                offsets[arrival.partition] = offset + 1
                positions.append(pack_position(arrival.partition, offset))
            table = table.append_column(POS, pa.array(positions, pa.int64()))
            if topic == "t":
                ops = ["delete" if a.delete else "upsert" for a in mine]
                table = table.append_column(OP, pa.array(ops, pa.string()))
            self.tables[topic] = table
            self._partitions[topic] = [a.partition for a in mine]

    def take(self, tick: Sequence[Arrival]) -> dict[str, list[Decoded]]:
        """The next records of every topic, a run a partition."""
        found: dict[str, list[Decoded]] = {}
        for topic in SCHEMAS:
            start = self._read[topic]
            stop = self._read[topic] = start + sum(a.topic == topic for a in tick)
            owners = self._partitions[topic][start:stop]
            for partition in sorted(set(owners)):
                picked = [start + i for i, p in enumerate(owners) if p == partition]
                (batch,) = self.tables[topic].take(picked).combine_chunks().to_batches()
                found.setdefault(topic, []).append(Decoded(batch))
        return found

    def partitions(self, topic: str) -> set[int]:
        return set(self._partitions[topic])

    def so_far(self) -> dict[str, pa.Table]:
        """What was taken until now."""
        return {topic: table.slice(0, self._read[topic]) for topic, table in self.tables.items()}
