"""Joins of streams equal DuckDB in batch: every kind, shape and bound, over disorder, partitions and restarts."""

from __future__ import annotations

import datetime as dt
import random

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from tests.engine.data import BASE_US, market, maybe, orders, positions, table, times
from tests.engine.harness import (
    assert_one_answer,
    batch,
    comparable,
    decoded,
    partitioned,
    plan_of,
    stream,
    stream_partitions,
)
from velostream_nb.core.errors import UnsupportedError
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.plan import IntervalJoin, walk

DISORDER_US = 2_000_000

TRADES = pa.schema(
    [("k", pa.int64()), ("x", pa.int64()), ("tag", pa.string()), ("ts", pa.timestamp("us"))],
)


def trades(rng: random.Random, rows: int, *, disorder_us: int = 0) -> pa.Table:
    made = [
        {
            "k": maybe(rng, rng.randrange(4), 0.1),
            "x": rng.randrange(10),
            "tag": rng.choice("abc"),
            "ts": ts - ts % 500_000,
        }
        for ts in times(rng, rows, disorder_us=disorder_us)
    ]
    return table(made, TRADES)


def tables(seed: int, disorder_us: int = 0) -> dict[str, pa.Table]:
    rng = random.Random(seed)
    made = {name: trades(rng, rows, disorder_us=disorder_us) for name, rows in (("a", 50), ("b", 45), ("c", 40))}
    return {
        **made,
        "market_data": market(rng, 60, disorder_us=disorder_us),
        "trading_positions": positions(rng, 40, disorder_us=disorder_us),
        "order_book_updates": orders(rng, 40, disorder_us=disorder_us),
    }


_NEAR = "a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '1' SECOND"
_AFTER = "a.k = b.k AND b.ts >= a.ts + INTERVAL '1' SECOND AND b.ts <= a.ts + INTERVAL '4' SECOND"
_BEFORE = "a.k = b.k AND b.ts <= a.ts - INTERVAL '1' SECOND AND b.ts >= a.ts - INTERVAL '4' SECOND"
_EACH = "a.k, a.x, a.ts, b.k AS bk, b.x AS bx, b.ts AS bts"
_BUCKET = "time_bucket(INTERVAL 5 SECOND, ts, TIMESTAMP '1970-01-01')"


def _bars(source: str) -> tuple[str, str]:
    """The same bars for us and for DuckDB."""
    mine = f"SELECT k, window_start, window_end, SUM(x) AS s FROM {source} GROUP BY k, TUMBLE(ts, INTERVAL '5' SECOND)"
    its = (
        f"SELECT k, {_BUCKET} AS window_start, {_BUCKET} + INTERVAL 5 SECOND AS window_end, SUM(x) AS s FROM {source} "
        "GROUP BY ALL"
    )
    return mine, its


def _with_bars(query: str) -> tuple[str, str]:
    (mine_a, its_a), (mine_b, its_b) = _bars("a"), _bars("b")
    return f"WITH u AS ({mine_a}), v AS ({mine_b}) {query}", f"WITH u AS ({its_a}), v AS ({its_b}) {query}"


CASES: dict[str, str | tuple[str, str]] = {
    **{
        f"{kind} join": f"SELECT {_EACH} FROM a {kind} JOIN b ON {_NEAR}" for kind in ("INNER", "LEFT", "RIGHT", "FULL")
    },
    **{
        f"{kind} join, the right side strictly {name}": f"SELECT {_EACH} FROM a {kind} JOIN b ON {on}"
        for kind in ("LEFT", "RIGHT", "FULL")
        for name, on in (("after", _AFTER), ("before", _BEFORE))
    },
    **{f"{kind} join": f"SELECT a.k, a.x, a.tag, a.ts FROM a {kind} JOIN b ON {_NEAR}" for kind in ("SEMI", "ANTI")},
    **{
        f"{kind} join, {name}": f"SELECT k, x, tag, ts FROM a {kind} JOIN b ON {on}"
        for kind in ("SEMI", "ANTI")
        for name, on in (("after", _AFTER), ("before", _BEFORE))
    },
    **{
        f"{kind} join, conjuncts of one side stay in ON": (
            f"SELECT {_EACH} FROM a {kind} JOIN b ON {_NEAR} AND a.x > 3 AND b.tag <> 'c' AND a.tag < b.tag"
        )
        for kind in ("LEFT", "RIGHT", "FULL")
    },
    **{
        f"{kind} join, WHERE of each side": (
            f"SELECT {_EACH} FROM a {kind} JOIN b ON {_NEAR} "
            "WHERE (a.x > 2 OR a.x IS NULL) AND (b.x < 8 OR b.x IS NULL) AND coalesce(a.tag, b.tag) <> 'a'"
        )
        for kind in ("LEFT", "RIGHT", "FULL")
    },
    "left join that WHERE makes an anti join": f"SELECT a.k, a.x FROM a LEFT JOIN b ON {_NEAR} WHERE b.ts IS NULL",
    "left join whose times WHERE compares": (
        "SELECT a.k, a.x, b.x AS y FROM a LEFT JOIN b ON a.k = b.k "
        "WHERE b.ts BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND"
    ),
    "no equality": "SELECT a.x, b.x AS y FROM a FULL JOIN b ON a.x > b.x AND abs(epoch_ms(a.ts) - epoch_ms(b.ts)) <= 700",
    "left join without a time bound": (
        "SELECT a.x, b.x AS y FROM a LEFT JOIN b ON a.k = b.k",
        "SELECT a.x, b.x AS y FROM a LEFT JOIN b ON a.k = b.k AND abs(a.__ts - b.__ts) <= 1000000",
    ),
    "self join, full": (
        "SELECT p.x, q.x AS y FROM a p FULL JOIN a q ON p.k = q.k AND p.tag <> q.tag "
        "AND q.ts BETWEEN p.ts AND p.ts + INTERVAL '2' SECOND"
    ),
    **{
        f"using, {kind or 'inner'}": (
            f"SELECT * FROM a {kind} JOIN (SELECT k, ts, x AS y FROM b) b2 USING (k, ts)",
            f"SELECT k, ts, a.x, tag, y FROM a {kind} JOIN (SELECT k, ts, x AS y FROM b) b2 USING (k, ts)",
        )
        for kind in ("", "LEFT", "RIGHT", "FULL")
    },
    "natural": (
        "SELECT * FROM a NATURAL LEFT JOIN (SELECT k, ts, x AS y FROM b)",
        "SELECT k, ts, x, tag, y FROM a NATURAL LEFT JOIN (SELECT k, ts, x AS y FROM b)",
    ),
    "using over three inputs": (
        "SELECT k, ts, a.x, b.x AS y, c.x AS z FROM a FULL JOIN b USING (k, ts) FULL JOIN c USING (k, ts)"
    ),
    "three inputs, bounds against the first": (
        "SELECT a.x, b.x AS y, c.x AS z FROM a JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '2' SECOND "
        "JOIN c ON c.k = a.k AND c.ts BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND"
    ),
    "three inputs, bounds against the second": (
        f"SELECT a.x, b.x AS y, c.x AS z FROM a JOIN b ON {_NEAR} "
        "LEFT JOIN c ON c.k = a.k AND c.ts BETWEEN b.ts - INTERVAL '1' SECOND AND b.ts + INTERVAL '1' SECOND"
    ),
    "left joins in a row": (
        f"SELECT a.x, b.x AS y, c.x AS z FROM a LEFT JOIN b ON {_NEAR} "
        "LEFT JOIN c ON c.k = a.k AND abs(epoch_ms(c.ts) - epoch_ms(a.ts)) <= 1500"
    ),
    "a filter waits for the right join after it": (
        f"SELECT a.x, b.x AS y, c.x AS z FROM a JOIN b ON {_NEAR} "
        "RIGHT JOIN c ON c.k = a.k AND abs(epoch_ms(c.ts) - epoch_ms(a.ts)) <= 1500 WHERE a.x > 4 OR a.x IS NULL"
    ),
    "comma join with WHERE": (
        "SELECT a.x, b.x AS y, c.x AS z FROM a, b, c WHERE a.k = b.k AND b.k = c.k AND a.x > 2 AND c.x < 9 "
        "AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '2' SECOND AND c.ts BETWEEN b.ts AND b.ts + INTERVAL '2' SECOND"
    ),
    "join in brackets": (
        "SELECT a.x, b.x AS y, c.x AS z FROM a LEFT JOIN (b JOIN c ON b.k = c.k AND "
        "c.ts BETWEEN b.ts AND b.ts + INTERVAL '2' SECOND) ON a.k = b.k AND "
        "b.ts BETWEEN a.ts - INTERVAL '2' SECOND AND a.ts + INTERVAL '2' SECOND"
    ),
    "join in brackets under a name": (
        "SELECT a.x, z.tag, z.tag_1 AS other FROM a LEFT JOIN (b JOIN c USING (ts)) AS z ON a.k = z.k AND a.ts = z.ts"
    ),
    "brackets first": (
        "SELECT a.x, b.x AS y, c.x AS z FROM (a SEMI JOIN c ON a.ts = c.ts) RIGHT JOIN b ON a.k = b.k AND a.ts = b.ts, c "
        "WHERE c.ts = b.ts",
        "SELECT a.x, b.x AS y, c.x AS z FROM (SELECT * FROM a SEMI JOIN c ON a.ts = c.ts) a "
        "RIGHT JOIN b ON a.k = b.k AND a.ts = b.ts, c WHERE c.ts = b.ts",
    ),
    "joins of CTEs and subqueries": (
        "WITH big AS (SELECT k, x * 2 AS d, ts FROM a WHERE x > 3) SELECT big.d, s.x FROM big "
        "FULL JOIN (SELECT k, x, ts FROM b WHERE tag <> 'a') s ON big.k = s.k AND s.ts BETWEEN big.ts AND big.ts + INTERVAL '5' SECOND"
    ),
    "join of a join's result": (
        f"WITH j AS (SELECT a.k, a.x, b.x AS y, a.ts FROM a JOIN b ON {_NEAR}) "
        "SELECT j.x, j.y, c.x AS z FROM j LEFT JOIN c ON j.k = c.k AND c.ts BETWEEN j.ts AND j.ts + INTERVAL '1' SECOND"
    ),
    **{
        f"window join, {kind}": _with_bars(
            f"SELECT u.k, u.window_end AS e, v.k AS vk, u.s, v.s AS t FROM u {kind} JOIN v "
            "ON u.window_start = v.window_start AND u.window_end = v.window_end AND u.k = v.k"
        )
        for kind in ("INNER", "LEFT", "FULL")
    },
    "window join by the start alone": _with_bars(
        "SELECT k, window_start, u.s, v.s AS t FROM u FULL JOIN v USING (k, window_start)"
    ),
    "rows of equal windows": (
        "WITH l AS (SELECT * FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '3' SECOND))), "
        "r AS (SELECT * FROM TABLE(TUMBLE(TABLE b, DESCRIPTOR(ts), INTERVAL '3' SECOND))) "
        "SELECT l.x, r.x AS y, l.window_end AS e FROM l LEFT JOIN r ON l.k = r.k AND l.window_start = r.window_start AND l.window_end = r.window_end",
        "SELECT l.x, r.x AS y, l.w + INTERVAL 3 SECOND AS e "
        "FROM (SELECT *, time_bucket(INTERVAL 3 SECOND, ts, TIMESTAMP '1970-01-01') AS w FROM a) l "
        "LEFT JOIN (SELECT *, time_bucket(INTERVAL 3 SECOND, ts, TIMESTAMP '1970-01-01') AS w FROM b) r "
        "ON l.k = r.k AND l.w = r.w",
    ),
    "times that are computed": (
        "SELECT p.x, q.x AS y FROM (SELECT k, x, ts + INTERVAL '3' SECOND AS due FROM a) p "
        "LEFT JOIN (SELECT k, x, time_bucket(INTERVAL 2 SECOND, ts) AS slot FROM b) q "
        "ON p.k = q.k AND q.slot BETWEEN p.due - INTERVAL '2' SECOND AND p.due + INTERVAL '1' SECOND",
        "SELECT p.x, q.x AS y FROM (SELECT k, x, ts + INTERVAL '3' SECOND AS due FROM a) p "
        "LEFT JOIN (SELECT k, x, time_bucket(INTERVAL 2 SECOND, ts, TIMESTAMP '1970-01-01') AS slot FROM b) q "
        "ON p.k = q.k AND q.slot BETWEEN p.due - INTERVAL '2' SECOND AND p.due + INTERVAL '1' SECOND",
    ),
    "semi join of windows": _with_bars("SELECT k, s FROM u SEMI JOIN v USING (k, window_start, window_end)"),
    "windows over a left join": (
        f"SELECT window_end, COUNT(*) AS n, COUNT(b_x) AS m FROM (SELECT a.ts, b.x AS b_x FROM a LEFT JOIN b ON {_NEAR}) "
        "GROUP BY TUMBLE(ts, INTERVAL '5' SECOND)",
        f"SELECT {_BUCKET} + INTERVAL 5 SECOND AS window_end, COUNT(*) AS n, COUNT(b_x) AS m FROM "
        f"(SELECT a.ts, b.x AS b_x FROM a LEFT JOIN b ON {_NEAR}) GROUP BY 1",
    ),
    "windows over a full join by its common time": (
        "SELECT window_end, COUNT(a.x) AS n, COUNT(b.x) AS m FROM a FULL JOIN b USING (k, ts) "
        "GROUP BY TUMBLE(ts, INTERVAL '5' SECOND)",
        f"SELECT {_BUCKET} + INTERVAL 5 SECOND AS window_end, COUNT(ax) AS n, COUNT(bx) AS m FROM "
        "(SELECT ts, a.x AS ax, b.x AS bx FROM a FULL JOIN b USING (k, ts)) GROUP BY 1",
    ),
    "windows over an anti join": (
        f"SELECT window_end, SUM(x) AS s FROM a ANTI JOIN b ON {_AFTER} GROUP BY TUMBLE(ts, INTERVAL '5' SECOND)",
        f"SELECT {_BUCKET} + INTERVAL 5 SECOND AS window_end, SUM(x) AS s FROM "
        f"(SELECT * FROM a ANTI JOIN b ON {_AFTER}) GROUP BY 1",
    ),
    "order over a left join": (
        f"SELECT x, y, LAG(x) OVER () AS before FROM (SELECT a.x, b.x AS y FROM a LEFT JOIN b ON {_AFTER})",
        "SELECT x, y, LAG(x) OVER (ORDER BY t, p, q) AS before FROM (SELECT a.x, b.x AS y, greatest(a.__ts, b.__ts) AS t, "
        f"a.__pos AS p, coalesce(b.__pos, -1) AS q FROM a LEFT JOIN b ON {_AFTER})",
    ),
    "order over a semi join": (
        f"SELECT x, LAG(x) OVER (ORDER BY ts) AS before FROM a SEMI JOIN b ON {_AFTER}",
        f"SELECT x, LAG(x) OVER (ORDER BY __ts, __pos) AS before FROM (SELECT * FROM a SEMI JOIN b ON {_AFTER})",
    ),
    "constants": (
        "SELECT a.x, v.name, w.y FROM a JOIN (VALUES (1, 'one'), (2, 'two')) AS v(k, name) USING (k) "
        "CROSS JOIN (SELECT 7 AS y UNION ALL SELECT 8) w"
    ),
    "constants by name": (
        "WITH least AS (SELECT 3 AS x, 'b' AS tag), v(k, name) AS (VALUES (1, 'one'), (2, 'two')), "
        "w AS (SELECT * FROM (VALUES (1), (2)) AS n(y)) "
        "SELECT a.x, v.name, w.y FROM a CROSS JOIN least AS l JOIN v USING (k), w WHERE a.x > l.x AND a.tag <= l.tag"
    ),
    "constants first": "SELECT v.name, a.x FROM (VALUES (1, 'one'), (2, 'two')) AS v(k, name) JOIN a ON a.k = v.k",
    "semi join with constants": "SELECT x FROM a SEMI JOIN (VALUES (1), (2)) AS v(k) ON a.k = v.k",
    "anti join with constants": "SELECT x FROM a ANTI JOIN (VALUES (1), (2)) AS v(k) USING (k)",
    "unnest of a column": (
        "SELECT s.x, u.e FROM (SELECT x, [x, x + 1] AS l FROM a) s, UNNEST(s.l) AS u(e)",
        "SELECT x, unnest([x, x + 1]) AS e FROM a",
    ),
}


def _pair(name: str) -> tuple[str, str]:
    found = CASES[name]
    return (found, found) if isinstance(found, str) else found


@pytest.mark.parametrize("disorder_us", [0, DISORDER_US], ids=["in order", "disorder"])
@pytest.mark.parametrize("name", CASES)
def test_stream_equals_batch(name, disorder_us, tmp_path):
    query, oracle = _pair(name)
    delay = {"watermark.delay": f"{disorder_us}us"}
    data = tables(3, disorder_us)
    batches, restarts = ((1, None), tmp_path) if disorder_us else ((10**9,), None)
    answer = assert_one_answer(query, oracle, data, settings=delay, tmp_path=restarts, batches=batches)
    assert answer, "a case that gives no rows proves nothing"


@pytest.mark.parametrize("name", CASES)
def test_partitions_interleaved_in_any_way(name):
    query, oracle = _pair(name)
    data = tables(4, DISORDER_US)
    rng = random.Random(len(name))
    dealt = partitioned(data, 3, rng)
    expected = comparable(batch(oracle, {t: pa.concat_tables(parts) for t, parts in dealt.items()}))
    run = stream_partitions(plan_of(query, data, {"watermark.delay": f"{DISORDER_US}us"}), dealt, rng)
    assert comparable(run.rows) == expected
    assert run.late == 0


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith(" join")])
def test_one_side_empty(name):
    data = tables(5)
    data["b"] = data["b"].slice(0, 0)
    query, oracle = _pair(name)
    assert_one_answer(query, oracle, data, batches=(None,))


def test_padded_rows_come_when_nothing_can_match_them_any_more():
    """The left row at 0 s may meet right rows from 0 to 2 s: it is alone once the right side is past 2 s."""
    data = {n: table([{"k": 1, "x": 0, "tag": n, "ts": BASE_US}], TRADES) for n in "ab"}
    plan = plan_of("SELECT a.tag, b.tag AS other FROM a LEFT JOIN b ON a.k = b.k AND a.x <> b.x AND "
                   "b.ts BETWEEN a.ts AND a.ts + INTERVAL '2' SECOND", data)  # fmt: skip
    engine = JobEngine(plan)
    assert engine.tick({"a": [decoded(data["a"], 0, 1)]}).rows.num_rows == 0
    for after_us, rows in ((1_000_000, 0), (2_000_000, 0), (2_000_001, 1)):
        at = table([{"k": 1, "x": 0, "tag": "b", "ts": BASE_US + after_us}], TRADES)
        assert engine.tick({"b": [decoded(at, 0, 1)]}).rows.num_rows == rows
    engine.close()


def test_rows_that_wait_hold_the_watermark_back():
    """Else a window downstream closes before its padded row comes."""
    data = tables(6)
    plan = plan_of(f"SELECT a.ts, b.x FROM a LEFT JOIN b ON {_AFTER}", data)
    engine = JobEngine(plan)
    done = dict.fromkeys("ab", 0)
    announced = -(2**62)
    rng = random.Random(1)
    while any(done[t] < data[t].num_rows for t in done):
        topic = rng.choice("ab")
        stop = min(data[topic].num_rows, done[topic] + rng.choice([1, 5]))
        outcome = engine.tick({topic: [decoded(data[topic], done[topic], stop)]} if stop > done[topic] else {})
        done[topic] = stop
        for row in outcome.rows.filter(pa.compute.is_null(outcome.rows.column("x"))).column("ts").to_pylist():
            assert int(row.replace(tzinfo=dt.UTC).timestamp() * 1e6) >= announced
        assert outcome.watermark_us >= announced, "a watermark never falls"
        announced = outcome.watermark_us
    engine.close()


@pytest.mark.parametrize("kind", ["INNER", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"])
def test_late_rows_neither_match_nor_come_alone_and_no_batching_changes_that(kind):
    base = [(1, 0), (1, 10), (2, 1), (1, 20), (3, 19), (1, 30)]
    made = [{"k": k, "x": n, "tag": "a", "ts": BASE_US + s * 1_000_000} for n, (k, s) in enumerate(base)]
    data = {"a": table(made, TRADES), "b": table(made, TRADES)}
    columns = "a.x" if kind in ("SEMI", "ANTI") else "a.x, b.x AS y"
    plan = plan_of(f"SELECT {columns} FROM a {kind} JOIN b ON {_NEAR}", data)
    runs = [stream(plan, data, batch_rows=n, rng=random.Random(0)) for n in (1, 2, 100, None)]
    in_time = {n: t.filter(pa.array([x not in (2, 4) for x in t.column("x").to_pylist()])) for n, t in data.items()}
    expected = comparable(batch(f"SELECT {columns} FROM a {kind} JOIN b ON {_NEAR}", in_time))
    for run in runs:
        assert comparable(run.rows) == expected
        assert run.late == 4


@pytest.mark.parametrize("kind", ["INNER", "LEFT", "FULL", "SEMI", "ANTI"])
def test_state_stays_flat_over_a_long_run(kind):
    rng = random.Random(2)
    columns = "a.x" if kind in ("SEMI", "ANTI") else "a.x, b.x AS y"
    data = {n: trades(rng, 10, disorder_us=0) for n in "ab"}
    engine = JobEngine(plan_of(f"SELECT {columns} FROM a {kind} JOIN b ON {_NEAR}", data))
    sizes, out = [], 0
    for tick in range(300):
        span = {}
        for n in "ab":
            ts = BASE_US + tick * 1_000_000 + np.sort(np.random.default_rng(tick).integers(0, 1_000_000, 500))
            k = np.random.default_rng(tick + ord(n)).integers(0, 2_000, 500)
            rows = pa.table([k, k, pa.array(["t"] * 500), pa.array(ts).cast(pa.timestamp("us"))], schema=TRADES)
            span[n] = [decoded(rows, 0, 500)]
        out += engine.tick(span).rows.num_rows
        join = next(s for s in engine.stats() if s.name == "interval join")
        sizes.append((join.state_rows, join.state_bytes))
    assert out > 300
    assert max(sizes[150:])[0] <= 1.1 * max(sizes[20:150])[0] <= 5_000
    assert max(b for _, b in sizes[150:]) <= 1.1 * max(b for _, b in sizes[20:150])
    engine.close()


def _bounds(query: str) -> tuple[int, int]:
    *_, node = (n for n in walk(plan_of(query, tables(1)).root) if isinstance(n, IntervalJoin))
    return node.low_us, node.high_us


def test_window_joins_keep_no_window_longer_than_needed():
    mine, _ = _with_bars("SELECT u.s FROM u JOIN v ON u.k = v.k AND u.window_start = v.window_start")
    assert _bounds(mine) == (0, 0)


def test_bounds_follow_columns_through_joins_and_ctes():
    query = (
        f"WITH j AS (SELECT b.ts AS bts, a.k FROM a JOIN b ON {_AFTER}) "
        "SELECT c.x FROM j JOIN c ON j.k = c.k AND c.ts BETWEEN j.bts AND j.bts + INTERVAL '1' SECOND"
    )
    assert _bounds(query) == (-1_000_000, 0)


def test_the_default_bound_is_told():
    plan = plan_of("SELECT a.x FROM a LEFT JOIN b ON a.k = b.k", tables(1), {"join.within": "3s"})
    (note,) = plan.notes
    assert "a and b" in note
    assert "3 s" in note
    assert "join.within" in note


REFUSED = {
    "SELECT 1 AS one FROM a POSITIONAL JOIN b": ("POSITIONAL", "ON a key"),
    "SELECT a.x FROM a LEFT JOIN b": ("LEFT JOIN without ON", "ON a.key = b.key"),
    "SELECT a.x FROM a NATURAL JOIN (SELECT x AS other, ts AS t FROM b)": ("no column in common", "ON a.x = b.y"),
    "SELECT a.x FROM a JOIN b USING (nothing)": ("no column 'nothing'", "ON a.x = b.y"),
    "SELECT a.x FROM a JOIN a ON a.k = a.k": ("two inputs are named 'a'", "alias"),
    "SELECT a.x FROM a RIGHT JOIN (VALUES (1)) AS v(k) ON a.k = v.k": ("RIGHT JOIN with constants", "LEFT JOIN"),
    "SELECT a.x FROM a JOIN (VALUES (1)) AS v ON TRUE": ("column names", "AS v(x, y)"),
    "SELECT a.x FROM a, LATERAL (SELECT x FROM b WHERE b.k = a.k) z": ("LATERAL", "join with ON"),
    "SELECT a.x FROM a JOIN b ON a.k = b.k AND a.ts >= b.ts + INTERVAL '9' SECOND": ("one side only", "BETWEEN"),
    "SELECT a.x FROM a JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts + INTERVAL '9' SECOND AND a.ts": ("exclude", "swap"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_refused_by_name_at_its_place_with_a_rewrite(query):
    what, instead = REFUSED[query]
    with pytest.raises(UnsupportedError) as caught:
        plan_of(query, tables(1))
    assert what in caught.value.message
    assert instead in (caught.value.hint or "")
    assert caught.value.place is not None
