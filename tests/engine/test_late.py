"""Late rows: judged by their own partition's watermark at arrival, so that no batching changes the verdict."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, ORDERS, table
from tests.engine.harness import comparable, decoded, plan_of, stream
from velostream_nb.engine.job import JobEngine

SECOND = 1_000_000
TUMBLE = "SELECT symbol, window_end, SUM(quantity) AS q FROM o GROUP BY symbol, TUMBLE(timestamp, INTERVAL '10' SECOND)"
HOP = "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY HOP(timestamp, INTERVAL '5' SECOND, INTERVAL '10' SECOND)"
LAG = "SELECT quantity, LAG(quantity) OVER (ORDER BY timestamp) AS before FROM o"


def rows(*seconds: float) -> dict[str, pa.Table]:
    base = BASE_US - BASE_US % (60 * SECOND)
    made = [{"symbol": "A", "quantity": 10**n, "timestamp": base + int(s * SECOND)} for n, s in enumerate(seconds)]
    return {"o": table(made, ORDERS)}


def answers(query: str, data: dict[str, pa.Table], **settings: str) -> list[tuple[object, int]]:
    """(rows, late) for several batchings, which must all agree; returns them."""
    plan = plan_of(query, data, settings)
    runs = [stream(plan, data, batch_rows=size, rng=random.Random(0)) for size in (1, 2, 3, 1_000, None)]
    assert len({repr((comparable(r.rows), r.late)) for r in runs}) == 1, "the batching changed what is late"
    return [(r["q"] if "q" in r else r["quantity"], runs[0].late) for r in runs[0].rows]


def test_a_row_behind_the_watermark_still_counts_while_its_window_is_open():
    assert answers(TUMBLE, rows(1, 8, 3, 12)) == [(111, 0), (1000, 0)]


def test_a_row_whose_window_has_closed_is_dropped_and_counted():
    assert answers(TUMBLE, rows(1, 8, 12, 3)) == [(11, 1), (100, 1)]


def test_a_delay_keeps_the_window_open():
    assert answers(TUMBLE, rows(1, 8, 12, 3), **{"watermark.delay": "5s"}) == [(1011, 0), (100, 0)]


def test_a_window_closes_when_the_watermark_reaches_its_end():
    assert answers(TUMBLE, rows(1, 10, 9.999)) == [(1, 1), (10, 1)]


def test_a_late_row_counts_in_those_hops_that_are_still_open():
    # the row at 4 s comes when the watermark is 6 s: [-5, 5) has closed, [0, 10) has not
    assert answers(HOP, rows(1, 6, 4, 20)) == [(1, 0), (111, 0), (10, 0), (1000, 0), (1000, 0)]


def test_over_drops_what_is_behind_the_watermark():
    assert answers(LAG, rows(1, 3, 2, 4)) == [(1, 1), (10, 1), (1000, 1)]


def test_a_filter_keeps_late_rows():
    assert len(answers("SELECT quantity AS q FROM o WHERE quantity > 0", rows(5, 1, 3))) == 3


@pytest.fixture
def two_partitions():
    data = rows(1, 5, 9, 11)
    engine = JobEngine(plan_of(TUMBLE, data))
    yield engine, data["o"]
    engine.close()


def test_the_slowest_partition_holds_the_watermark(two_partitions):
    engine, orders = two_partitions
    engine.tick({"o": [decoded(orders, 0, 1, partition=1)]})
    assert engine.tick({"o": [decoded(orders, 1, 4, partition=0)]}).rows.num_rows == 0
    assert engine.tick({"o": [decoded(orders, 3, 4, partition=1)]}).rows["q"].to_pylist() == [111]


def test_a_known_partition_that_was_not_heard_of_yet_holds_the_watermark(two_partitions):
    engine, orders = two_partitions
    engine.expect("o", [0, 1])
    assert engine.tick({"o": [decoded(orders, 0, 4, partition=0)]}).rows.num_rows == 0
    out = engine.tick({"o": [decoded(orders, 3, 4, partition=1)]})
    assert (out.rows["q"].to_pylist(), out.late) == ([111], 0)


def test_a_partition_that_never_comes_is_idle_after_the_timeout(two_partitions):
    engine, orders = two_partitions
    engine.expect("o", [0, 1])
    engine.tick({"o": [decoded(orders, 0, 4, partition=0)]})
    assert engine.tick({}, idle={("o", 1)}).rows["q"].to_pylist() == [111]


def test_a_partition_that_nobody_expected_cannot_reach_behind_what_was_announced():
    data = rows(1, 5, 9, 11)
    engine = JobEngine(plan_of(LAG, data))
    engine.tick({"o": [decoded(data["o"], 2, 4, partition=0)]})
    out = engine.tick({"o": [decoded(data["o"], 0, 2, partition=1)]})
    engine.close()
    assert (out.rows.num_rows, out.late) == (0, 2)


def test_an_idle_partition_leaves_and_what_it_brings_back_too_late_is_counted(two_partitions):
    engine, orders = two_partitions
    engine.tick({"o": [decoded(orders, 0, 1, partition=1)]})
    out = engine.tick({"o": [decoded(orders, 1, 4, partition=0)]}, idle={("o", 1)})
    assert out.rows["q"].to_pylist() == [111]
    back = engine.tick({"o": [decoded(orders, 1, 2, partition=1)]}, idle={("o", 1)})
    assert (back.rows.num_rows, back.late) == (0, 1)


def test_rows_after_the_end_of_the_input_are_late(two_partitions):
    engine, orders = two_partitions
    engine.tick({"o": [decoded(orders, 0, 2)]}, final=True)
    assert engine.tick({"o": [decoded(orders, 2, 4)]}).late == 2
