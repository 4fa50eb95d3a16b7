"""Stream = batch, for every operator, over random batches, disorder, ties, NULLs and restarts."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.cases import CASES
from tests.engine.data import MARKET, ORDERS, POSITIONS, market, orders, positions, table
from tests.engine.harness import (
    assert_one_answer,
    batch,
    comparable,
    fold,
    partitioned,
    plan_of,
    stream,
    stream_partitions,
)

DISORDER_US = 2_000_000


def tables(seed: int, disorder_us: int):
    rng = random.Random(seed)
    return {
        "market_data": market(rng, 110, disorder_us=disorder_us),
        "trading_positions": positions(rng, 50, disorder_us=disorder_us),
        "order_book_updates": orders(rng, 60, disorder_us=disorder_us),
    }


@pytest.mark.parametrize("disorder_us", [0, DISORDER_US], ids=["in order", "disorder"])
@pytest.mark.parametrize("name", CASES)
def test_stream_equals_batch(name, disorder_us, tmp_path):
    query, oracle = CASES[name]
    data = tables(1, disorder_us)
    delay = {"watermark.delay": f"{disorder_us}us"}
    answer = assert_one_answer(query, oracle, data, settings=delay, tmp_path=tmp_path)
    assert answer, "a case that gives no rows proves nothing"


@pytest.mark.parametrize("name", CASES)
def test_partitions_interleaved_in_any_way(name):
    query, oracle = CASES[name]
    data = tables(4, DISORDER_US)
    plan = plan_of(query, data, {"watermark.delay": f"{DISORDER_US}us"})
    for seed in (1, 2):
        rng = random.Random(seed)
        dealt = partitioned(data, 3, rng)
        expected = comparable(batch(oracle, {t: pa.concat_tables(parts) for t, parts in dealt.items()}))
        run = stream_partitions(plan, dealt, rng)
        assert comparable(fold(run.rows, plan.key) if plan.key else run.rows) == expected
        assert run.late == 0


@pytest.mark.parametrize("name", CASES)
def test_empty_input_gives_no_rows(name):
    empty = {t: v.slice(0, 0) for t, v in tables(1, 0).items()}
    query, _ = CASES[name]
    assert stream(plan_of(query, empty), empty, batch_rows=10, rng=random.Random(0)).rows == []


_TEXT = st.one_of(st.none(), st.sampled_from(["A", "B", "", "Ω–≠", "a'b\"c", "\u0000x"]))
_PRICE = st.one_of(st.none(), st.floats(0.5, 1e6), st.sampled_from([0.0, -0.0, float("inf"), float("nan")]))
_WHOLE = st.one_of(st.none(), st.integers(-(2**40), 2**40))


def _rows(schema):
    values = {
        "timestamp": st.integers(0, 12).map(lambda s: 1_700_000_000_000_000 + s * 500_000),
        **dict.fromkeys(("price", "bid_price", "ask_price", "avg_price", "current_pnl"), _PRICE),
        **dict.fromkeys(("bid_size", "ask_size", "volume", "position_size", "quantity"), _WHOLE),
    }
    row = st.fixed_dictionaries({name: values.get(name, _TEXT) for name in schema.names})
    return st.lists(row, max_size=12).map(lambda rows: table(rows, schema))


# constants where floats of any size meet arithmetic: only what DuckDB can answer the same for any order of summing
_EXACT = [
    n for n in CASES if n not in ("tumble", "running totals, peers share", "chain of CTEs", "window over windows")
]


@pytest.mark.parametrize("name", _EXACT)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_rows_in_any_disorder(name, data):
    query, oracle = CASES[name]
    made = {
        "market_data": data.draw(_rows(MARKET)),
        "trading_positions": data.draw(_rows(POSITIONS)),
        "order_book_updates": data.draw(_rows(ORDERS)),
    }
    # rows come in any order at all: a delay longer than all of them keeps every row in time
    assert_one_answer(query, oracle, made, settings={"watermark.delay": "10s"}, batches=(1, None))
