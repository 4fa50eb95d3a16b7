import gc
import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from velostream_nb.core.errors import ConfigError
from velostream_nb.jobs.session import Session
from velostream_nb.notebook import market
from velostream_nb.notebook.market import current_market

from .lab import wait_for


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as opened:
        yield opened
    wait_for(lambda: not feeds(), 5, "the market ends with its session")


def feeds() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "velo-market"]


def test_rows_are_there_at_once_and_go_on(session: Session) -> None:
    running = market(session, "calm", speed=20)
    now_ms = time.time_ns() // 1_000_000
    rows = session.read("market_data")
    assert rows.num_rows > 1_000, "a minute and more of quotes lies behind it"
    assert abs(running.event_ms - now_ms) < 60_000
    assert {topic.name for topic in session.topics()} >= {"market_data", "order_book_updates", "trading_positions"}
    wait_for(lambda: session.read("market_data").num_rows > rows.num_rows, 5, "more quotes")


def test_asked_again_it_is_the_same_and_another_takes_its_place(session: Session) -> None:
    first = market(session, "calm", speed=50)
    assert market(session, "calm", speed=50) is first
    reached = first.event_ms
    second = market(session, "risk", speed=50)
    assert not first.running
    assert current_market(session) is second
    assert len(feeds()) == 1
    times = session.query("SELECT max(epoch_ms(timestamp)) AS t FROM market_data")["t"][0].as_py()
    assert times > reached, "event time goes on"
    late = session.sql(
        "START JOB j AS SELECT count(*) AS n FROM market_data GROUP BY TUMBLE(timestamp, INTERVAL '1' SECOND)"
    )
    assert late
    second.stop()
    session.drain()
    assert session.job_info("j").late == 0


def test_it_ends_with_its_session() -> None:
    with Session() as session:
        running = market(session, speed=50)
        assert running.running
    wait_for(lambda: not running.running, 5, "the market ends")
    assert running.error is None
    assert "stopped" in repr(running)


def test_it_does_not_keep_its_session_alive() -> None:
    session = Session()
    market(session, speed=50)
    gone = weakref.ref(session)
    del session

    def collected() -> bool:
        gc.collect()
        return gone() is None and not feeds()

    wait_for(collected, 5, "the session is collected and the market ends")


@pytest.mark.parametrize(
    ("options", "says"),
    [({"scenario": "mixd"}, "mixd"), ({"speed": 0}, "speed"), ({"speed": 1e9}, "speed"), ({"seed": -1}, "seed")],
)
def test_wrong_options_are_ours(session: Session, options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        market(session, **options)
    assert feeds() == []
