"""Every aggregate that DuckDB has, through a window: states or rows, whatever order rows come in, equals batch."""

from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import batch, comparable, plan_of, stream
from velostream_nb.core.errors import UnsupportedError
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.aggregates import AGGREGATES, MACROS, REFUSED

SCHEMA = pa.schema(
    [
        ("k", pa.string()),
        ("i", pa.int64()),
        ("d", pa.float64()),
        ("s", pa.string()),
        ("b", pa.bool_()),
        ("n", pa.decimal128(12, 2)),
        ("timestamp", pa.timestamp("us")),
    ]
)
START = BASE_US - BASE_US % 60_000_000


def rows(seed: int = 0, count: int = 160) -> dict[str, pa.Table]:
    rng = random.Random(seed)
    made = []
    for number in range(count):
        made.append(
            {
                "k": rng.choice("xy"),
                "i": rng.choice([None, *range(8)]),
                "d": rng.choice([None, *(x / 4 for x in range(9))]),
                "s": rng.choice([None, "a", "b", "c", "dd"]),
                "b": rng.choice([None, True, False]),
                "n": rng.choice([None, *range(6)]),
                "timestamp": START + number * 300_000 - rng.randrange(2_000_000),
            }
        )
    return {"t": pa.Table.from_pylist(made, schema=SCHEMA)}


ORDER = "ORDER BY __ts, __pos"

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "approx_quantile": ("d, 0.3", "i, [0.1, 0.9]"),
    "approx_top_k": ("s, 2",),
    "bitstring_agg": ("i, 0, 8",),
    "bool_and": ("b",),
    "bool_or": ("b",),
    "corr": ("d, i",),
    "count": ("", "s", "*"),
    "count_if": ("b", "d > 1"),
    "count_star": ("",),
    "countif": ("b",),
    "covar_pop": ("d, i",),
    "covar_samp": ("d, i",),
    "decimal_average": ("n",),
    "group_concat": ("s", "s, '-'"),
    "histogram": ("i", "s", "i, [2, 4]"),
    "histogram_exact": ("i, [2, 4]",),
    "listagg": ("s", "s, '-'"),
    "lttb": ("d, i, 3",),
    "max": ("i", "d", "s", "b", "n", "i, 2"),
    "min": ("i", "d", "s", "b", "n", "i, 2"),
    "quantile": ("d, 0.3",),
    "quantile_cont": ("d, 0.3", "d, [0.25, 0.5]", "n, 0.5"),
    "quantile_disc": ("i, 0.3", "s, 0.5"),
    "reservoir_quantile": ("d, 0.3", "d, 0.3, 64"),
    "string_agg": ("s", "s, '-'"),
    "sum_no_overflow": ("i",),
    "weighted_avg": ("d, i",),
    "wavg": ("d, i",),
    "geomean": ("d + 1",),
    "geometric_mean": ("d + 1",),
    "json_group_object": ("coalesce(i, -1), d",),
    "json_group_structure": ("s",),
    "json_group_array": ("d", "s"),
    **dict.fromkeys(
        ("arg_max", "arg_min", "argmax", "argmin", "max_by", "min_by"), ("s, d", "d, i", "b, s", "s, i, 2")
    ),
    **dict.fromkeys(("arg_max_null", "arg_min_null"), ("s, d", "d, s")),
    **dict.fromkeys(("arg_max_nulls_last", "arg_min_nulls_last"), ("s, d", "d, s", "s, i, 2")),
    **dict.fromkeys(("regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2"), ("d, i",)),
    **dict.fromkeys(("regr_slope", "regr_sxx", "regr_sxy", "regr_syy"), ("d, i",)),
    **dict.fromkeys(("any_value", "arbitrary", "array_agg", "first", "last", "list"), ("i", "s", "b", "n")),
    **dict.fromkeys(("approx_count_distinct", "entropy", "median", "mode"), ("i", "s", "b")),
    **dict.fromkeys(("bit_and", "bit_or", "bit_xor"), ("i",)),
    **dict.fromkeys(("avg", "mean", "sum"), ("i", "d", "n")),
    **dict.fromkeys(("favg", "fsum", "kahan_sum", "sumkahan", "product"), ("d", "i")),
    **dict.fromkeys(("kurtosis", "kurtosis_pop", "mad", "sem", "skewness"), ("d", "i")),
    **dict.fromkeys(("stddev", "stddev_pop", "stddev_samp", "var_pop", "var_samp", "variance"), ("d", "i")),
}
UNORDERED = set(MACROS) | {"count", "count_star"}
"""Macros take no ORDER BY, and counting needs none: their oracle reads sorted rows instead."""


def duckdb_aggregates() -> set[str]:
    with duckdb.connect() as con:
        found = con.execute("SELECT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'").fetchall()
    return {name for (name,) in found}


def test_the_list_is_duckdbs_own():
    assert AGGREGATES | set(REFUSED) - set(MACROS) == duckdb_aggregates() | {"variant_group_array"}


def test_every_aggregate_is_tried():
    assert set(ARGUMENTS) == set(AGGREGATES) | set(MACROS)


def oracle(name: str, arguments: str) -> str:
    bucket = "make_timestamp(__ts - __ts % 10000000 + 10000000)"
    ordered = "" if name in UNORDERED else f" {ORDER}"
    return (
        f"SELECT k, {bucket} AS window_end, {name}({arguments}{ordered}) AS v "
        f"FROM (SELECT * FROM t {ORDER}) GROUP BY 1, 2"
    )


CASES = [(name, arguments) for name, each in sorted(ARGUMENTS.items()) for arguments in each]


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=lambda v: v or "()")
def test_equals_batch(name, arguments):
    data = rows()
    query = f"SELECT k, window_end, {name}({arguments}) AS v FROM t GROUP BY k, TUMBLE(timestamp, 10s)"
    plan = plan_of(query, data, {"watermark.delay": "2s"})
    expected = comparable(batch(oracle(name, arguments), data))
    for size in (7, None):
        run = stream(plan, data, batch_rows=size, rng=random.Random(1))
        assert comparable(run.rows) == expected
        assert (run.late, run.rejected) == (0, 0)
    assert expected


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=lambda v: v or "()")
def test_state_can_be_measured_and_kept(name, arguments, tmp_path):
    data = rows(count=40)
    query = f"SELECT k, window_end, {name}({arguments}) AS v FROM t GROUP BY k, TUMBLE(timestamp, 1m)"
    plan = plan_of(query, data, {"watermark.delay": "2s"})
    whole = stream(plan, data, batch_rows=7, rng=random.Random(1))
    restarted = stream(plan, data, batch_rows=7, rng=random.Random(1), restart=tmp_path)
    assert comparable(restarted.rows) == comparable(whole.rows)
    assert whole.peak_state > 0


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_work_is_refused_by_name(name):
    with pytest.raises(UnsupportedError, match=name) as caught:
        plan_of(f"SELECT {name}(i) AS v FROM t GROUP BY TUMBLE(timestamp, 10s)", rows())
    assert caught.value.hint


def test_states_of_few_kinds_of_aggregates_keep_rows():
    """What merges keeps a state a key and slice; the others keep rows, and say so in EXPLAIN."""
    keeping = set()
    for name, arguments in CASES:
        query = f"SELECT {name}({arguments}) AS v FROM t GROUP BY TUMBLE(timestamp, 10s)"
        engine = JobEngine(plan_of(query, rows(count=1)))
        if any("keeps rows" in s.detail for s in engine.stats()):
            keeping.add(name)
        engine.close()
    assert keeping <= {
        "approx_quantile", "approx_top_k", "arg_max", "arg_min", "arg_max_nulls_last", "arg_min_nulls_last", "argmax",
        "argmin", "array_agg", "bitstring_agg", "entropy", "group_concat", "histogram", "histogram_exact", "list",
        "listagg", "lttb", "max", "max_by", "min", "min_by", "mode", "reservoir_quantile", "string_agg",
        "json_group_array", "json_group_object", "json_group_structure",
    }  # fmt: skip
