"""Late rows of windows: judged by what their own partition had seen, so that neither batches nor partitions matter."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.data import BASE_US, ORDERS, market, table
from tests.engine.harness import comparable, decoded, partitioned, plan_of, stream, stream_partitions
from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.sessions import place_late

SECOND = 1_000_000

QUERIES = {
    "tumble": "SELECT symbol, window_end, COUNT(*) AS n, SUM(bid_size) AS v FROM m GROUP BY symbol, TUMBLE(timestamp, 3s)",
    "hop": "SELECT symbol, window_end, COUNT(*) AS n, LIST(bid_size) AS v FROM m GROUP BY symbol, HOP(timestamp, 1s, 4s)",
    "cumulate": "SELECT window_start, window_end, COUNT(*) AS n FROM m GROUP BY CUMULATE(timestamp, 1s, 4s)",
    "session": "SELECT symbol, window_start, window_end, COUNT(*) AS n, SUM(bid_size) AS v FROM m "
    "GROUP BY symbol, SESSION(timestamp, 1s)",
    "session of everything, rows kept": "SELECT window_start, window_end, LIST(bid_size) AS v FROM m "
    "GROUP BY SESSION(timestamp, 500ms)",
    "rows of one instant": "SELECT timestamp, COUNT(*) AS n FROM m GROUP BY timestamp",
    "bucket": "SELECT date_trunc('second', timestamp) AS t, COUNT(*) AS n FROM m GROUP BY t",
    "rows with their hops": "SELECT window_end, SUM(bid_size) AS v FROM HOP(TABLE m, DESCRIPTOR(timestamp), 1s, 4s) "
    "GROUP BY window_start, window_end",
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_batching_changes_what_is_late(name, tmp_path):
    data = {"m": market(random.Random(8), 160, disorder_us=5 * SECOND)}
    plan = plan_of(QUERIES[name], data)
    runs = [stream(plan, data, batch_rows=size, rng=random.Random(0)) for size in (1, 2, 7, 10**9, None)]
    runs.append(stream(plan, data, batch_rows=None, rng=random.Random(0), restart=tmp_path))
    assert len({repr((comparable(r.rows), r.late)) for r in runs}) == 1
    assert runs[0].late > 0


@pytest.mark.parametrize("name", QUERIES)
def test_no_interleaving_of_partitions_changes_what_is_late(name):
    data = {"m": market(random.Random(8), 160, disorder_us=5 * SECOND)}
    dealt = partitioned(data, 3, random.Random(1))
    plan = plan_of(QUERIES[name], data)
    runs = [stream_partitions(plan, dealt, random.Random(seed)) for seed in range(4)]
    assert len({repr((comparable(r.rows), r.late)) for r in runs}) == 1
    assert runs[0].late > 0


# -- sessions: the rules, row by row -------------------------------------------------------------------------------------


def orders(*rows: tuple[str, float]) -> dict[str, pa.Table]:
    base = BASE_US - BASE_US % (60 * SECOND)
    made = [
        {"symbol": symbol, "quantity": 10**n, "timestamp": base + int(s * SECOND)} for n, (symbol, s) in enumerate(rows)
    ]
    return {"o": table(made, ORDERS)}


def emitted(*rows: tuple[str, float], delay: str = "0s") -> tuple[list[int], int]:
    """Sums of the sessions of A with a gap of 10 s, whatever the batches; and how many rows were late."""
    data = orders(*rows)
    query = "SELECT symbol, SUM(quantity) AS q FROM o GROUP BY symbol, SESSION(timestamp, 10s) HAVING symbol = 'A'"
    plan = plan_of(query, data, {"watermark.delay": delay})
    runs = [stream(plan, data, batch_rows=n, rng=random.Random(0)) for n in (1, 2, 3, 100)]
    assert len({repr((comparable(r.rows), r.late)) for r in runs}) == 1
    return [r["q"] for r in runs[0].rows], runs[0].late


def test_a_late_row_joins_the_session_that_is_open():
    assert emitted(("A", 0), ("B", 9), ("A", 5)) == ([101], 0)


def test_a_late_row_never_joins_a_session_that_was_over():
    # at 12 s the session of the first row, which ends at 10 s, is over; the row at 5 s lives until 15 s
    assert emitted(("A", 0), ("B", 12), ("A", 5)) == ([1, 100], 0)


def test_a_late_row_is_dropped_when_its_own_session_would_be_over():
    assert emitted(("A", 0), ("B", 15), ("A", 5)) == ([1], 1)


def test_a_session_is_over_for_late_rows_at_its_end():
    assert emitted(("A", 0), ("B", 10), ("A", 5)) == ([1, 100], 0)


def test_a_late_row_extends_a_session_backwards():
    assert emitted(("A", 20), ("A", 19)) == ([11], 0)


def test_a_late_row_bridges_two_open_sessions():
    assert emitted(("A", 2), ("A", 12.5), ("B", 14), ("A", 10), delay="3s") == ([1011], 0)


def test_a_late_row_bridges_nothing_to_a_session_that_was_over():
    assert emitted(("A", 2), ("A", 12.5), ("B", 15), ("A", 10), delay="3s") == ([1, 1010], 0)


def test_late_rows_make_a_session_of_their_own_and_then_live_in_it():
    assert emitted(("A", 0), ("B", 12), ("A", 5), ("A", 7)) == ([1, 1100], 0)


def reference(rows: Sequence[tuple[int, int]], gap: int) -> list[set[int]]:
    """Sessions as sets of row numbers, by the book: rows in time first, then late rows by their watermarks."""
    found: list[set[int]] = []

    def insert(number: int, wm: int) -> None:
        ts = rows[number][0]
        near = [
            s
            for s in found
            if min(rows[i][0] for i in s) - gap <= ts <= max(rows[i][0] for i in s) + gap
            and max(rows[i][0] for i in s) + gap > wm
        ]
        for s in near:
            found.remove(s)
        found.append({number}.union(*near))

    for number in sorted(range(len(rows)), key=lambda n: (rows[n][1], rows[n][0])):
        insert(number, rows[number][1])
    return found


_LATE = st.tuples(st.integers(0, 40), st.integers(1, 8)).map(lambda r: (r[0], r[0] + r[1]))
_IN_TIME = st.integers(0, 40).map(lambda ts: (ts, WATERMARK_MIN_US))


@given(st.lists(st.one_of(_IN_TIME, _LATE), max_size=14), st.integers(1, 2))
def test_late_pieces_are_placed_by_the_book(rows, keys):
    gap = 8
    code = [n % keys for n in range(len(rows))]
    pieces: dict[str, list[int]] = defaultdict(list)
    islands = 0
    in_time = sorted(
        (c, ts, n) for n, (c, (ts, wm)) in enumerate(zip(code, rows, strict=True)) if wm == WATERMARK_MIN_US
    )
    late = [(code[n], ts, n) for n, (ts, wm) in enumerate(rows) if wm > WATERMARK_MIN_US]
    before = (-1, 0)
    numbers = []
    for c, ts, n in in_time:
        islands += before[0] != c or ts - before[1] > gap
        before = (c, ts)
        numbers.append((n, c, islands))
    for c, _, n in late:
        islands += 1
        numbers.append((n, c, islands))
    for n, c, island in numbers:
        ts, wm = rows[n]
        for name, value in (("__code", c), ("__start", ts), ("__last", ts), ("__wm", wm), ("__island", island)):
            pieces[name].append(value)
    arrays = {k: np.array(pieces[k], dtype=np.int64) for k in ("__code", "__start", "__last", "__wm", "__island")}
    sessions = place_late(arrays, gap) if rows else []
    got: dict[int, set[int]] = defaultdict(set)
    for (n, _, _), session in zip(numbers, sessions, strict=True):
        got[int(session)].add(n)
    expected = []
    for key in range(keys):
        mine = [n for n in range(len(rows)) if code[n] == key]
        expected += [{mine[i] for i in s} for s in reference([rows[n] for n in mine], gap)]
    assert sorted(map(sorted, got.values())) == sorted(map(sorted, expected))


# -- dead letters --------------------------------------------------------------------------------------------------------

DEAD = {"late.data": "dead_letter"}
LETTERS = {
    "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY TUMBLE(timestamp, 10s)": "window",
    "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY HOP(timestamp, 5s, 10s)": "window",
    "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY CUMULATE(timestamp, 5s, 10s)": "window",
    "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY SESSION(timestamp, 3s)": "session",
    "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY TUMBLE(timestamp, 10s) EMIT CHANGES": "window changes",
    "SELECT window_end, SUM(quantity) AS q FROM o GROUP BY SESSION(timestamp, 3s) EMIT CHANGES": "session changes",
    "SELECT quantity, LAG(quantity) OVER (ORDER BY timestamp) AS b FROM o": "order",
}


@pytest.mark.parametrize("query", LETTERS)
def test_a_dropped_row_is_a_letter(query):
    data = orders(("A", 1), ("A", 21), ("A", 3), ("A", 22))
    engine = JobEngine(plan_of(query, data, DEAD))
    engine.tick({"o": [decoded(data["o"], 0, 2, partition=4)]})
    outcome = engine.tick({"o": [decoded(data["o"], 2, 4, partition=4)]})
    assert (outcome.late, outcome.rejected) == (1, [])
    (letter,) = outcome.late_rows
    assert (letter.topic, letter.partition, letter.offset, letter.path) == ("o", 4, 2, LETTERS[query])
    assert letter.reason.startswith("late: event time 20")
    assert "is 18 s behind the watermark" in letter.reason
    assert b'"quantity": 100' in letter.raw
    assert engine.tick({}).late_rows == []
    engine.close()


def test_a_row_after_the_end_of_the_input_is_a_letter_too():
    data = orders(("A", 1), ("A", 2))
    engine = JobEngine(plan_of(next(iter(LETTERS)), data, DEAD))
    engine.tick({"o": [decoded(data["o"], 0, 1)]}, final=True)
    (letter,) = engine.tick({"o": [decoded(data["o"], 1, 2)]}).late_rows
    assert "the input had ended" in letter.reason
    engine.close()


def test_late_rows_are_no_letters_unless_asked_for():
    data = orders(("A", 1), ("A", 21), ("A", 3))
    engine = JobEngine(plan_of(next(iter(LETTERS)), data))
    outcome = engine.tick({"o": [decoded(data["o"], 0, 3)]})
    assert (outcome.late, outcome.late_rows) == (1, [])
    engine.close()


@pytest.mark.parametrize("kind", ["JOIN", "ASOF JOIN"])
def test_the_side_of_a_join_tells_the_topic(kind):
    left, right = orders(("A", 1), ("A", 21), ("A", 3)), orders(("A", 2), ("A", 20))
    data = {"l": left["o"], "r": right["o"]}
    within = "l.timestamp >= r.timestamp"
    if kind == "JOIN":
        within = "r.timestamp BETWEEN l.timestamp - INTERVAL 2 SECOND AND l.timestamp"
    query = f"SELECT l.quantity, r.quantity AS q FROM l {kind} r ON l.symbol = r.symbol AND {within}"
    engine = JobEngine(plan_of(query, data, DEAD))
    outcome = engine.tick({"l": [decoded(data["l"], 0, 3)], "r": [decoded(data["r"], 0, 2)]})
    assert [(r.topic, r.offset) for r in outcome.late_rows] == [("l", 2)]
    engine.close()
