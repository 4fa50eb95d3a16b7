"""Numbers of keys: equal where keys are, computed once per column, forgotten in time."""

from __future__ import annotations

import gc
import random
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.core.memo import Memo
from velostream_nb.engine import codes
from velostream_nb.engine.words import Words


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    codes.forget()
    yield
    codes.forget()


def table(seed: int, rows: int = 300, keys: int = 7) -> pa.Table:
    rng = random.Random(seed)
    made = [{"a": rng.choice(["x", "y", None]), "b": rng.randrange(keys)} for _ in range(rows)]
    return pa.Table.from_pylist(made, schema=pa.schema([("a", pa.string()), ("b", pa.int64())]))


@pytest.mark.parametrize("columns", [(), ("a",), ("a", "b")])
@pytest.mark.parametrize("rows", [0, 1, 300])
def test_a_partition_is_its_rows_in_the_order_given(columns, rows):
    given = table(1, rows)
    parts = codes.parted(given, columns)
    keys = list(zip(*(given.column(c).to_pylist() for c in columns), strict=True)) if columns else [()] * rows
    found = [
        [keys[i] for i in parts.order[start : start + size]]
        for start, size in zip(parts.starts, parts.sizes, strict=True)
    ]
    assert all(len(set(part)) == 1 for part in found)
    assert sorted(len(part) for part in found) == sorted(keys.count(k) for k in set(keys))
    for start, size in zip(parts.starts, parts.sizes, strict=True):
        assert (np.diff(parts.order[start : start + size]) > 0).all()


@pytest.mark.parametrize("keys", [100, 1_000, 100_000])
def test_many_keys_are_told_apart(keys):
    parts = codes.parted(pa.table({"k": np.arange(keys)[::-1]}), ("k",))
    assert len(parts.starts) == keys


def test_operators_that_read_one_batch_share_the_work():
    given = table(2)
    other = pa.table({"c": given["b"], "a": given["a"], "more": range(300)})
    assert codes.parted(given, ("a", "b")) is codes.parted(given.select(["b", "a"]), ("a", "b"))
    assert codes.parted(other, ("a",)) is codes.parted(given, ("a",))
    assert codes.parted(given, ("b",)) is codes.parted(other, ("c",))


def test_other_rows_are_other_keys():
    given = table(3)
    half = given.slice(0, 150)
    assert len(codes.parted(given, ("b",)).codes) == 300
    assert len(codes.parted(half, ("b",)).codes) == 150
    assert codes.parted(given.slice(150), ("b",)) is not codes.parted(half, ("b",))
    words = [pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(names)) for names in (["p", "q"], ["p", "p"])]
    sizes = [len(codes.parted(pa.table({"k": array}), ("k",)).starts) for array in words]
    assert sizes == [2, 1]


def test_nested_values_that_begin_elsewhere_in_one_buffer_are_other_keys():
    items = pa.array([1, 1, 1, 1, 2, 3])
    sizes = []
    for start in (0, 3):
        given = pa.table({"k": pa.StructArray.from_arrays([items.slice(start, 3)], names=["x"])})
        sizes.append(len(codes.parted(given, ("k",)).starts))
    assert sizes == [1, 3]


def test_texts_are_spelled_once_and_never_written():
    array = pa.array(["a", "b" * 20, None] * 5)
    one, other = (Words([pa.string()]).of([column]) for column in (array, pa.chunked_array([array])))
    assert [a is b for a, b in zip(one, other, strict=True)] == [True] * len(one)
    with pytest.raises(ValueError, match="read-only"):
        one[0][0] = 1
    again = Words([pa.string()]).of([pa.array(array.to_pylist())])
    assert again[0] is not one[0]
    assert again[0].tolist() == one[0].tolist()


def test_long_texts_have_numbers_of_their_own_in_each_job():
    first, second = Words([pa.string()]), Words([pa.string()])
    first.of([pa.array(["x" * 40])])
    array = pa.array(["y" * 40, "short", None])
    ours, theirs = (words.of([array])[0].tolist() for words in (first, second))
    assert ours[0] == theirs[0] + 1
    assert ours[1:] == theirs[1:]


def test_what_is_shared_cannot_be_written():
    parts = codes.parted(table(4), ("b",))
    for array in (parts.codes, parts.order, parts.starts, parts.sizes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_a_memo_is_bounded_and_holds_what_it_was_computed_from():
    memo: Memo[int] = Memo(entries=3, rows=100)
    held = [pa.table({"a": [i]}) for i in range(5)]
    watched = [weakref.ref(t) for t in held]

    def put(key: int, rows: int) -> None:
        assert memo.of(key, lambda: key, held[key] if key < 5 else None, rows) == key

    def known() -> list[int]:
        return [key for key in range(6) if key in memo]

    for key in (0, 1, 2, 0, 3):  # 1 was used longest ago
        put(key, 10)
    assert known() == [0, 2, 3]
    put(4, 95)
    put(5, 101)
    assert known() == [4]
    held.clear()
    gc.collect()
    assert [ref() is not None for ref in watched] == [False, False, False, False, True]
    memo.clear()
    gc.collect()
    assert watched[4]() is None


def test_what_many_threads_ask_for_is_computed_once():
    memo: Memo[int] = Memo(entries=3, rows=100)
    asked, computed = threading.Barrier(4), []

    def compute() -> int:
        computed.append(threading.get_ident())
        if len(computed) == 1:
            raise ArithmeticError("the first one fails, and tells no other")
        return 7

    def ask() -> int | str:
        asked.wait()
        try:
            return memo.of("key", compute, None, 1)
        except ArithmeticError:
            return "failed"

    with ThreadPoolExecutor(4) as pool:
        found = [f.result(timeout=10) for f in [pool.submit(ask) for _ in range(4)]]
    assert sorted(map(str, found)) == ["7", "7", "7", "failed"]
    assert len(computed) == 2
