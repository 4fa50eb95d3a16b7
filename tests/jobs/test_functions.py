"""Python functions as people use them: defined in a cell, called in SQL, defined anew."""

from __future__ import annotations

import pytest

import velostream_nb as velo
from tests.driven import DrivenSession, driven
from velostream_nb.core.errors import BindError, ConfigError
from velostream_nb.core.functions import FUNCTIONS


@pytest.fixture
def session():
    with driven() as found:
        found.sql("CREATE STREAM t (k VARCHAR, x DOUBLE, timestamp TIMESTAMP)")
        yield found


@pytest.fixture
def globally():
    """A function of the process, taken away again."""

    @velo.function
    def plus_one(x: float) -> float:
        """One more.

        Not two.
        """
        return x + 1

    yield plus_one
    FUNCTIONS.remove("plus_one")


def feed(session: DrivenSession, *values: float | None) -> None:
    session.produce("t", [{"k": "a", "x": x, "timestamp": n * 1_000} for n, x in enumerate(values)])
    while session.tick():
        pass


def rows(session: DrivenSession, topic: str) -> list[float]:
    return session.read(topic).column("v").to_pylist()


def test_a_decorated_function_stays_a_function_and_is_seen_by_every_session(globally, session):
    assert globally(1.0) == 2.0
    feed(session, 1, 2)
    assert session.query("SELECT plus_one(x) AS v FROM t").column("v").to_pylist() == [2.0, 3.0]
    with driven() as other:
        assert other.query("SELECT PLUS_ONE(41) AS v").column("v").to_pylist() == [42.0]


def test_a_sessions_own_function_is_its_own(session):
    @session.function(name="half", returns="DOUBLE", parameters=["DOUBLE"])
    def h(x):
        return x / 2

    assert session.query("SELECT half(3) AS v").column("v").to_pylist() == [1.5]
    with driven() as other, pytest.raises(BindError, match="unknown function 'half'"):
        other.query("SELECT half(3) AS v")


def test_defined_anew_running_jobs_keep_the_old_one_until_they_are_restarted(session):
    session.function(lambda x: x, name="score", returns="DOUBLE", parameters=["DOUBLE"])
    session.sql("START JOB old AS SELECT score(x) AS v FROM t")
    feed(session, 1)

    session.function(lambda x: x * 100, name="score", returns="DOUBLE", parameters=["DOUBLE"])
    session.sql("START JOB new AS SELECT score(x) AS v FROM t")
    feed(session, 2)
    assert rows(session, "old") == [1.0, 2.0]
    assert rows(session, "new") == [100.0, 200.0]
    session.sql("RESTART JOB old")
    feed(session)
    assert rows(session, "old") == [1.0, 2.0, 100.0, 200.0]


def test_a_row_whose_call_raises_goes_to_the_dead_letters(session):
    @session.function
    def inverse(x: float) -> float:
        return 1 / x

    session.sql("START JOB j AS SELECT inverse(x) AS v FROM t")
    feed(session, 2, 0, None, 4)
    assert rows(session, "j") == [0.5, None, 0.25]
    (letter,) = session.read("j.dlq").to_pylist()
    assert letter["reason"] == "function inverse: ZeroDivisionError: float division by zero"
    assert letter["offset"] == 1
    assert session.job_info("j").failed == 1


def test_show_functions_has_signatures_and_docstrings(globally, session):
    @session.function(deterministic=False)
    def dice(sides: int) -> int:
        """Throws a die."""
        return sides

    shown = {row["function"]: row["meaning"] for row in session.query("SHOW FUNCTIONS").to_pylist()}
    assert shown["plus_one(x DOUBLE) -> DOUBLE"] == "One more."
    assert shown["dice(sides BIGINT) -> BIGINT"] == "Throws a die. (not deterministic: a replay may give other rows)"


def test_a_job_notes_that_a_function_is_not_deterministic(session):
    @session.function(deterministic=False)
    def noise(x: float) -> float:
        return x

    session.sql("START JOB noisy AS SELECT noise(x) AS v FROM t")
    session.sql("START JOB quiet AS SELECT x AS v FROM t")
    assert "noise is not deterministic: a replay may give other rows" in session.job_info("noisy").notes
    assert session.job_info("quiet").notes == ()


def test_explain_knows_the_functions(globally, session):
    plan = session.query("EXPLAIN SELECT plus_one(x) AS v FROM t EMIT CHANGES").column("plan").to_pylist()
    assert any("plus_one" in line.lower() for line in plan)


@pytest.mark.parametrize(
    "name", ["upper", "INITCAP", "select", "left", "tumble", "timestamp", "sum", "coalesce", "count"]
)
def test_names_that_sql_has_already_are_refused(name, session):
    with pytest.raises(ConfigError, match=f"{name} is a word of SQL already"):
        session.function(lambda x: x, name=name, returns="DOUBLE")
