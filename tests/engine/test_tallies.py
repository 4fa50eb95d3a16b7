"""Aggregates as tallies: exact, the same for any batches, bounded by groups and different values; equal to DuckDB."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from tests.engine import test_changes as changelogs
from tests.engine.data import BASE_US
from tests.engine.harness import assert_one_answer, decoded, plan_of, stream
from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.types import HUGEINT
from velostream_nb.engine import groups, windows
from velostream_nb.engine.duck import Statement
from velostream_nb.engine.huge_sums import HugeSum
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.key_numbering import KeyNumbering
from velostream_nb.engine.numbering import Numbering, PairNumbering, parts_of
from velostream_nb.engine.tallied_groups import TalliedGroups
from velostream_nb.engine.tallied_slices import TalliedSlices
from velostream_nb.engine.tallies import Chosen, Extreme, RealSum, WholeSum
from velostream_nb.engine.windows import WindowAggregate

WAITING = 2_048
"""So many rows may wait until they are added up."""
START = BASE_US - BASE_US % 60_000_000
SCHEMA = pa.schema(
    [
        ("k", pa.string()),
        ("j", pa.int16()),
        ("i", pa.int64()),
        ("u", pa.uint32()),
        ("d", pa.float64()),
        ("f", pa.float32()),
        ("s", pa.string()),
        ("b", pa.bool_()),
        ("n", pa.decimal128(12, 2)),
        ("e", pa.timestamp("us")),
        ("timestamp", pa.timestamp("us")),
    ]
)
KEYS = ("k", "j", "b", "n", "f", "e", "i % 3", "upper(s)")
ARGUMENTS = {
    "count": ("*", "k", "i", "d", "n", "i + u"),
    "sum": ("i", "j", "u", "d", "f", "i // 7", "CASE WHEN b THEN j END"),
    "avg": ("i", "j", "u", "d", "f"),
    "min": ("i", "j", "u", "d", "f", "s", "e", "timestamp"),
    "max": ("i", "j", "u", "d", "f", "s", "e", "lower(s)"),
    "count DISTINCT": ("i", "j", "s", "d", "n", "b", "e", "i % 5"),
    "sum DISTINCT": ("i", "j", "u"),
    "avg DISTINCT": ("i", "j"),
}
FILTERS = ("", "", "b", "NOT b", "d > 1", "i IS NULL", "s < 'c' OR j = 2")


def rows(seed: int, count: int = 110) -> pa.Table:
    """Rows up to 2 s out of order, whose doubles add up exactly in any order."""
    rng = random.Random(seed)
    whole = [0, 1, -1, 7, 2**40, -(2**61), 2**62, None]
    real = [0.0, -0.0, 0.25, 1.5, -3.0, 2.0**40, None]
    if seed % 3 == 0:
        real += [math.nan, math.inf]
    made = [
        {
            "k": rng.choice(["x", "y", "", "ü", None]),
            "j": rng.choice([1, 2, 3, -4, None]),
            "i": rng.choice(whole),
            "u": rng.choice([0, 5, 2**32 - 1, None]),
            "d": rng.choice(real),
            "f": rng.choice([0.5, -0.0, 0.0, 2.0, None]),
            "s": rng.choice(["a", "B", "c", "ccc", "é", "\U0001f600", "\uffee", "", None]),
            "b": rng.choice([True, False, None]),
            "n": rng.choice([0, 1, 3, None]),
            "e": rng.choice([START, START - 1, START + 86_400_000_000, None]),
            "timestamp": START + number * 300_000 - rng.randrange(2_000_000),
        }
        for number in range(count)
    ]
    return pa.Table.from_pylist(made, schema=SCHEMA)


def calls(rng: random.Random) -> str:
    """Some aggregates, each with a name."""
    found = []
    for number in range(rng.randint(1, 5)):
        name = rng.choice(list(ARGUMENTS))
        function, _, distinct = name.partition(" ")
        where = rng.choice(FILTERS)
        call = f"{function}({distinct} {rng.choice(ARGUMENTS[name])})"
        found.append(f"{call}{f' FILTER (WHERE {where})' if where else ''} AS a{number}")
    return ", ".join(found)


def by(rng: random.Random) -> list[str]:
    return rng.sample(KEYS, rng.choice([0, 1, 1, 2, 3]))


@pytest.fixture(params=["tallies", "states"])
def either(request, monkeypatch):
    """Both ways of keeping partial results."""
    if request.param == "states":
        monkeypatch.setattr(windows, "tallied_slices", lambda *_: None)
        monkeypatch.setattr(groups, "tallied_groups", lambda *_: None)
    return request.param


WINDOWS = {
    "TUMBLE(timestamp, 10s)": "[__ts - __ts % 10000000 + 10000000]",
    "HOP(timestamp, 5s, 15s)": "range(__ts - __ts % 5000000 + 5000000, __ts - __ts % 5000000 + 15000001, 5000000)",
    "CUMULATE(timestamp, 5s, 20s)": "range(__ts - __ts % 5000000 + 5000000, __ts - __ts % 20000000 + 20000001, 5000000)",
}


@pytest.mark.parametrize("seed", range(5))
def test_random_aggregates_over_windows_equal_batch(seed, either, tmp_path):
    rng = random.Random(seed)
    window, ends = rng.choice(list(WINDOWS.items()))
    keys, items = by(rng), calls(rng)
    named = "".join(f"{key} AS k{n}, " for n, key in enumerate(keys))
    query = f"SELECT {named}{items}, window_end AS w FROM t GROUP BY {', '.join([*keys, window])}"
    expanded = f"(SELECT *, unnest({ends}) AS __end FROM t)"
    oracle = f"SELECT {named}{items}, make_timestamp(__end) AS w FROM {expanded} GROUP BY {', '.join([*keys, '__end'])}"
    assert_one_answer(
        query,
        oracle,
        {"t": rows(seed)},
        settings={"watermark.delay": "2s"},
        seed=seed,
        tmp_path=tmp_path,
        batches=(1, 13, None),
    )


@pytest.mark.parametrize("seed", range(5))
def test_random_aggregates_of_groups_equal_batch_at_every_tick(seed, either, tmp_path):
    rng = random.Random(seed + 100)
    keys, items = by(rng), calls(rng)
    named = "".join(f"{key} AS k{n}, " for n, key in enumerate(keys))
    query = f"SELECT {named}{items} FROM t" + (f" GROUP BY {', '.join(keys)}" if keys else "")
    assert_one_answer(query, query, {"t": rows(seed)}, seed=seed, tmp_path=tmp_path, batches=(1, 13, None))


TAKES_BACK = ("count", "sum", "avg", "count DISTINCT", "sum DISTINCT", "avg DISTINCT")


@pytest.mark.parametrize("seed", range(4))
def test_random_aggregates_of_a_changelog_equal_batch_at_every_tick(seed, tmp_path):
    """Rows of a keyed topic are replaced and deleted; every group, and the groups' own group, follows."""
    rng = random.Random(seed)
    table = rows(seed, 120)
    ids = pa.array([rng.randrange(25) for _ in range(table.num_rows)])
    ops = [rng.choice(["upsert", "upsert", "upsert", "delete"]) for _ in range(table.num_rows)]
    topics = changelogs.Topics(t=changelogs.Topic(table.append_column("id", ids), ("id",), ops))
    items = []
    for number in range(3):
        name = rng.choice(TAKES_BACK)
        function, _, distinct = name.partition(" ")
        argument = rng.choice([a for a in ARGUMENTS[name] if a not in ("d", "f")])
        where = rng.choice(FILTERS)
        items.append(f"{function}({distinct} {argument}){f' FILTER (WHERE {where})' if where else ''} AS a{number}")
    keys = rng.choice([["k"], ["j", "b"], []])
    grouped = f" GROUP BY {', '.join(keys)}" if keys else ""
    query = f"SELECT {''.join(f'{k}, ' for k in keys)}{', '.join(items)} FROM t{grouped}"
    plan, _ = changelogs.follow(query, topics, seed=seed, tmp_path=tmp_path)
    assert is_tallied(plan)
    changelogs.follow("SELECT COUNT(*) AS c, SUM(n) AS s FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k)", topics)


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_sums_follow_their_groups(seed, tmp_path):
    table = rows(seed, 150)
    topics = changelogs.Topics(t=changelogs.Topic(table))
    calls = "COUNT(v) AS c, SUM(v) AS s, AVG(v) AS a, SUM(DISTINCT v) AS d, SUM(v) FILTER (WHERE v > 3) AS f"
    query = f"SELECT {calls} FROM (SELECT k, j, SUM(u) - 7 * COUNT(*) AS v FROM t GROUP BY k, j)"
    plan, _ = changelogs.follow(query, topics, seed=seed, tmp_path=tmp_path)
    engine = JobEngine(plan)
    assert isinstance(engine.nodes[-1].operator.groups, TalliedGroups)
    engine.close()


def is_tallied(plan) -> bool:
    engine = JobEngine(plan)
    try:
        stores = [getattr(n.operator, "groups", None) or getattr(n.operator, "slices", None) for n in engine.nodes]
        return any(isinstance(store, TalliedGroups | TalliedSlices) for store in stores)
    finally:
        engine.close()


@pytest.mark.parametrize(("greatest", "found"), [(True, [math.nan, 2.0]), (False, [1.0, 2.0])])
def test_nan_is_greater_than_every_number_and_no_reason_to_warn(greatest, found):
    tally = Extreme(np.dtype(np.float64), greatest=greatest)
    tally.grow(2)
    tally.add(Chosen(np.array([0, 0, 1]), np.array([math.nan, 1.0, 2.0])))
    answer = tally.final(np.array([0, 1]))
    np.testing.assert_array_equal(answer.numbers, found)


def test_what_numbers_cannot_keep_is_duckdbs():
    table = {"t": rows(0, 1)}
    for call in ("median(d)", "sum(n)", "sum(DISTINCT d)", "max(s, 2)", "min(b)", "count(DISTINCT (i, j))"):
        assert not is_tallied(plan_of(f"SELECT k, {call} AS a FROM t GROUP BY k, TUMBLE(timestamp, 10s)", table)), call
    assert not is_tallied(plan_of("SELECT count(*) AS a FROM t GROUP BY {'a': i}, TUMBLE(timestamp, 10s)", table))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, SUM(x) AS s, AVG(x) AS a FROM t GROUP BY k",
        "SELECT k, window_end, SUM(x) AS s, AVG(x) AS a FROM t GROUP BY k, HOP(timestamp, 10s, 30s)",
    ],
)
def test_no_batching_changes_a_bit_of_a_sum_of_doubles(query):
    rng = random.Random(5)
    made = [{"k": rng.choice("ab"), "x": rng.uniform(-1, 1) * 10 ** rng.randrange(12)} for _ in range(400)]
    table = pa.Table.from_pylist(made).append_column(
        "timestamp", pa.array([START + n * 200_000 for n in range(400)], pa.timestamp("us"))
    )
    plan = plan_of(query, {"t": table})
    answers = []
    for size in (1, 7, 100, 400):
        run = stream(plan, {"t": table}, batch_rows=size, rng=random.Random(0))
        last = {(row["k"], row.get("window_end")): (row["s"], row["a"]) for row in run.rows}
        answers.append(last)
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "query", ["GROUP BY k", "GROUP BY k, TUMBLE(timestamp, 1h)", "GROUP BY k, HOP(timestamp, 30m, 1h)"]
)
def test_distinct_holds_groups_and_different_values_alone(query, tmp_path):
    count = 20_000
    columns = {
        "k": pa.array([f"k{n % 4}" for n in range(count)]),
        "x": pa.array([n * 7 % 50 for n in range(count)]),
        "timestamp": pa.array([START + n * 50_000 for n in range(count)], pa.timestamp("us")),
    }
    table = pa.table(columns)
    call = "COUNT(DISTINCT x) AS n, SUM(DISTINCT x) FILTER (WHERE x > 10) AS s"
    engine = JobEngine(plan_of(f"SELECT k, {call} FROM t {query}", {"t": table}), state_dir=str(tmp_path))
    waiting = WAITING if "timestamp" in query else 0
    for start in range(0, count, 500):
        engine.tick({"t": [decoded(table, start, start + 500)]})
        assert sum(s.state_rows for s in engine.stats()) <= 2 * (4 + 4 * 50) + waiting
    engine.save(tmp_path / "state.duckdb")
    assert (tmp_path / "state.duckdb").stat().st_size < 3_000_000
    engine.close()


def test_windows_of_ever_new_keys_forget_them():
    count = 60_000
    columns = {
        "k": pa.array([f"key {n}" for n in range(count)]),
        "x": pa.array(np.arange(count)),
        "timestamp": pa.array(START + np.arange(count) * 10_000).cast(pa.timestamp("us")),
    }
    table = pa.table(columns)
    query = "SELECT k, window_end, COUNT(DISTINCT x) AS n FROM t GROUP BY k, TUMBLE(timestamp, 10s)"
    engine = JobEngine(plan_of(query, {"t": table}))
    (window,) = (n.operator for n in engine.nodes if isinstance(n.operator, WindowAggregate))
    assert isinstance(window.slices, TalliedSlices)
    sizes = []
    for start in range(0, count, 500):
        engine.tick({"t": [decoded(table, start, start + 500)]})
        sizes.append(sum(s.state_bytes for s in engine.stats()))
    assert max(sizes[60:]) <= 1.2 * max(sizes[:60])
    engine.tick({}, final=True)
    assert sum(s.state_rows + s.state_bytes for s in engine.stats()) == 0
    engine.close()


IMBALANCE = """
    SELECT k, SUM(j) FILTER (WHERE s = 'a') AS a, SUM(j) FILTER (WHERE s = 'B' AND j > 0) AS b, COUNT(*) AS many,
    window_end AS w
    FROM t GROUP BY k, HOP(timestamp, 5s, 15s)
"""


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """What DuckDB is asked to compute from the first tick on."""
    found, rows_of = [], Statement.rows
    monkeypatch.setattr(Statement, "rows", lambda self, *numbers: (found.append(self.sql), rows_of(self, *numbers))[1])
    return found


@pytest.mark.parametrize(("having", "some"), [("", False), ("HAVING many > 99", False), ("HAVING many % 2 = 1", True)])
def test_plain_columns_and_conditions_need_no_statement(having, some, asked):
    table = {"t": rows(1, 300)}
    engine = JobEngine(plan_of(IMBALANCE + having, table, {"watermark.delay": "2s"}))
    asked.clear()
    found = [engine.tick({"t": [decoded(table["t"], at, at + 3)]}).rows.num_rows for at in range(0, 300, 3)]
    assert (sum(found) > 20) is ("99" not in having)
    assert bool(asked) is some
    assert len(asked) <= 50
    engine.close()


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_wait_count_whatever_happens_before_they_are_added_up(seed, tmp_path):
    """Many ticks of few rows without a window that closes, late rows among them; stopped and started in between."""
    table = rows(seed, 400)
    ends = "range(__ts - __ts % 5000000 + 5000000, __ts - __ts % 5000000 + 15000001, 5000000)"
    oracle = f"""
        SELECT k, SUM(j) FILTER (WHERE s = 'a') AS a, SUM(j) FILTER (WHERE s = 'B' AND j > 0) AS b, COUNT(*) AS many,
        make_timestamp(__end) AS w FROM (SELECT *, unnest({ends}) AS __end FROM t) GROUP BY k, __end
    """
    settings = {"watermark.delay": "2s"}
    assert_one_answer(
        IMBALANCE, oracle, {"t": table}, settings=settings, seed=seed, tmp_path=tmp_path, batches=(1, 2, 50, None)
    )


def test_rows_wait_no_longer_than_is_said():
    count = 9_000
    table = pa.table(
        {
            "k": pa.array(["x", "y", None] * (count // 3)),
            "i": pa.array(np.arange(count)),
            "timestamp": pa.array(START + np.arange(count) * 1_000).cast(pa.timestamp("us")),
        }
    )
    plan = plan_of("SELECT k, SUM(i) AS s, window_end FROM t GROUP BY k, TUMBLE(timestamp, 1h)", {"t": table})
    engine, held = JobEngine(plan), []
    for start in range(0, count, 30):
        engine.tick({"t": [decoded(table, start, start + 30)]})
        held.append(sum(s.state_rows for s in engine.stats()))
    assert 30 <= max(held) <= WAITING + 3
    assert sum(engine.tick({}, final=True).rows.column("s").to_pylist()) == count * (count - 1) // 2
    engine.close()


# -- the parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [3, 500, 1 << 62])
def test_numbers_are_dense_and_stay(most):
    rng = np.random.default_rng(most % 97)
    numbering, known = Numbering(), {}
    for size in (1, 0, 700, 5_000, 3, 5_000):
        integers = rng.integers(-most, most, size)
        found = numbering.number(integers)
        for integer, number in zip(integers.tolist(), found.tolist(), strict=True):
            assert known.setdefault(integer, number) == number
    assert sorted(known.values()) == list(range(len(numbering)))
    assert numbering.known.tolist() == [k for k, _ in sorted(known.items(), key=lambda item: item[1])]


@pytest.mark.parametrize("spread", [(4, 9), (60, 2_000), (3, 1 << 20), (1 << 20, 1 << 20)])
def test_pairs_are_numbered_densely_whether_few_or_most_may_be(spread):
    rng = np.random.default_rng(spread[1])
    numbering, known = PairNumbering(), {}
    assert (numbering.number(np.empty(0, np.int64), np.empty(0, np.int64)).tolist(), numbering.nbytes) == ([], 0)
    for share in (0.001, 0.1, 1.0, 0.5):
        first, second = (rng.integers(0, max(1, int(most * share)), 3_000) for most in spread)
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        for pair, number in zip(pairs, numbering.number(first, second).tolist(), strict=True):
            assert known.setdefault(pair, number) == number
    assert sorted(known.values()) == list(range(len(numbering)))
    firsts, seconds = parts_of(numbering.known)
    assert dict(zip(zip(firsts.tolist(), seconds.tolist(), strict=True), range(len(known)), strict=True)) == known
    assert numbering.nbytes <= 200_000 + 80 * len(known)


def keyed(*columns: Mapping[str, object]) -> tuple[KeyNumbering, list[pa.ChunkedArray]]:
    arrays = [pa.chunked_array([pa.array(c["values"], c["type"])]) for c in columns]
    return KeyNumbering([pa.field(f"c{i}", a.type) for i, a in enumerate(arrays)]), arrays


def test_keys_are_equal_where_duckdb_finds_them_so():
    nan, other_nan = np.array([0x7FF8000000000000, 0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    numbering, arrays = keyed({"values": [0.0, -0.0, nan, other_nan, None, None, 1.0], "type": pa.float64()})
    found = numbering.number(arrays, 7).tolist()
    assert (found[0], found[2], found[4]) == (found[1], found[3], found[5])
    assert len(set(found)) == len(numbering) == 4


def test_keys_come_back_as_they_were():
    values = [None, "a", "", "é", "a", None]
    numbers = [3, None, 3, 2**60, 3, None]
    days = [1, 2, None, 1, 2, 1]
    numbering, arrays = keyed(
        {"values": values, "type": pa.string()},
        {"values": numbers, "type": pa.int64()},
        {"values": days, "type": pa.date32()},
    )
    found = numbering.number(arrays, 6)
    assert [a.to_pylist() for a in numbering.arrays(found)] == [a.to_pylist() for a in arrays]
    kept = numbering.keep(found[[4, 2]])
    assert sorted(kept.tolist()) == [0, 1]
    assert [a.to_pylist() for a in numbering.arrays(kept)] == [a.take(pa.array([4, 2])).to_pylist() for a in arrays]
    assert numbering.number([a.slice(2, 1) for a in arrays], 1).tolist() == [kept[1]]


def whole_numbers(numbers: list[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


def huge_numbers(numbers: list[int]) -> pa.Array:
    return pa.array([0, *numbers, 0], HUGEINT).slice(1, len(numbers))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("kind", "column", "bits"),
    [(WholeSum, whole_numbers, 63), (HugeSum, huge_numbers, 63), (HugeSum, huge_numbers, 118)],
)
def test_sums_are_exact_however_large(kind, column, bits, seed):
    rng = random.Random(seed)
    tally, other, expected, elsewhere = kind(average=False), kind(average=False), [0] * 3, [0] * 2
    tally.grow(3)
    other.grow(2)
    for _ in range(30):
        size = rng.randrange(6)
        extremes = [1, -1, 2**bits - 1, -(2**bits), rng.randrange(-(2**62), 2**62)]
        numbers = [rng.choice(extremes) for _ in range(size)]
        places = [rng.randrange(2) for _ in numbers]
        weights = [rng.choice([1, -1, 3]) for _ in numbers] if rng.random() < 0.5 else None
        for tallied, totals in ((tally, expected), (other, elsewhere)):
            tallied.add(
                Chosen(
                    np.array(places, dtype=np.int64), column(numbers), None if weights is None else np.array(weights)
                )
            )
            for place, number, weight in zip(places, numbers, weights or [1] * size, strict=True):
                totals[place] += number * weight
        if rng.random() < 0.3:
            tally.join(np.array([2, 0]), other, np.array([0, 1]))
            expected[2] += elsewhere[0]
            expected[0] += elsewhere[1]
    tally.parts["n"][:] = 1  # how many there were does not matter here
    sums = tally.final(np.arange(3))
    assert [int(v) for v in sums.array().to_pylist()] == expected


def test_a_sum_beyond_hugeint_is_no_number():
    tally = HugeSum(average=False)
    tally.grow(1)
    tally.add(Chosen(np.zeros(2, dtype=np.int64), pa.array([10**38 - 1] * 2, HUGEINT)))
    with pytest.raises(JobFailedError, match="HUGEINT"):
        tally.final(np.zeros(1, dtype=np.int64))
    tally.add(Chosen(np.zeros(1, dtype=np.int64), pa.array([10**38 - 1], HUGEINT), np.array([-1])))
    assert tally.final(np.zeros(1, dtype=np.int64)).array().to_pylist() == [10**38 - 1]


def test_a_sum_goes_on_where_it_was():
    numbers = np.array([1e16, 1.0, -1e16, 1.0, 3.0])
    whole, parts = RealSum(average=False), RealSum(average=False)
    for tally, batches in ((whole, [slice(0, 5)]), (parts, [slice(n, n + 1) for n in range(5)])):
        tally.grow(1)
        for batch in batches:
            tally.add(Chosen(np.zeros(len(numbers[batch]), dtype=np.int64), numbers[batch]))
    assert whole.parts["sum"].tolist() == parts.parts["sum"].tolist() == [4.0]
