"""Windows as changelogs: EMIT CHANGES and late updates, folded and checked at every tick."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.engine.changelog import Changelog
from tests.engine.data import BASE_US, ORDERS, market, table
from tests.engine.harness import batch, comparable, decoded, plan_of
from tests.engine.test_windows import bucket, cumulated, hops, sessions
from velostream_nb.core.records import OP
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.plan import JobPlan

SECOND = 1_000_000
SPAN = "make_timestamp(min(__ts)) AS window_start, make_timestamp(max(__ts) + 3000000) AS window_end"
END7 = f"{bucket(7 * SECOND)} + 7000000"


class Follower:
    """Runs a plan tick by tick over the rows of ``m`` and folds what comes out."""

    def __init__(self, plan: JobPlan, rows: pa.Table, restart: Path | None = None) -> None:
        self.plan, self.rows, self._restart = plan, rows, restart
        self.engine = self._open()
        self.log = Changelog(plan.key)
        self.done = self.late = self.out = 0

    def _open(self) -> JobEngine:
        return JobEngine(self.plan, state_dir=str(self._restart) if self._restart else None)

    def tick(self, count: int, *, final: bool = False) -> list[dict[str, Any]]:
        stop = min(self.rows.num_rows, self.done + count)
        outcome = self.engine.tick({"m": [decoded(self.rows, self.done, stop)]}, final=final)
        self.done, self.late, self.out = stop, self.late + outcome.late, self.out + outcome.rows.num_rows
        changes = outcome.rows.to_pylist()
        self.log.take([(row.pop(OP), row) for row in changes], f"after {stop} rows")
        return changes

    def restart(self) -> None:
        assert self._restart is not None
        path = self._restart / "snapshot.duckdb"
        self.engine.save(path)
        self.engine.close()
        self.engine = self._open()
        self.engine.load(path)


def market_rows(seed: int, disorder_us: int = 2 * SECOND) -> dict[str, pa.Table]:
    return {"m": market(random.Random(seed), 90, disorder_us=disorder_us)}


CASES: dict[str, tuple[str, str]] = {
    "tumble": (
        "SELECT symbol, window_start, window_end, COUNT(*) AS n, SUM(volume) AS v, MAX(price) AS p FROM m "
        "GROUP BY symbol, TUMBLE(timestamp, 7s)",
        f"SELECT symbol, make_timestamp({bucket(7 * SECOND)}) AS window_start, make_timestamp({END7}) AS window_end, "
        "COUNT(*) AS n, SUM(volume) AS v, MAX(price) AS p FROM m GROUP BY ALL",
    ),
    "tumble without its bounds": (
        "SELECT symbol, COUNT(*) AS n FROM m GROUP BY symbol, TUMBLE(timestamp, 7s)",
        f"SELECT symbol, COUNT(*) AS n FROM m GROUP BY symbol, {END7}",
    ),
    "hop": (
        "SELECT exchange, window_end, COUNT(*) AS n, FIRST(price) AS f FROM m GROUP BY exchange, HOP(timestamp, 2s, 7s)",
        "SELECT exchange, make_timestamp(e) AS window_end, COUNT(*) AS n, FIRST(price ORDER BY __ts, __pos) AS f "
        f"FROM {hops(7 * SECOND, 2 * SECOND)} GROUP BY exchange, e",
    ),
    "cumulate, rows kept": (
        "SELECT window_start, window_end, COUNT(DISTINCT symbol) AS n, MODE(exchange) AS x FROM m "
        "GROUP BY CUMULATE(timestamp, 5s, 15s)",
        "SELECT make_timestamp(s) AS window_start, make_timestamp(e) AS window_end, COUNT(DISTINCT symbol) AS n, "
        f"MODE(exchange ORDER BY __ts, __pos) AS x FROM {cumulated(15 * SECOND, 5 * SECOND)} GROUP BY s, e",
    ),
    "session": (
        "SELECT symbol, window_start, window_end, COUNT(*) AS n, SUM(volume) AS v FROM m "
        "GROUP BY symbol, SESSION(timestamp, 3s)",
        f"SELECT symbol, {SPAN}, COUNT(*) AS n, SUM(volume) AS v FROM {sessions(3 * SECOND, 'symbol')} "
        "GROUP BY symbol, n",
    ),
    "session of everything, rows kept": (
        "SELECT window_end, LIST(price) AS l FROM m GROUP BY SESSION(timestamp, 3s)",
        "SELECT make_timestamp(max(__ts) + 3000000) AS window_end, LIST(price ORDER BY __ts, __pos) AS l "
        f"FROM {sessions(3 * SECOND)} GROUP BY n",
    ),
    "grouping sets": (
        "SELECT window_end, symbol, exchange, COUNT(*) AS n FROM m GROUP BY TUMBLE(timestamp, 7s), "
        "CUBE (symbol, exchange)",
        f"SELECT make_timestamp(t) AS window_end, symbol, exchange, COUNT(*) AS n FROM (SELECT *, {END7} AS t FROM m) "
        "GROUP BY t, CUBE (symbol, exchange)",
    ),
    "HAVING, over a CTE that is only read": (
        "WITH w AS (SELECT symbol, window_end, COUNT(*) AS n FROM m GROUP BY symbol, TUMBLE(timestamp, 7s) "
        "HAVING COUNT(*) > 1) SELECT window_end AS t, symbol, n * 2 AS n FROM w WHERE n < 5",
        f"SELECT make_timestamp({END7}) AS t, symbol, COUNT(*) * 2 AS n FROM m GROUP BY t, symbol "
        "HAVING COUNT(*) BETWEEN 2 AND 4",
    ),
}


@pytest.mark.parametrize("size", [1, 9, None])
@pytest.mark.parametrize("name", CASES)
def test_emit_changes_is_the_batch_answer_at_every_tick(name, size, tmp_path):
    query, oracle = CASES[name]
    data, rng = market_rows(2), random.Random(5)
    run = Follower(plan_of(f"{query} EMIT CHANGES", data, {"watermark.delay": "2s"}), data["m"], tmp_path)
    assert run.plan.changelog
    while run.done < data["m"].num_rows:
        run.tick(size or rng.choice([0, 1, 3, 30]))
        if size is None and rng.random() < 0.3:
            run.restart()
        if size != 1 or run.done % 5 == 0:
            assert comparable(run.log.rows()) == comparable(batch(oracle, {"m": data["m"].slice(0, run.done)}))
    run.tick(0, final=True)
    assert comparable(run.log.rows()) == comparable(batch(oracle, data))
    assert run.late == 0
    assert sum(s.state_rows for s in run.engine.stats()) == 0, "state of windows that are over was kept"
    run.engine.close()


@pytest.mark.parametrize("name", CASES)
def test_late_updates_correct_what_was_emitted(name, tmp_path):
    """Without a delay the disorder makes rows late; each corrects its windows, so that in the end all rows count."""
    query, oracle = CASES[name]
    data, rng = market_rows(4, 6 * SECOND), random.Random(1)
    settings = {"late.data": "update", "late.within": "20s"}
    answers = []
    for size in (1, 9, None):
        run = Follower(plan_of(query, data, settings), data["m"], tmp_path)
        while run.done < data["m"].num_rows:
            run.tick(size or rng.choice([0, 1, 3, 30]))
            if size is None and rng.random() < 0.3:
                run.restart()
        run.tick(0, final=True)
        answers.append(run.out)
        assert run.late == 0
        assert comparable(run.log.rows()) == comparable(batch(oracle, data))
        run.engine.close()
    assert answers[0] > len(batch(oracle, data)), "no window was corrected: the case proves nothing"


def test_a_window_is_emitted_when_it_closes_and_not_before():
    """With late updates a folded state holds the closed windows alone, at every tick."""
    query, oracle = CASES["tumble"]
    data = market_rows(4)
    run = Follower(plan_of(query, data, {"late.data": "update", "late.within": "20s"}), data["m"])
    while run.done < data["m"].num_rows:
        run.tick(3)
        closed = f"SELECT * FROM ({oracle}) WHERE epoch_us(window_end) <= {run.engine.watermark_us}"
        assert comparable(run.log.rows()) == comparable(batch(closed, {"m": data["m"].slice(0, run.done)}))
    run.engine.close()


def test_early_and_late_together():
    query, oracle = CASES["session"]
    data = market_rows(4)
    run = Follower(plan_of(f"{query} EMIT CHANGES", data, {"late.data": "update", "late.within": "20s"}), data["m"])
    while run.done < data["m"].num_rows:
        run.tick(3)
        assert comparable(run.log.rows()) == comparable(batch(oracle, {"m": data["m"].slice(0, run.done)}))
    run.engine.close()


# -- minimal, and for how long -------------------------------------------------------------------------------------------


def orders(*rows: tuple[float, int]) -> dict[str, pa.Table]:
    base = BASE_US - BASE_US % (60 * SECOND)
    made = [{"symbol": "A", "quantity": q, "timestamp": base + int(s * SECOND)} for s, q in rows]
    return {"m": table(made, ORDERS)}


def follow(query: str, data: dict[str, pa.Table], **settings: str) -> tuple[list[list[tuple[str, int]]], int]:
    """What comes out, a row a tick, as (op, quantity); and how many rows were late."""
    run = Follower(plan_of(query, data, settings), data["m"])
    out = []
    for _ in range(data["m"].num_rows):
        stop = run.done + 1
        outcome = run.engine.tick({"m": [decoded(data["m"], run.done, stop)]})
        run.done, run.late = stop, run.late + outcome.late
        out.append([(row[OP], row["q"]) for row in outcome.rows.to_pylist()])
    run.engine.close()
    return out, run.late


TUMBLE = "SELECT window_end, SUM(quantity) AS q FROM m GROUP BY TUMBLE(timestamp, 10s)"
SESSION = "SELECT window_start, window_end, SUM(quantity) AS q FROM m GROUP BY SESSION(timestamp, 5s)"


def test_a_window_whose_values_did_not_change_is_not_emitted():
    out, _ = follow(f"{TUMBLE} EMIT CHANGES", orders((1, 5), (2, 0), (3, 2), (12, 1)))
    assert out == [[("upsert", 5)], [], [("upsert", 7)], [("upsert", 1)]]


def test_a_late_row_that_changes_nothing_is_silent():
    out, late = follow(TUMBLE, orders((1, 5), (12, 1), (3, 0), (4, 2)), **{"late.data": "update"})
    assert out == [[], [("upsert", 5)], [], [("upsert", 7)]]
    assert late == 0


def test_a_closed_window_takes_rows_for_so_long_and_no_longer():
    data = orders((1, 5), (14.9, 1), (2, 2), (15, 1), (3, 100), (4, 100))
    out, late = follow(TUMBLE, data, **{"late.data": "update", "late.within": "5s"})
    assert out == [[], [("upsert", 5)], [("upsert", 7)], [], [], []]
    assert late == 2


def test_emit_changes_drops_what_comes_after_the_end():
    out, late = follow(f"{TUMBLE} EMIT CHANGES", orders((1, 5), (10, 1), (3, 2), (11, 1)))
    assert (out, late) == ([[("upsert", 5)], [("upsert", 1)], [], [("upsert", 2)]], 1)


def test_sessions_that_merge_take_the_place_of_both():
    out, _ = follow(f"{SESSION} EMIT CHANGES", orders((1, 1), (10, 2), (5.5, 4), (11, 8)), **{"watermark.delay": "20s"})
    assert out == [[("upsert", 1)], [("upsert", 2)], [("delete", 2), ("upsert", 7)], [("upsert", 15)]]


def test_a_late_row_bridges_two_sessions_that_were_emitted():
    data = orders((1, 1), (10, 2), (30, 4), (5.5, 8))
    out, late = follow(SESSION, data, **{"late.data": "update", "late.within": "1m"})
    assert out == [[], [("upsert", 1)], [("upsert", 2)], [("delete", 2), ("upsert", 11)]]
    assert late == 0


def test_only_the_outermost_windows_change():
    """The windows below are final when they are read: a late row is dropped there."""
    query = (
        "WITH a AS (SELECT window_end AS e, SUM(quantity) AS q FROM m GROUP BY TUMBLE(timestamp, 2s)) "
        "SELECT window_end, SUM(q) AS q FROM a GROUP BY TUMBLE(e, 10s) EMIT CHANGES"
    )
    out, late = follow(query, orders((1, 1), (3, 2), (1.5, 4), (5, 8), (7, 16)))
    assert (out, late) == ([[], [("upsert", 1)], [], [("upsert", 3)], [("upsert", 11)]], 1)


@pytest.mark.parametrize(
    ("select", "key"),
    [
        ("symbol, window_start, window_end", ("window_end", "symbol")),
        ("symbol, window_start", ("window_start", "symbol")),
        ("window_end", ()),
    ],
)
def test_the_key_is_one_end_of_the_window_and_the_keys(select, key):
    plan = plan_of(
        f"SELECT {select}, COUNT(*) AS n FROM m GROUP BY symbol, TUMBLE(timestamp, 10s) EMIT CHANGES", orders()
    )
    assert plan.key == key
    assert plan.changelog == ("upsert" if key else "retract")
