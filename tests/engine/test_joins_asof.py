"""ASOF joins in every direction equal DuckDB in batch; ties are broken as the plan says."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, maybe, table, times
from tests.engine.harness import (
    assert_one_answer,
    batch,
    comparable,
    decoded,
    partitioned,
    plan_of,
    stream_partitions,
)
from velostream_nb.core.errors import BindError, UnsupportedError
from velostream_nb.engine.job import JobEngine

DISORDER_US = 2_000_000
TRADES = pa.schema([("k", pa.int32()), ("x", pa.int64()), ("f", pa.float64()), ("ts", pa.timestamp("us"))])
QUOTES = pa.schema([("k", pa.int64()), ("q", pa.int64()), ("f", pa.float64()), ("ts", pa.timestamp("us"))])
_BUCKET = "time_bucket(INTERVAL 5 SECOND, ts, TIMESTAMP '1970-01-01')"


def tables(seed: int, disorder_us: int = 0) -> dict[str, pa.Table]:
    rng = random.Random(seed)

    def rows(count: int, value: str) -> list[dict[str, object]]:
        return [
            {"k": maybe(rng, rng.randrange(3), 0.1), value: n, "f": rng.choice([0.0, -0.0, 1.5, float("nan")]),
             "ts": ts - ts % 250_000}
            for n, ts in enumerate(times(rng, count, disorder_us=disorder_us))
        ]  # fmt: skip

    made = {"t": table(rows(50, "x"), TRADES), "u": table(rows(40, "x"), TRADES)}
    return {**made, "q": table(rows(60, "q"), QUOTES)}


def _quotes(forward: bool, keys: str = "k") -> str:
    """The quotes without those that ties pass over: DuckDB may take any of a tie."""
    order = "__pos" if forward else "__pos DESC"
    return f"(SELECT * FROM q QUALIFY row_number() OVER (PARTITION BY {keys}, __ts ORDER BY {order}) = 1)"


CASES: dict[str, tuple[str, str]] = {
    **{
        f"{side} {op} {moved}".strip(): tuple(
            f"SELECT t.k, t.x, q.q, q.ts AS quoted FROM t ASOF {side} JOIN {quotes} q ON t.k = q.k "
            f"AND t.ts{moved} {op} q.ts"
            for quotes in ("q", _quotes(op[0] == "<"))
        )
        for side in ("", "LEFT")
        for op in (">=", ">", "<=", "<")
        for moved in ("", " + INTERVAL '3' SECOND", " - INTERVAL '2' SECOND")
    },
    "the other way round": (
        "SELECT t.x, q.q FROM t ASOF JOIN q ON q.ts - INTERVAL '1' SECOND <= t.ts AND q.k = t.k",
        f"SELECT t.x, q.q FROM t ASOF JOIN {_quotes(False)} q ON q.ts - INTERVAL '1' SECOND <= t.ts AND q.k = t.k",
    ),
    "without a key": (
        "SELECT t.x, q.q FROM t ASOF LEFT JOIN q ON t.ts >= q.ts",
        f"SELECT t.x, q.q FROM t ASOF LEFT JOIN {_quotes(False, '1')} q ON t.ts >= q.ts",
    ),
    "using": (
        "SELECT k, ts, x, q FROM t ASOF JOIN q USING (k, ts)",
        f"SELECT t.k, t.ts, x, q FROM t ASOF JOIN {_quotes(False)} q ON t.k = q.k AND t.ts >= q.ts",
    ),
    "expressions as keys": (
        "SELECT t.x, q.q FROM t ASOF LEFT JOIN q ON t.k + 1 = q.k AND t.ts >= q.ts",
        f"SELECT t.x, q.q FROM t ASOF LEFT JOIN {_quotes(False)} q ON t.k + 1 = q.k AND t.ts >= q.ts",
    ),
    "floats as keys: NaN is NaN, -0.0 is 0.0": (
        "SELECT t.x, q.q FROM t ASOF LEFT JOIN q ON t.f = q.f AND t.ts >= q.ts",
        f"SELECT t.x, q.q FROM t ASOF LEFT JOIN {_quotes(False, 'f')} q ON t.f = q.f AND t.ts >= q.ts",
    ),
    "WHERE of the left side": (
        "SELECT t.x, q.q FROM t ASOF LEFT JOIN q ON t.k = q.k AND t.ts <= q.ts WHERE t.x > 10 AND (q.q < 50 OR q.q IS NULL)",
        f"SELECT t.x, q.q FROM t ASOF LEFT JOIN {_quotes(True)} q ON t.k = q.k AND t.ts <= q.ts "
        "WHERE t.x > 10 AND (q.q < 50 OR q.q IS NULL)",
    ),
    "two in a row": (
        "SELECT t.x, q.q, r.q AS later FROM t ASOF JOIN q ON t.k = q.k AND t.ts >= q.ts "
        "ASOF LEFT JOIN q r ON t.k = r.k AND t.ts < r.ts",
        f"SELECT t.x, q.q, r.q AS later FROM t ASOF JOIN {_quotes(False)} q ON t.k = q.k AND t.ts >= q.ts "
        f"ASOF LEFT JOIN {_quotes(True)} r ON t.k = r.k AND t.ts < r.ts",
    ),
    "by a time that is not the join's own": (
        "SELECT j.x, j.y, q.q FROM (SELECT t.x, u.x AS y, t.k, t.ts FROM t JOIN u ON t.k = u.k "
        "AND u.ts BETWEEN t.ts AND t.ts + INTERVAL '2' SECOND) j ASOF JOIN q ON j.k = q.k AND j.ts >= q.ts",
        "SELECT j.x, j.y, q.q FROM (SELECT t.x, u.x AS y, t.k, t.ts FROM t JOIN u ON t.k = u.k "
        "AND u.ts BETWEEN t.ts AND t.ts + INTERVAL '2' SECOND) j "
        f"ASOF JOIN {_quotes(False)} q ON j.k = q.k AND j.ts >= q.ts",
    ),
    "times that are computed": (
        "SELECT p.x, q.q FROM (SELECT k, x, ts + INTERVAL '3' SECOND AS due FROM t) p "
        "ASOF LEFT JOIN q ON p.k = q.k AND p.due >= q.ts",
        f"SELECT t.x, q.q FROM t ASOF LEFT JOIN {_quotes(False)} q ON t.k = q.k AND t.ts + INTERVAL '3' SECOND >= q.ts",
    ),
    "windows over it": (
        "SELECT window_end, COUNT(q.q) AS n, COUNT(*) AS m FROM t ASOF LEFT JOIN q ON t.k = q.k AND t.ts < q.ts "
        "GROUP BY TUMBLE(t.ts, INTERVAL '5' SECOND)",
        f"SELECT {_BUCKET} + INTERVAL 5 SECOND AS window_end, COUNT(q) AS n, COUNT(*) AS m FROM "
        f"(SELECT t.ts, q.q FROM t ASOF LEFT JOIN {_quotes(True)} q ON t.k = q.k AND t.ts < q.ts) GROUP BY 1",
    ),
    "order over it": (
        "SELECT x, q, LAG(x) OVER () AS before FROM t ASOF LEFT JOIN q ON t.k = q.k AND t.ts < q.ts",
        "SELECT x, q, LAG(x) OVER (ORDER BY __ts, __pos) AS before FROM (SELECT t.x, q.q, t.__ts, t.__pos FROM t "
        f"ASOF LEFT JOIN {_quotes(True)} q ON t.k = q.k AND t.ts < q.ts)",
    ),
}


@pytest.mark.parametrize("disorder_us", [0, DISORDER_US], ids=["in order", "disorder"])
@pytest.mark.parametrize("name", CASES)
def test_stream_equals_batch(name, disorder_us, tmp_path):
    query, oracle = CASES[name]
    delay = {"watermark.delay": f"{disorder_us}us"}
    batches, restarts = ((1, None), tmp_path) if disorder_us else ((10**9,), None)
    data = tables(3, disorder_us)
    assert assert_one_answer(query, oracle, data, settings=delay, tmp_path=restarts, batches=batches)


@pytest.mark.parametrize("name", CASES)
def test_partitions_interleaved_in_any_way(name):
    query, oracle = CASES[name]
    data = tables(4, DISORDER_US)
    rng = random.Random(len(name))
    dealt = partitioned(data, 3, rng)
    expected = comparable(batch(oracle, {t: pa.concat_tables(parts) for t, parts in dealt.items()}))
    run = stream_partitions(plan_of(query, data, {"watermark.delay": f"{DISORDER_US}us"}), dealt, rng)
    assert comparable(run.rows) == expected


def _rows(schema: pa.Schema, name: str, *rows: tuple[int, int, float]) -> pa.Table:
    """(k, value, seconds)."""
    return table([{"k": k, name: v, "f": 0.0, "ts": BASE_US + int(s * 1e6)} for k, v, s in rows], schema)


def test_the_earliest_row_after_is_certain_once_the_watermark_is_past_it():
    data = {"t": _rows(TRADES, "x", (1, 0, 10)), "q": _rows(QUOTES, "q", (1, 0, 12), (2, 1, 12), (2, 2, 12.5))}
    engine = JobEngine(plan_of("SELECT t.x, q.q FROM t ASOF JOIN q ON t.k = q.k AND t.ts <= q.ts", data))
    engine.tick({"t": [decoded(data["t"], 0, 1)]})
    assert engine.tick({"q": [decoded(data["q"], 0, 1)]}).rows.num_rows == 0
    assert engine.tick({"q": [decoded(data["q"], 1, 2)]}).rows.num_rows == 0, "a row at 12 s may still come"
    assert engine.tick({"q": [decoded(data["q"], 2, 3)]}).rows.to_pylist() == [{"x": 0, "q": 0}]
    engine.close()


@pytest.mark.parametrize("op", [">=", ">", "<=", "<"])
def test_state_stays_flat_even_for_a_key_without_quotes(op):
    data = {"t": _rows(TRADES, "x", (1, 0, 0)), "q": _rows(QUOTES, "q", (1, 0, 0))}
    engine = JobEngine(plan_of(f"SELECT t.x, q.q FROM t ASOF JOIN q ON t.k = q.k AND t.ts {op} q.ts", data))
    starved = _rows(TRADES, "x", (99, 0, 0))
    engine.tick({"t": [decoded(starved, 0, 1)]})
    sizes, out = [], 0
    for n in range(200):
        trades = _rows(TRADES, "x", *((k, n, n + k / 100) for k in range(20)))
        quotes = _rows(QUOTES, "q", *((k, n, n + k / 100) for k in range(20)))
        out += engine.tick({"t": [decoded(trades, 0, 20)], "q": [decoded(quotes, 0, 20)]}).rows.num_rows
        sizes.append(sum(s.state_rows for s in engine.stats()))
    assert out > 3_500
    assert max(sizes[100:]) <= max(sizes[5:100]) <= 100
    engine.close()


def test_keys_of_different_widths_are_compared_by_value():
    wide = pa.schema([("k", pa.uint64()), ("q", pa.int64()), ("f", pa.float64()), ("ts", pa.timestamp("us"))])
    data = {"t": _rows(TRADES, "x", (5, 0, 1), (-1, 1, 1)), "q": _rows(wide, "q", (5, 7, 0), (2**64 - 1, 8, 0))}
    query = "SELECT t.x, q.q FROM t ASOF LEFT JOIN q ON t.k = q.k AND t.ts >= q.ts"
    assert_one_answer(query, query, data, batches=(None,))


REFUSED = {
    "SELECT t.x FROM t ASOF JOIN q ON t.k = q.k": ("compares no times", "t.ts >= q.ts"),
    "SELECT t.x FROM t ASOF JOIN q ON t.k = q.k AND t.x >= q.q": ("event times", "t.ts >= q.ts"),
    "SELECT t.x FROM t ASOF JOIN q ON t.ts >= q.ts AND t.ts <= q.ts + INTERVAL '9' SECOND": ("one comparison", "WHERE"),
    "SELECT t.x FROM t ASOF JOIN q ON t.ts >= q.ts AND t.x <> q.q": ("equalities", "WHERE"),
    "SELECT t.x FROM t ASOF LEFT JOIN q ON t.ts >= q.ts AND q.q > 3": ("equalities", "SELECT * FROM q WHERE"),
    "SELECT t.x FROM t ASOF RIGHT JOIN q ON t.ts >= q.ts": ("RIGHT join", "on the left"),
    "SELECT t.x FROM t ASOF FULL JOIN q ON t.ts >= q.ts": ("FULL join", "on the left"),
    "SELECT g.n FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) g ASOF JOIN q ON g.k >= q.k": (
        "changelog",
        "FOR SYSTEM_TIME",
    ),
}


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_name_at_its_place_with_a_rewrite(query):
    what, instead = REFUSED[query]
    with pytest.raises(UnsupportedError) as caught:
        plan_of(query, tables(1))
    assert what in caught.value.message
    assert instead in (caught.value.hint or "")
    assert caught.value.place is not None


def test_keys_of_types_that_do_not_go_together_are_refused_before_the_first_row():
    with pytest.raises(BindError) as caught:
        JobEngine(plan_of("SELECT t.x FROM t ASOF JOIN q ON t.x = q.f AND t.ts >= q.ts", tables(1)))
    assert "CAST" in (caught.value.hint or "")
    query = "SELECT t.x, q.q FROM t ASOF JOIN q ON t.x = CAST(q.q AS BIGINT) AND t.ts >= q.ts"
    JobEngine(plan_of(query, tables(1))).close()


def test_waiting_for_what_comes_after_is_told():
    (note,) = plan_of("SELECT t.x, q.q FROM t ASOF JOIN q ON t.k = q.k AND t.ts < q.ts", tables(1)).notes
    assert "waits" in note
