"""What joins keep is found again as if all of it were looked at: rows by number, rows by key and time."""

from __future__ import annotations

import random
from bisect import insort

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.engine import join_rows
from velostream_nb.engine.bands import Run
from velostream_nb.engine.join_index import Index
from velostream_nb.engine.join_rows import Rows
from velostream_nb.engine.join_side import Side

SCHEMA = pa.schema([("n", pa.int64()), ("s", pa.string()), ("l", pa.list_(pa.int64()))])


def made(first: int, count: int) -> pa.Table:
    numbers = range(first, first + count)
    texts = [None if n % 7 == 0 else f"row {n}" for n in numbers]
    return pa.table([list(numbers), texts, [[n] * (n % 3) for n in numbers]], schema=SCHEMA)


@pytest.mark.parametrize("copied", [0, 1 << 20], ids=["chunk by chunk", "with all between"])
@pytest.mark.parametrize("seed", range(3))
def test_rows_are_read_as_they_came_whatever_was_merged_or_dropped(seed, copied, monkeypatch):
    monkeypatch.setattr(join_rows, "_NEAR", 0)
    monkeypatch.setattr(join_rows, "_FEW", copied)
    rng = random.Random(seed)
    rows, expected = Rows(SCHEMA), made(0, 0)
    for step in range(300):
        batch = made(1_000 * step, rng.choice([0, 1, 5, 40]))
        if rng.random() < 0.3 and batch.num_rows > 1:
            half = batch.num_rows // 2
            batch = pa.concat_tables([batch.slice(0, half), batch.slice(half)])
        before = len(rows)
        rows.append(batch)
        if rng.random() < 0.2:
            rows.truncate(before)
        else:
            expected = pa.concat_tables([expected, batch])
        assert len(rows) == expected.num_rows
        if rng.random() < 0.3:
            some = np.array([rng.randrange(len(rows)) for _ in range(rng.choice([0, 1, 30]) if len(rows) else 0)], int)
            assert rows.some(some).equals(expected.take(pa.array(some, pa.int64())).combine_chunks())
            assert rows.taken([1], some)[0].equals(
                expected.column("s").take(pa.array(some, pa.int64())).combine_chunks()
            )
        if rng.random() < 0.05:
            stay = np.flatnonzero([rng.random() < 0.5 for _ in range(len(rows))])
            rows.keep(stay)
            expected = expected.take(pa.array(stay))
    assert rows.table().combine_chunks().equals(expected.combine_chunks())


def test_rows_that_nobody_reads_are_in_few_chunks_all_the_same():
    rows = Rows(SCHEMA)
    for step in range(1_000):
        rows.append(made(step, 1))
    assert rows.table().column(0).num_chunks < 100
    assert rows.table().column("n").to_pylist() == list(range(1_000))


def run_of(rows: list[tuple[int, int, int]]) -> Run:
    """Of (code, time, row)."""
    codes, times, numbers = (
        np.array(list(part), np.int64) for part in zip(*sorted(rows, key=lambda r: r[:2]), strict=True)
    )
    return Run(numbers, codes, times)


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_an_index_finds_what_looking_at_all_rows_finds(seed, newest):
    """Rows of few keys and of many, in order and not; positions stand against arrival half of the time."""
    rng = random.Random(seed)
    keys, disorder = rng.choice([2, 40]), rng.choice([0, 30])
    position = np.array([rng.randrange(10**6) for _ in range(20_000)]) if seed % 2 else np.arange(20_000)
    index = Index(newest=newest, positions=lambda rows: [position[rows]])
    known: dict[int, list[tuple[int, int, int]]] = {}  # (time, position, row) by key
    number = clock = least = 0
    for step in range(120):
        rows = []
        for _ in range(rng.choice([0, 1, 7, 60])):
            rows.append((rng.randrange(keys), max(least, clock - rng.randrange(disorder + 1)), number))
            number, clock = number + 1, clock + (rng.random() < 0.5)
        rows.sort(key=lambda r: (r[0], r[1], position[r[2]]))
        if rows:
            codes, times, numbers = (np.array(part, np.int64) for part in zip(*rows, strict=True))
            index.add(Run(numbers, codes, times))
        for code, us, row in rows:
            insort(known.setdefault(code, []), (us, int(position[row]), row))
        if step % 4 == 0:
            index.least_us = least = max(least, clock - disorder - rng.randrange(40))
        if step % 30 == 29:
            used = np.sort(index.entries()[0])
            numbers = np.full(number, -1)
            numbers[used] = np.arange(len(used))
            index.keep(numbers)
            position = np.concatenate((position[used], position[number:]))
            known = {
                code: [(us, at, int(numbers[row])) for us, at, row in of_key if numbers[row] >= 0]
                for code, of_key in known.items()
            }
            number = len(used)
        _assert_found(index, known, np.arange(keys + 3), clock - rng.randrange(-2, 20), least)


def _assert_found(
    index: Index, known: dict[int, list[tuple[int, int, int]]], codes: np.ndarray, at: int, least: int
) -> None:
    """Only of times from `least` on: what was before may be gone."""
    low, high = max(at - 9, least), max(at + 4, least)
    first, sizes = index.between(codes, np.full(len(codes), low), np.full(len(codes), high))
    for code, start, size in zip(codes.tolist(), first.tolist(), sizes.tolist(), strict=True):
        expected = [row for us, _, row in known.get(code, []) if low <= us <= high]
        assert index.rows[start : start + size].tolist() == expected
    at = max(at, least)
    for strict in (False, True):
        found = index.nearest(codes, np.full(len(codes), at), forward=True, strict=strict)
        after = {c: [r for us, _, r in rows if us > at or (us == at and not strict)] for c, rows in known.items()}
        assert found.tolist() == [(after.get(c) or [-1])[0] for c in codes.tolist()]
        if not index._newest:
            continue
        found = index.nearest(codes, np.full(len(codes), at), forward=False, strict=strict)
        before = {c: [r for us, _, r in rows if us < at or (us == at and not strict)] for c, rows in known.items()}
        assert found.tolist() == [(before.get(c) or [-1])[-1] for c in codes.tolist()]


def test_an_index_of_keys_that_are_numbered_anew():
    index = Index()
    index.add(run_of([(0, 5, 0), (1, 3, 1), (1, 4, 2), (2, 9, 3)]))
    index.keep(codes=np.array([1, 0, -1, -1]))
    rows, codes = index.entries()
    assert list(zip(codes.tolist(), rows.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 0)]
    assert index.nearest(np.array([0, 1, 2, -1]), np.full(4, 9), forward=False, strict=False).tolist() == [2, 0, -1, -1]


def test_a_copy_of_an_index_goes_its_own_way():
    index = Index()
    index.add(run_of([(0, 5, 0), (3, 3, 1)]))
    other = index.copy()
    other.add(run_of([(0, 4, 2)]))
    assert index.entries()[0].tolist() == [0, 1]
    assert other.entries()[0].tolist() == [2, 0, 1]


def test_times_at_the_ends_of_time():
    index = Index(newest=True)
    index.add(run_of([(0, WATERMARK_MIN_US, 0), (0, WATERMARK_MAX_US, 1)]))
    ends = np.array([-(2**63), WATERMARK_MIN_US, 0, WATERMARK_MAX_US, 2**63 - 1])
    codes = np.zeros(5, np.int64)
    assert index.nearest(codes, ends, forward=False, strict=False).tolist() == [-1, 0, 0, 1, 1]
    assert index.nearest(codes, ends, forward=True, strict=True).tolist() == [0, 1, 1, -1, -1]
    first, sizes = index.between(codes, ends, np.full(5, 2**63 - 1))
    assert sizes.tolist() == [2, 2, 1, 1, 0]
    assert first.tolist() == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("keys", [1, 30, 10_000])
def test_an_index_takes_no_more_room_than_its_rows_need(keys):
    """However long it runs, when what is of no use goes as often as a `Side` lets it."""
    rng = np.random.default_rng(keys)
    index, peak = Index(), 0
    for tick in range(400):
        codes = np.sort(rng.integers(0, keys, 100))
        index.add(Run(np.arange(100), codes, np.full(100, tick)))
        index.least_us = tick - 10
        if tick % 20 == 19:
            index.keep()
        peak = max(peak, index.nbytes if tick > 100 else 0)
    assert peak < 160 * 3_000 + 32 * 2 * keys
    assert len(index) == 1_100


def test_a_side_that_a_failed_tick_has_left_as_it_was():
    side = Side(SCHEMA)
    marks = (np.arange(5, dtype=np.float64),)
    first = side.append(made(0, 5), Run(np.arange(5), np.zeros(5, np.int64), np.arange(5), marks))
    assert first.rows.tolist() == [0, 1, 2, 3, 4]
    counts = side.count, len(side.rows)
    side.append(made(5, 5), Run(np.arange(5), np.zeros(5, np.int64), np.arange(5), marks))
    side.truncate(*counts)
    again = side.append(made(9, 1), Run(np.arange(1), np.zeros(1, np.int64), np.array([7]), (np.array([9.0]),)))
    assert again.rows.tolist() == [5]
    assert side.times.tolist() == [0, 1, 2, 3, 4, 7]
    assert side.marks[0].tolist() == [0, 1, 2, 3, 4, 9]
    assert side.rows.table().column("n").to_pylist() == [0, 1, 2, 3, 4, 9]
