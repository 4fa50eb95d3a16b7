"""Python functions in the engine: types, NULLs, rows at fault, the same answer for any batching."""

from __future__ import annotations

import datetime as dt
import random
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import comparable, decoded, plan_of
from velostream_nb.core.errors import BindError, StateError
from velostream_nb.core.functions import define
from velostream_nb.core.types import arrow_type
from velostream_nb.engine.calls import apply
from velostream_nb.engine.job import JobEngine


def ran(query: str, tables: dict[str, pa.Table], *functions, sizes=(10_000,)):
    """(rows, rejected) of a run, the same for every batch size."""
    found = []
    for size in sizes:
        engine = JobEngine(plan_of(query, tables), functions={f.name: f for f in functions})
        rows, rejected = [], []
        try:
            for start in range(0, tables["s"].num_rows, size):
                stop = min(start + size, tables["s"].num_rows)
                outcome = engine.tick({"s": [decoded(tables["s"], start, stop)]})
                rows += outcome.rows.to_pylist()
                rejected += outcome.rejected
            rows += engine.tick({}, final=True).rows.to_pylist()
        finally:
            engine.close()
        found.append((comparable(rows), sorted((r.offset, r.reason) for r in rejected)))
    assert all(other == found[0] for other in found)
    return rows, rejected


def numbers(*values: float | None, dtype: str = "DOUBLE") -> dict[str, pa.Table]:
    times = pa.array([BASE_US + n * 1_000_000 for n in range(len(values))], pa.timestamp("us"))
    table = pa.table({"k": ["ab"[n % 2] for n in range(len(values))], "x": pa.array(values, arrow_type(dtype))})
    return {"s": table.append_column("timestamp", times)}


def twice(x: float) -> float:
    if x < 0:
        raise ValueError(f"{x} is\nnegative")
    return x * 2


TWICE = define(twice)
QUERIES = {
    "SELECT": "SELECT twice(x) AS v FROM s",
    "WHERE": "SELECT x AS v FROM s WHERE twice(x) > 5",
    "WHERE with another filter": "SELECT twice(x) AS v FROM s WHERE k = 'a' AND twice(x) > 5",
    "inside an aggregate": "SELECT k, SUM(twice(x)) AS v, window_end FROM s GROUP BY k, TUMBLE(timestamp, INTERVAL 4 SECOND)",
    "of an aggregate": "SELECT k, twice(SUM(x)) AS v, window_end FROM s WHERE x > 0 GROUP BY k, TUMBLE(timestamp, INTERVAL 4 SECOND)",
    "group key": "SELECT twice(x) AS v, COUNT(*) AS c, window_end FROM s GROUP BY twice(x), TUMBLE(timestamp, INTERVAL 4 SECOND)",
    "window function": "SELECT twice(x) - LAG(twice(x), 1, 0) OVER (PARTITION BY k ORDER BY timestamp) AS v FROM s",
    "partition": "SELECT SUM(x) OVER (PARTITION BY twice(x) > 5 ORDER BY timestamp) AS v FROM s",
    "join": "SELECT a.x, twice(b.x) AS v FROM s a JOIN s b ON a.k = b.k AND a.timestamp = b.timestamp",
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_a_function_wherever_an_expression_may_stand(name):
    data = numbers(1, 2, 3, None, 2, 1, 8, 3)
    rows, rejected = ran(QUERIES[name], data, TWICE, sizes=(1, 3, 100))
    expected, _ = ran(QUERIES[name].replace("twice(", "2 * ("), data, sizes=(100,))
    assert comparable(rows) == comparable(expected)
    assert rejected == []


@pytest.mark.parametrize("name", QUERIES)
def test_rows_whose_call_raises_are_set_aside_and_the_rest_is_as_if_they_had_not_come(name):
    data = numbers(1, -2, 3, None, 2, -1, -8, 3, 5)
    sizes = (100,) if name == "of an aggregate" else (1, 4, 100)
    rows, rejected = ran(QUERIES[name], data, TWICE, sizes=sizes)
    kept = {"s": data["s"].filter(pc.or_kleene(pc.is_null(data["s"]["x"]), pc.greater(data["s"]["x"], 0)))}
    expected, _ = ran(QUERIES[name], kept, TWICE, sizes=(100,))
    assert comparable(rows) == comparable(expected)
    if name not in ("of an aggregate", "WHERE with another filter"):
        assert sorted({r.offset for r in rejected}) == [1, 5, 6]
        assert rejected[0].reason == "function twice: ValueError: -2.0 is negative"


def test_fifty_rows_at_fault_among_ten_thousand_do_not_take_a_search_each():
    rng = random.Random(1)
    bad = set(rng.sample(range(10_000), 50))
    data = numbers(*(-1.0 if n in bad else float(n) for n in range(10_000)))
    engine = JobEngine(plan_of("SELECT twice(x) AS v FROM s", data), functions={"twice": TWICE})
    steps = 0
    operator = engine.nodes[-1].operator
    step = operator.step

    def counted(inputs):
        nonlocal steps
        steps += 1
        return step(inputs)

    operator.step = counted
    outcome = engine.tick({"s": [decoded(data["s"], 0, 10_000)]})
    engine.close()
    assert {r.offset for r in outcome.rejected} == bad
    assert outcome.rows.num_rows == 9_950
    assert steps < 120  # two a row at fault; halving would take about 800


VALUES = {
    "DOUBLE": [1.5, float("nan"), None], "BIGINT": [2**60, -1, None], "BOOLEAN": [True, None], "VARCHAR": ["é", "", None],
    "BLOB": [b"\xff", None], "DECIMAL(38,18)": [Decimal("0.1"), None], "HUGEINT": [Decimal(10) ** 30, None],
    "TIMESTAMP": [dt.datetime(2024, 1, 1, 0, 0, 0, 1), None], "TIMESTAMPTZ": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None],
    "DATE": [dt.date(2024, 1, 1), None], "TIME": [dt.time(1, 2, 3), None], "INTERVAL": [(0, 1, 1_000), None],
    "DOUBLE[]": [[1.5, None], [], None], "STRUCT(a BIGINT, b VARCHAR)": [{"a": 1, "b": None}, None],
    "MAP(VARCHAR, BIGINT)": [[("a", 1), ("b", None)], [], None], "UBIGINT": [2**64 - 1, None],
}  # fmt: skip


def same(x):
    return x


@pytest.mark.parametrize("vectorized", [False, True])
@pytest.mark.parametrize("dtype", VALUES)
def test_values_of_every_type_go_through_unchanged(dtype, vectorized):
    data = numbers(*VALUES[dtype], dtype=dtype)
    expected, _ = ran("SELECT x AS v FROM s", data)
    for parameters in (None, [dtype]):
        function = define(same, returns=dtype, parameters=parameters, vectorized=vectorized)
        rows, rejected = ran("SELECT same(x) AS v FROM s", data, function)
        assert rejected == []
        assert repr(rows) == repr(expected)


def test_a_scalar_function_sees_plain_python_values():
    seen: list[object] = []
    column = pa.array([[("a", 1)]], arrow_type("MAP(VARCHAR, BIGINT)"))
    apply(define(lambda x: seen.append(x), name="f", returns="DOUBLE"), [column])
    interval = pa.array([(1, 2, 3_000)], pa.month_day_nano_interval())
    apply(define(lambda x: seen.append(x), name="f", returns="DOUBLE"), [interval])
    assert seen == [{"a": 1}, dt.timedelta(days=32, microseconds=3)]


def or_zero(x: float | None, y: float | None) -> float | None:
    return None if x is None and y is None else (x or 0) + (y or 0)


def test_null_in_is_null_out_unless_the_function_wants_to_be_called():
    columns = [pa.array([1.0, None, None]), pa.array([2.0, 2.0, None])]
    assert apply(define(or_zero), columns)[0].to_pylist() == [3.0, None, None]
    assert apply(define(or_zero, null="call"), columns)[0].to_pylist() == [3.0, 2.0, None]
    rows, _ = ran("SELECT or_zero(x, NULL) AS v FROM s", numbers(1, None), define(or_zero, null="call"))
    assert [row["v"] for row in rows] == [1.0, None]


def total(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    assert len(x)
    assert isinstance(x, np.ndarray)
    return x + y


def total_of_series(x: pd.Series, y: pd.Series) -> pd.Series:
    assert isinstance(x, pd.Series)
    return x + y


def total_of_columns(x: pa.Array, y: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([pc.add(x, y)])


@pytest.mark.parametrize("function", [total, total_of_series, total_of_columns])
def test_columns_of_every_form(function):
    made = define(function, name="total", returns="DOUBLE", vectorized=True)
    data = numbers(*(None if n % 7 == 0 else float(n) for n in range(5_000)))
    rows, _ = ran("SELECT total(x, x) AS v FROM s", data, made, sizes=(5_000, 777))
    assert [row["v"] for row in rows] == [None if n % 7 == 0 else 2.0 * n for n in range(5_000)]


def test_a_vectorised_function_that_raises_loses_only_the_rows_at_fault():
    root = define(lambda x: pc.sqrt_checked(x), name="root", returns="DOUBLE", vectorized=True)
    rows, rejected = ran("SELECT root(x) AS v FROM s", numbers(4, -1, 9, -4), root, sizes=(1, 3, 4))
    assert [row["v"] for row in rows] == [2.0, 3.0]
    assert {r.reason for r in rejected} == {"function root: ArrowInvalid: square root of negative number"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda x: pc.sum(x), "returned DoubleScalar, which is no column"),
        (lambda x: pa.concat_arrays([x, x]), "returned 2 values for 1 rows"),
        (lambda x: pa.array(["abc"] * len(x)), "returned a column of string, which is no DOUBLE"),
        (lambda x: None, "returned NoneType, which is no column"),
    ],
)
def test_a_vectorised_function_that_gives_no_such_column(answer, reason):
    function = define(answer, name="f", returns="DOUBLE", vectorized=True)
    rows, rejected = ran("SELECT f(x) AS v FROM s", numbers(1, 2), function)
    assert rows == []
    assert len(rejected) == 2
    assert rejected[0].reason.startswith(f"function f {reason}")


@pytest.mark.parametrize(
    ("dtype", "answer", "expected"),
    [
        ("DOUBLE", "abc", "returned 'abc', which is no DOUBLE"),
        ("DOUBLE", True, "returned True, which is no DOUBLE"),
        ("DOUBLE", Decimal("1.5"), 1.5),
        ("DOUBLE", 2**70, float(2**70)),
        ("BIGINT", 1.5, "returned 1.5, which is no BIGINT"),
        ("BIGINT", 2.0, 2),
        ("BIGINT", np.int32(3), 3),
        ("BIGINT", 2**63, "returned 9223372036854775808, which is no BIGINT"),
        ("DECIMAL(10,2)", 1.005, Decimal("1.01")),
        ("DECIMAL(10,2)", Decimal("0.125"), Decimal("0.13")),
        ("DECIMAL(3,2)", 10, "returned 10, which is no DECIMAL(3,2)"),
        ("VARCHAR", 5, "returned 5, which is no VARCHAR"),
        ("VARCHAR", "\ud800", "returned '\\ud800', which is no VARCHAR"),
        ("BOOLEAN", 1, "returned 1, which is no BOOLEAN"),
        ("DOUBLE[]", (1, 2), [1.0, 2.0]),
        ("MAP(VARCHAR, BIGINT)", {"a": 1}, [("a", 1)]),
        ("INTERVAL", dt.timedelta(days=1), pa.MonthDayNano((0, 1, 0))),
    ],
)
def test_answers_are_taken_for_what_they_are(dtype, answer, expected):
    array, wrong = apply(define(lambda x: answer, name="f", returns=dtype), [pa.array([1, None])])
    if isinstance(expected, str):
        assert [str(error) for error in wrong.values()] == [expected]
        assert array.to_pylist() == [None, None]
    else:
        assert (array.to_pylist(), wrong) == ([expected, None], {})


def test_a_function_without_parameters_is_called_once_a_row_if_it_is_not_deterministic():
    calls = iter(range(1, 1_000))
    function = define(lambda: next(calls), name="ticket", returns="BIGINT", deterministic=False)
    rows, _ = ran("SELECT ticket() AS v FROM s", numbers(*range(5)), function)
    assert [row["v"] for row in rows] == [1, 2, 3, 4, 5]


def test_an_unknown_function_gets_near_names_ours_and_duckdbs():
    with pytest.raises(BindError, match="unknown function 'twise'\nhint: did you mean twice"):
        ran("SELECT twise(x) FROM s", numbers(1), TWICE)
    with pytest.raises(BindError, match=r"unknown function '(?i:uper)'\nhint: did you mean upper"):
        ran("SELECT uper(k) FROM s", numbers(1), TWICE)


def test_wrong_arguments_show_the_signature():
    with pytest.raises(
        BindError, match=r"there is no (?i:twice)\(VARCHAR\)\nhint: you defined twice\(x DOUBLE\) -> DOUBLE"
    ):
        ran("SELECT twice(k) FROM s", numbers(1), TWICE)


def test_a_snapshot_is_refused_when_the_function_was_changed(tmp_path: Path):
    data = numbers(1, 2)
    plan = plan_of("SELECT SUM(twice(x)) OVER (ORDER BY timestamp) AS v FROM s", data)

    def engine(function) -> JobEngine:
        return JobEngine(plan, state_dir=str(tmp_path), functions={"twice": function})

    first = engine(TWICE)
    first.save(tmp_path / "s.duckdb")
    first.close()
    again, changed = engine(define(twice)), engine(define(lambda x: x * 3, name="twice", returns="DOUBLE"))
    again.load(tmp_path / "s.duckdb")
    with pytest.raises(StateError, match="different query"):
        changed.load(tmp_path / "s.duckdb")
    again.close()
    changed.close()


def test_a_call_costs_microseconds():
    data = numbers(*map(float, range(20_000)))
    engine = JobEngine(plan_of("SELECT twice(x) AS v FROM s", data), functions={"twice": TWICE})
    batch = decoded(data["s"], 0, 20_000)
    engine.tick({"s": [batch]})
    began_s = time.process_time()
    engine.tick({"s": [batch]})
    engine.close()
    assert (time.process_time() - began_s) / 20_000 < 20e-6
