"""Connections of one process: nothing of one can be seen from another, whether or not they share an instance."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from velostream_nb.core.errors import BindError
from velostream_nb.core.functions import FunctionRegistry
from velostream_nb.engine.duck import Duck, EvaluationError
from velostream_nb.jobs.functions import decorator


def test_the_same_names_are_different_things_in_two_connections() -> None:
    ducks = [Duck(), Duck()]
    try:
        answers = []
        for number, duck in enumerate(ducks):
            feed = duck.feed(pa.schema([("x", pa.int64())]))
            feed.rows = pa.table({"x": [number]})
            state = duck.table(f"SELECT * FROM {feed.name}")
            duck.run(f"INSERT INTO {state} SELECT x + 10 FROM {feed.name}")
            answers.append((feed.name, state, duck.prepare(f"SELECT x FROM {feed.name} UNION ALL FROM {state}")))
        assert answers[0][:2] == answers[1][:2]
        assert [a[2].rows().column("x").to_pylist() for a in answers] == [[0, 10], [1, 11]]
    finally:
        for duck in ducks:
            duck.close()


def test_closing_one_connection_leaves_the_others_open() -> None:
    one, other = Duck(), Duck()
    one.close()
    assert other.value("SELECT 1") == 1
    other.close()


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/hostname')",
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET TimeZone = 'Asia/Tokyo'",
        "SET GLOBAL threads = 8",
    ],
)
def test_a_locked_connection_reaches_nothing_and_changes_nothing(sql: str, *, apart: bool) -> None:
    duck = Duck(apart=apart)
    duck.lock()
    try:
        with pytest.raises(EvaluationError):
            duck.run(sql)
    finally:
        duck.close()


def test_functions_stay_with_the_connection_that_has_them() -> None:
    registry = FunctionRegistry()

    @decorator(registry, name="doubled")
    def doubled(x: int) -> int:
        return 2 * x

    with_it, without = Duck(functions=registry.all()), Duck()
    try:
        assert with_it.value("SELECT doubled(21)") == 42
        with pytest.raises(BindError, match="unknown function 'doubled'"):
            without.schema_of("SELECT doubled(21)")
    finally:
        with_it.close()
        without.close()


def test_connections_of_one_instance_work_at_the_same_time() -> None:
    """Several threads, each with its own connection, over and over: every answer is that of its own rows."""
    wrong: list[object] = []

    def work(number: int) -> None:
        duck = Duck()
        feed = duck.feed(pa.schema([("x", pa.int64())]))
        state = duck.table(f"SELECT * FROM {feed.name}")
        insert, total = (
            duck.prepare(f"INSERT INTO {state} FROM {feed.name}"),
            duck.prepare(f"SELECT sum(x) FROM {state}"),
        )
        for tick in range(1, 51):
            feed.rows = pa.table({"x": [number] * 100})
            insert.run()
            got = total.rows().column(0)[0].as_py()
            if got != tick * 100 * number:
                wrong.append((number, tick, got))
        duck.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def is_optimizing(duck: Duck) -> bool:
    return bool(duck.value("SELECT current_setting('enable_optimizer')"))


@pytest.mark.parametrize("apart", [False, True])
def test_plans_are_optimized_however_their_statements_are_run(*, apart: bool) -> None:
    """A statement keeps its plan; what has none yet is optimized, and other connections are not concerned."""
    one, other = Duck(apart=apart), Duck()
    feeds = [one.feed(pa.schema([("x", pa.int64())])) for _ in range(2)]
    for feed in feeds:
        feed.rows = pa.table({"x": [1, 2]})
    query = f"SELECT a.x AS x FROM {feeds[0].name} AS a, {feeds[1].name} AS b WHERE a.x = b.x"
    first = one.prepare(query)
    assert first.rows().column("x").to_pylist() == [1, 2]
    assert not is_optimizing(one)
    assert is_optimizing(other)
    later = one.prepare(query)
    assert is_optimizing(one)
    later.rows()
    plan = one.arrow(f"EXPLAIN {query}").column(1).to_pylist()[0].lower().replace(" ", "_")
    assert "hash_join" in plan
    assert "cross_product" not in plan
    one.close()
    other.close()
