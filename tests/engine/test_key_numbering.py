"""Keys as words and numbers: these are equal exactly where keys are, whatever batch they stand in."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.engine.key_numbering import KeyNumbering, Parts, can_number

LONG = "x" * 400
VALUES: dict[pa.DataType, list[Any]] = {
    pa.string(): ["", "a", "a\0", "\0", "abcdefg", "abcdefgh", "abcdefg\0", "ü" * 16, LONG, LONG + "\0",
                  *("x" * size for size in (14, 15, 16, 23, 24, 31, 32, 33))],
    pa.large_string(): ["", *("y" * size for size in (7, 8, 15, 16, 23, 24, 31, 32))],
    pa.binary(): [b"", b"\xff" * 7, b"\xff" * 8, bytes(8), bytes(9), b"\xff" * 32],
    pa.float64(): [0.0, -0.0, math.nan, -math.nan, math.inf, 1.5],
    pa.float32(): [0.0, -0.0, math.nan, 1.5],
    pa.int64(): [0, -1, 5, 2**63 - 1, -(2**63)],
    pa.uint64(): [0, 2**63, 2**64 - 1],
    pa.int8(): [-128, -1, 0, 1],
    pa.bool_(): [True, False],
    pa.date32(): [dt.date(1969, 12, 31), dt.date(1970, 1, 1)],
    pa.timestamp("us"): [dt.datetime(1970, 1, 1), dt.datetime(1970, 1, 1, 0, 0, 1)],
    pa.decimal128(9, 2): [Decimal("0.00"), Decimal("-0.01")],
    pa.decimal128(38, 2): [Decimal("0.00"), Decimal("-0.01"), Decimal(2**64) / 100, Decimal(10**30)],
}  # fmt: skip


def spelled(value: Any) -> Hashable:
    """DuckDB's equality as Python's."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


def keys_of(columns: list[pa.Array] | list[pa.ChunkedArray]) -> list[tuple[Hashable, ...]]:
    return [tuple(map(spelled, key)) for key in zip(*(column.to_pylist() for column in columns), strict=True)]


def some_rows(rng: random.Random, schema: pa.Schema) -> pa.Table:
    """Slices, NULLs and several chunks among them."""
    rows, nulls = rng.choice([1, 3, 50, 600]), rng.choice([0.0, 0.0, 0.3, 1.0])
    columns = []
    for field in schema:
        values = [None if rng.random() < nulls else rng.choice(VALUES[field.type]) for _ in range(rows + 5)]
        array = pa.array(values, field.type).slice(3, rows)
        cut = rng.randrange(rows + 1)
        columns.append(pa.chunked_array([array.slice(0, cut), array.slice(cut)] if rng.random() < 0.3 else [array]))
    return pa.Table.from_arrays(columns, schema=schema)


@pytest.mark.parametrize("block", range(4))
def test_a_number_a_key(block: int) -> None:
    for seed in range(block * 30, block * 30 + 30):
        rng = random.Random(seed)
        types = rng.sample(list(VALUES), rng.choice([1, 1, 2, 3]))
        schema = pa.schema([pa.field(f"c{i}", dtype) for i, dtype in enumerate(types)])
        numbering, known = KeyNumbering(list(schema)), dict[tuple[Hashable, ...], int]()
        for _ in range(6):
            rows = some_rows(rng, schema)
            found = numbering.number(rows.columns, rows.num_rows).tolist()
            for key, number in zip(keys_of(rows.columns), found, strict=True):
                assert known.setdefault(key, number) == number, f"seed {seed}: {key}"
            assert sorted(known.values()) == list(range(len(numbering))), f"seed {seed}"
            every = np.arange(len(numbering))
            assert {key: n for n, key in enumerate(keys_of(numbering.arrays(every)))} == known, f"seed {seed}"
            if rng.random() < 0.3:  # some are forgotten, and come back as others
                kept = [number for number in every.tolist() if rng.random() < 0.5]
                assert numbering.keep(np.array(kept, dtype=np.int64)).tolist() == list(range(len(kept)))
                numbered = {old: new for new, old in enumerate(kept)}
                known = {key: numbered[n] for key, n in known.items() if n in numbered}


def test_many_keys_come_at_once_and_are_found_again() -> None:
    schema = pa.schema([pa.field("k", pa.string()), pa.field("n", pa.int64())])
    rows = pa.table([[f"key {i % 7000}" for i in range(30_000)], [i % 3 for i in range(30_000)]], schema=schema)
    numbering = KeyNumbering(list(schema))
    first = numbering.number(rows.columns, 30_000)
    assert len(numbering) == len(set(keys_of(rows.columns))) == first.max() + 1
    assert (numbering.number(rows.columns, 30_000) == first).all()
    backwards = numbering.number(rows.take(pa.array(np.arange(30_000)[::-1])).columns, 30_000)
    assert (backwards[::-1] == first).all()


def test_keys_are_numbered_as_they_come() -> None:
    values = np.random.default_rng(5).integers(0, 3_000, 20_000)
    numbering = KeyNumbering([pa.field("k", pa.int64())])
    found = np.concatenate([numbering.number([pa.array(some)], len(some)) for some in np.split(values, [7, 1_000])])
    firsts = np.sort(np.unique(values, return_index=True)[1])
    assert found[firsts].tolist() == list(range(len(firsts)))
    assert numbering.arrays(found)[0].to_pylist() == values.tolist()


def test_keys_whose_places_are_the_same_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    home = lambda self, words: np.full(max(map(_length, words)), len(self._table) - 2)  # noqa: E731
    monkeypatch.setattr(KeyNumbering, "_home", home)
    column = pa.array([i % 40 for i in range(200)])
    numbering = KeyNumbering([pa.field("k", pa.int64())])
    found = numbering.number([column], 200)
    assert found.tolist() == [i % 40 for i in range(200)]
    assert (numbering.number([column], 200) == found).all()


def test_no_rows_have_no_numbers() -> None:
    for fields in ([], [pa.field("k", pa.string())]):
        numbering = KeyNumbering(fields)
        assert numbering.number([pa.nulls(0, field.type) for field in fields], 0).tolist() == []
        assert len(numbering) == 0


def _length(word: np.ndarray[Any, Any] | None) -> int:
    return 0 if word is None else len(word)


@pytest.mark.parametrize("keys", [1, 3, 300, 70_000])
def test_rows_by_key(keys: int) -> None:
    rng = np.random.default_rng(keys)
    slots = rng.integers(0, keys, 2_000)
    parts = Parts(slots, keys)
    for slot, start, size in zip(parts.slots, parts.starts, parts.sizes, strict=True):
        assert parts.order[start : start + size].tolist() == np.flatnonzero(slots == slot).tolist()
    assert parts.sizes.sum() == 2_000
    assert parts.slots.tolist() == np.unique(slots).tolist()


NOT_NUMBERED: list[Callable[[], pa.DataType]] = [
    lambda: pa.list_(pa.int64()),
    lambda: pa.struct([("a", pa.int64())]),
    lambda: pa.month_day_nano_interval(),
]


def test_types_of_keys() -> None:
    assert all(map(can_number, VALUES))
    assert not any(can_number(made()) for made in NOT_NUMBERED)
