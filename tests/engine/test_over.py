"""Window functions: every frame, wait and rank streams what DuckDB answers in batch."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, MARKET, market, table
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
from tests.engine.over_cases import CHANGING, OVER
from velostream_nb.core.errors import UnsupportedError
from velostream_nb.core.model import WATERMARK_MAX_US
from velostream_nb.engine.job import JobEngine

DISORDER_US = 2_000_000
SECOND = 1_000_000


def tables(seed: int, disorder_us: int, rows: int = 70) -> dict[str, pa.Table]:
    return {"market_data": market(random.Random(seed), rows, disorder_us=disorder_us)}


@pytest.mark.parametrize("disorder_us", [0, DISORDER_US], ids=["in order", "disorder"])
@pytest.mark.parametrize("name", OVER)
def test_stream_equals_batch(name, disorder_us, tmp_path):
    query, oracle = OVER[name]
    delay = {"watermark.delay": f"{disorder_us}us"}
    data = tables(5, disorder_us)
    assert assert_one_answer(query, oracle, data, settings=delay, tmp_path=tmp_path, batches=(9, None))


@pytest.mark.parametrize("name", list(OVER)[::4])
def test_row_by_row_too(name):
    query, oracle = OVER[name]
    assert assert_one_answer(query, oracle, tables(6, 0, rows=40), batches=(1,))


@pytest.mark.parametrize("name", list(OVER)[1::3])
def test_partitions_interleaved_in_any_way(name):
    query, oracle = OVER[name]
    data = tables(7, DISORDER_US)
    plan = plan_of(query, data, {"watermark.delay": f"{DISORDER_US}us"})
    rng = random.Random(1)
    dealt = partitioned(data, 3, rng)
    expected = comparable(batch(oracle, {t: pa.concat_tables(parts) for t, parts in dealt.items()}))
    run = stream_partitions(plan, dealt, rng)
    assert comparable(run.rows) == expected
    assert (run.late, run.rejected) == (0, 0)


@pytest.mark.parametrize("disorder_us", [0, DISORDER_US], ids=["in order", "disorder"])
@pytest.mark.parametrize("name", CHANGING)
def test_changelogs_equal_batch_at_every_tick(name, disorder_us, tmp_path):
    query, oracle = CHANGING[name]
    delay = {"watermark.delay": f"{disorder_us}us"}
    assert assert_one_answer(
        query, oracle, tables(8, disorder_us, rows=50), settings=delay, tmp_path=tmp_path, batches=(3, None)
    )


@pytest.mark.parametrize("name", [*list(OVER)[::3], *list(CHANGING)[::3]])
def test_empty_input_gives_no_rows(name):
    query, _ = {**OVER, **CHANGING}[name]
    empty = {t: v.slice(0, 0) for t, v in tables(1, 0).items()}
    assert stream(plan_of(query, empty), empty, batch_rows=10, rng=random.Random(0)).rows == []


KEYS = {
    "SELECT symbol, price FROM m QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price) = 1": ("symbol",),
    "SELECT symbol, price FROM m QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price) = 3": ("symbol",),
    "SELECT symbol, price, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price) AS r FROM m QUALIFY r < 3": (
        "symbol", "r",
    ),
    "SELECT price FROM m QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price) = 1": None,
    "SELECT symbol, price FROM m QUALIFY RANK() OVER (PARTITION BY symbol ORDER BY price) = 1": None,
    "SELECT symbol, price FROM m QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp DESC) = 1": ("symbol",),
    "SELECT max(price) AS p FROM m QUALIFY ROW_NUMBER() OVER (ORDER BY p) = 1": (),
}  # fmt: skip


@pytest.mark.parametrize("query", KEYS)
def test_top_n_knows_its_key(query):
    plan = plan_of(query, {"m": tables(1, 0)["market_data"]})
    assert plan.root.changes
    assert plan.root.key == KEYS[query]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT symbol FROM m QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp) <= 3",
        "SELECT symbol FROM m QUALIFY RANK() OVER (PARTITION BY symbol ORDER BY timestamp, price DESC) <= 3",
        "SELECT symbol FROM m QUALIFY ROW_NUMBER() OVER (PARTITION BY symbol, timestamp ORDER BY price DESC) <= 3",
    ],
)
def test_a_rank_that_event_time_settles_stays_append_only(query):
    assert not plan_of(query, {"m": tables(1, 0)["market_data"]}).root.changes


# -- waiting --------------------------------------------------------------------------------------------------------------


def rows(*made: tuple[float, str, float | None]) -> pa.Table:
    """(seconds, symbol, price) in arrival order."""
    return table([{"timestamp": BASE_US + int(s * SECOND), "symbol": k, "price": p} for s, k, p in made], MARKET)


def ticks(query: str, *parts: pa.Table, **settings: str) -> list[tuple[list[object], float]]:
    """Per tick, and at the end: the last output column, and the output's watermark in seconds."""
    whole = pa.concat_tables(parts)
    engine = JobEngine(plan_of(query, {"m": whole}, settings))
    found, start = [], 0
    for part in [*parts, whole.slice(0, 0)]:
        final = part.num_rows == 0
        batches = {} if final else {"m": [decoded(whole, start, start + part.num_rows)]}
        outputs = engine.begin(batches, final=final)
        for index, node in enumerate(engine.nodes):
            if not node.is_source:
                outputs[index] = node.step([outputs[i] for i in node.inputs])
        delta = outputs[len(engine.nodes) - 1]
        seconds = (delta.watermark_us - BASE_US) / SECOND
        last = engine.plan.root.columns[-1]
        found.append((delta.rows[last].to_pylist(), seconds if delta.watermark_us < WATERMARK_MAX_US else float("inf")))
        start += part.num_rows
    engine.close()
    return found


def test_lead_waits_for_the_next_row_of_its_partition_and_holds_event_time_back():
    query = "SELECT LEAD(price) OVER (PARTITION BY symbol ORDER BY timestamp) AS p FROM m"
    first, second, third = rows((1, "A", 1.0), (2, "B", 2.0)), rows((3, "B", 3.0)), rows((4, "A", 4.0))
    assert ticks(query, first, second, third) == [([], 1), ([3.0], 1), ([4.0], 3), ([None, None], float("inf"))]


def test_a_range_ahead_waits_until_the_watermark_is_strictly_past_it():
    query = "SELECT COUNT(*) OVER (ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL 2 SECOND FOLLOWING) AS n FROM m"
    assert ticks(query, rows((1, "A", 1.0)), rows((3, "A", 2.0)), rows((3, "A", 3.0)), rows((3.5, "A", 3.0))) == [
        ([], 1),
        ([], 1),
        ([], 1),
        ([3], 3),
        ([3, 3, 1], float("inf")),
    ]


def test_groups_ahead_wait_until_the_next_event_time_is_past():
    query = "SELECT COUNT(*) OVER (ORDER BY timestamp GROUPS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS n FROM m"
    assert ticks(query, rows((1, "A", 1.0)), rows((2, "A", 2.0)), rows((3, "A", 3.0))) == [
        ([], 1),
        ([], 1),
        ([2], 2),
        ([2, 1], float("inf")),
    ]


def test_a_partition_is_answered_once_its_time_is_past():
    query = "SELECT RANK() OVER (PARTITION BY timestamp ORDER BY price DESC) AS r FROM m"
    assert ticks(query, rows((1, "A", 1.0), (1, "B", 2.0)), rows((2, "A", 5.0))) == [
        ([], 1),
        ([2, 1], 2),
        ([1], float("inf")),
    ]


def test_the_last_row_of_a_bucket_waits_no_longer_than_the_bucket():
    query = (
        "SELECT LEAD(price) OVER (PARTITION BY symbol, time_bucket(INTERVAL 10 SECOND, timestamp) ORDER BY timestamp) "
        "AS p FROM m"
    )
    base = rows((0, "A", 1.0), (1, "B", 2.0))
    assert ticks(query, base, rows((11, "B", 3.0))) == [([], 0), ([None, None], 11), ([None], float("inf"))]


def test_a_window_after_a_wait_closes_over_the_rows_that_waited():
    query = (
        "WITH l AS (SELECT timestamp, LEAD(price) OVER (PARTITION BY symbol ORDER BY timestamp) AS later FROM m) "
        "SELECT window_end, SUM(later) AS s FROM l GROUP BY TUMBLE(timestamp, INTERVAL '10' SECOND)"
    )
    parts = [rows((0, "A", 1.0), (11, "B", 2.0)), rows((12, "B", 4.0)), rows((13, "A", 8.0))]
    assert [found for found, _ in ticks(query, *parts)] == [[], [], [8.0], [4.0]]


@pytest.mark.parametrize(
    ("call", "waits"),
    [
        ("LEAD(price, 2) OVER (PARTITION BY symbol ORDER BY timestamp)", "waits for 2 later rows per (symbol)"),
        ("LEAD(price IGNORE NULLS) OVER (ORDER BY timestamp)", "waits for 1 later non-null row"),
        (
            "SUM(price) OVER (ORDER BY timestamp RANGE BETWEEN CURRENT ROW AND INTERVAL 5 SECOND FOLLOWING)",
            "waits for the watermark to be 5 s past the row",
        ),
        (
            "SUM(price) OVER (PARTITION BY symbol ORDER BY timestamp GROUPS BETWEEN CURRENT ROW AND 2 FOLLOWING)",
            "waits for 2 later event times per (symbol)",
        ),
        (
            "RANK() OVER (PARTITION BY timestamp ORDER BY price)",
            "waits until the watermark has passed all of their timestamp",
        ),
    ],
)
def test_explain_says_what_is_waited_for(call, waits):
    engine = JobEngine(plan_of(f"SELECT {call} AS x FROM m", {"m": tables(1, 0)["market_data"]}))
    told = [node.operator.describe() for node in engine.nodes]
    engine.close()
    assert any(waits in line for line in told), told


# -- what is kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "most"),
    [
        ("LAG(price, 3) OVER ({w})", 4 * 3),
        ("LAG(price, 2 IGNORE NULLS) OVER ({w})", 4 * 2),
        ("LEAD(price, 2) OVER ({w})", 4 * 2),
        ("NTH_VALUE(price, 2) OVER ({w} ROWS UNBOUNDED PRECEDING)", 4 * 2),
        ("LAST_VALUE(price IGNORE NULLS) OVER ({w} ROWS UNBOUNDED PRECEDING)", 4),
        ("SUM(volume) OVER ({w} ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING)", 4 + 4 * 2),
        ("SUM(volume) OVER ({w} ROWS UNBOUNDED PRECEDING)", 4),
        ("STDDEV(price) OVER ({w} ROWS UNBOUNDED PRECEDING)", 4),
        ("RANK() OVER ({w})", 4 + 1),
        ("COUNT(*) OVER ({w} RANGE INTERVAL 10 SECOND PRECEDING)", 12 + 4),
        ("COUNT(*) OVER ({w} GROUPS 2 PRECEDING)", 4 * 2 + 1),
        ("SUM(volume) OVER ({w} RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 10 SECOND PRECEDING)", 4 + 12 + 4),
        ("SUM(volume) OVER (PARTITION BY date_trunc('minute', timestamp) ORDER BY timestamp)", 2 + 1),
        ("SUM(volume) OVER (PARTITION BY date_trunc('minute', timestamp))", 60),
        ("STDDEV(price) OVER (PARTITION BY date_trunc('minute', timestamp) ORDER BY timestamp)", 2 + 1),
        ("NTILE(2) OVER (PARTITION BY timestamp ORDER BY price)", 1),
    ],
)
def test_state_does_not_grow_with_the_history(call, most):
    made = [(float(i), "ABCD"[i % 4], None if i % 7 == 0 else i * 1.0) for i in range(200)]
    data = {"m": rows(*made)}
    query = f"SELECT {call} AS x FROM m".replace("{w}", "PARTITION BY symbol ORDER BY timestamp")
    run = stream(plan_of(query, data), data, batch_rows=1, rng=random.Random(0), final=False)
    assert run.peak_state <= most


# -- rows that fail -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "SUM(CAST(symbol AS INTEGER)) OVER (ORDER BY timestamp)",
        "STDDEV(CAST(symbol AS INTEGER)) OVER (ORDER BY timestamp)",
        "SUM(CAST(symbol AS INTEGER)) OVER (ORDER BY timestamp RANGE INTERVAL 5 SECOND PRECEDING)",
        "LEAD(CAST(symbol AS INTEGER)) OVER (ORDER BY {t})",
        "MAX(CAST(symbol AS INTEGER)) OVER (PARTITION BY timestamp)",
        "RANK() OVER (PARTITION BY timestamp ORDER BY CAST(symbol AS INTEGER))",
    ],
)
def test_a_row_that_cannot_be_computed_is_set_aside_and_its_peers_still_count(call):
    made = [(1, "1", 1.0), (1, "x", 2.0), (1, "3", 3.0), (2, "4", 4.0), (2, "y", 4.0), (2, "5", 4.0), (9, "6", 1.0)]
    data = {"m": rows(*made)}
    good = {"m": rows(*(r for r in made if r[1].isdecimal()))}
    expected = comparable(batch(f"SELECT symbol, {call} AS x FROM m".replace("{t}", "__ts, __pos"), good))
    plan = plan_of(f"SELECT symbol, {call} AS x FROM m".replace("{t}", "timestamp"), data)
    for size in (1, 3, 7):
        run = stream(plan, data, batch_rows=size, rng=random.Random(0))
        assert comparable(run.rows) == expected
        assert run.rejected == 2


def test_late_rows_are_dropped_and_counted_before_any_window():
    made = [(5, "A", 1.0), (9, "A", 2.0), (3, "A", 3.0), (10, "A", 4.0)]
    data = {"m": rows(*made)}
    for call in ("LEAD(price) OVER (ORDER BY timestamp)", "SUM(price) OVER (PARTITION BY timestamp)"):
        run = stream(plan_of(f"SELECT {call} AS x FROM m", data), data, batch_rows=2, rng=random.Random(0))
        assert (len(run.rows), run.late) == (3, 1)


# -- refusals -------------------------------------------------------------------------------------------------------------

REFUSED = {
    "NTILE(4) OVER (ORDER BY timestamp)": ("NTILE must know its whole partition", "window_end"),
    "PERCENT_RANK() OVER (PARTITION BY symbol ORDER BY timestamp)": ("PERCENT_RANK", "QUALIFY ROW_NUMBER()"),
    "SUM(price) OVER (ORDER BY timestamp ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)": (
        "UNBOUNDED FOLLOWING",
        "n FOLLOWING",
    ),
    "LAST_VALUE(price) OVER (ORDER BY timestamp ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)": (
        "end of the stream",
        "window_end",
    ),
    "SUM(price) OVER (PARTITION BY symbol ORDER BY price)": ("ordered by event time", "QUALIFY ROW_NUMBER()"),
    "SUM(price) OVER (ORDER BY timestamp DESC)": ("future", "ascending"),
    "ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp DESC)": ("future", "<= n, alone"),
    "MEDIAN(price) OVER (ORDER BY timestamp)": ("remember every value", "ROWS n PRECEDING"),
    "LIST(price) OVER (ORDER BY timestamp)": ("remember every value", "ROWS n PRECEDING"),
    "SUM(DISTINCT price) OVER (ORDER BY timestamp)": ("remember every value", "ROWS n PRECEDING"),
    "SUM(price) OVER (ORDER BY timestamp ROWS volume PRECEDING)": ("whole numbers", "ROWS 20 PRECEDING"),
    "SUM(price) OVER (ORDER BY timestamp RANGE INTERVAL 1 MONTH PRECEDING)": ("fixed length", "INTERVAL '5' MINUTE"),
    "SUM(price) OVER (ORDER BY timestamp RANGE 5 PRECEDING)": ("fixed length", "INTERVAL"),
    "SUM(price) OVER (ORDER BY epoch_ms(timestamp) RANGE volume PRECEDING)": ("constant bounds", "RANGE 5000"),
    "SUM(price) OVER (ORDER BY timestamp ROWS 3 PRECEDING EXCLUDE TIES)": ("none has ties", "GROUPS"),
    "SUM(price) OVER (ORDER BY timestamp RANGE UNBOUNDED PRECEDING EXCLUDE TIES)": ("EXCLUDE TIES", "bound the frame"),
    "LAG(price, volume) OVER (ORDER BY timestamp)": ("constant offset", "LAG(x, 3)"),
    "RANK() OVER (PARTITION BY symbol)": ("needs ORDER BY", "event time"),
    "SUM(price) OVER nowhere": ("unknown window", "WINDOW name AS"),
    "SUM(LAG(price) OVER (ORDER BY timestamp)) OVER (ORDER BY timestamp)": ("inside another", "CTE"),
    "FILL(price) OVER (ORDER BY timestamp)": ("whole partition", "window_end"),
}


@pytest.mark.parametrize("call", REFUSED)
def test_refused_at_its_place_with_a_rewrite(call):
    what, instead = REFUSED[call]
    with pytest.raises(UnsupportedError) as caught:
        plan_of(f"SELECT {call} AS x FROM m", {"m": tables(1, 0)["market_data"]})
    assert what in caught.value.message
    assert instead in (caught.value.hint or "")
    assert caught.value.place is not None
    assert caught.value.place.line == 1


def test_the_rewrite_of_a_refused_rank_is_accepted():
    data = {"m": tables(1, 0)["market_data"]}
    with pytest.raises(UnsupportedError) as caught:
        plan_of("SELECT ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price DESC) AS r FROM m", data)
    rewrite = "ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY price DESC) <= 3"
    assert rewrite.replace("symbol", "key").replace("3", "n") in (caught.value.hint or "").replace('"', "")
    JobEngine(plan_of(f"SELECT symbol, price FROM m QUALIFY {rewrite}", data)).close()
