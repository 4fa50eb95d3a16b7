import threading
import time

from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter

from velostream_nb.core.clock import SystemClock
from velostream_nb.core.errors import ServerError
from velostream_nb.core.model import SessionLike
from velostream_nb.notebook.completion import complete
from velostream_nb.notebook.names import FRESH_US, Names, Snapshot, look, topic_of

from .conftest import Notebook

NAMES = Names(
    topics={
        "trades": {"symbol": "VARCHAR", "price": "DOUBLE", "timestamp": "TIMESTAMP"},
        "quotes": {"symbol": "VARCHAR", "bid": "DOUBLE"},
        "raw": {},
    },
    jobs=("spikes", "dear"),
)


def at(code: str) -> list[str]:
    """What is offered at the ``|`` in a cell."""
    before, _, after = code.partition("|")
    lines = before.split("\n")
    return [option.text for option in complete(before + after, len(lines) - 1, len(lines[-1]), lambda: NAMES).options]


def sql(text: str) -> list[str]:
    return at(f"%%velo_sql\n{text}")


def test_topics_stand_after_from_and_join() -> None:
    assert sql("SELECT * FROM |") == ["trades", "quotes", "raw"]
    assert sql("SELECT * FROM trades t JOIN q|") == ["quotes"]
    assert sql("SELECT * FROM trades, |") == ["trades", "quotes", "raw"]
    assert sql("DESCRIBE t|") == ["trades"]


def test_columns_of_the_topics_in_use_come_first() -> None:
    assert sql("SELECT | FROM trades")[:3] == ["symbol", "price", "timestamp"]
    assert "bid" not in sql("SELECT | FROM trades")
    assert sql("SELECT pri| FROM trades") == ["price"]
    assert sql("SELECT * FROM trades WHERE PRI|") == ["price"]
    assert "bid" not in sql("SELECT * FROM quotes; SELECT | FROM trades"), "only this statement counts"


def test_columns_behind_an_alias_or_a_name() -> None:
    assert sql("SELECT t.|, q.bid FROM trades t JOIN quotes AS q ON t.symbol = q.symbol") == [
        "symbol",
        "price",
        "timestamp",
    ]
    assert sql("SELECT q.b| FROM trades AS t JOIN quotes q") == ["bid"]
    assert sql("SELECT * FROM trades WHERE trades.p|") == ["price"]
    assert sql("SELECT nope.| FROM trades") == []


def test_statements_functions_and_keywords_follow_the_users_case() -> None:
    assert "START JOB" in sql("STA|")
    assert "start job" in sql("sta|")
    assert "avg" in sql("SELECT av| FROM trades")
    assert "WHERE" in sql("SELECT * FROM trades WH|")
    assert "where" in sql("select * from trades wh|")
    assert "EMIT CHANGES" in sql("SELECT * FROM trades EM|")


def test_jobs_and_what_to_show() -> None:
    assert sql("STOP JOB |") == ["spikes", "dear"]
    assert sql("EXPLAIN JOB sp|") == ["spikes"]
    assert sql("START JOB |") != ["spikes", "dear"], "a new job has a new name"
    assert sql("SHOW T|") == ["TABLES", "TOPICS"]


def test_options_in_with() -> None:
    assert sql("START JOB j AS SELECT 1 WITH ('out|") == ["output.topic"]
    assert sql("START JOB j AS SELECT 1 WITH ('output.topic' = 'a', 'water|") == ["watermark.delay"]
    assert sql("START JOB j AS SELECT 1 WITH ('output.topic' = 'wat|") == []


def test_nothing_in_strings_and_comments() -> None:
    assert sql("SELECT 'pri| FROM trades") == []
    assert sql("SELECT 1 -- pri|") == []


def test_nothing_outside_of_our_cells() -> None:
    def never() -> Names:
        raise AssertionError("the session must not be looked at")

    for code in (
        "SELECT * FROM ",
        "import os\n%%velo_sql\nSELECT ",
        "%%sql\nSELECT ",
        "x = velo",
        "%timeit ",
        "%velocity ",
    ):
        lines = code.split("\n")
        assert complete(code, len(lines) - 1, len(lines[-1]), never).options == []


def test_the_magics_line() -> None:
    assert at("%%velo_sql --w|\nSELECT 1") == ["--wait"]
    assert at("%%velo_sql |\nSELECT 1") == []
    assert at("%velo st|") == ["stop"]
    assert at("  %velo stop |") == ["spikes", "dear"]
    assert at("%velo stop spikes |") == ["dear"]
    assert at("%velo tail |")[:3] == ["trades", "quotes", "raw"]
    assert at("%velo chart trades --y |") == ["symbol", "price", "timestamp"]
    assert at("%velo chart trades --b|") == ["--by"]
    assert at("%velo describe |") == ["trades", "quotes", "raw", "spikes", "dear"]
    assert at("%velo market sta|") == ["start", "status"]
    assert at("%velo help ta|") == ["tail"]
    assert at("rows = %velo_sql SELECT * FROM q|") == ["quotes"]
    assert at("x = 1\n%velo sql SELECT * FROM q|") == ["quotes"]


@given(st.text(alphabet="sel'\"()-.;,\n \\%{}$tradesFROM*", max_size=60), st.integers(0, 60))
def test_no_text_breaks_it(text: str, cut: int) -> None:
    before, after = text[:cut], text[cut:]
    for head in ("%%velo_sql\n", "%%velo_sql ", "%velo ", ""):
        at(f"{head}{before}|{after}")


def offered(nb: Notebook, code: str) -> list[str]:
    with provisionalcompleter():
        return [c.text for c in nb.shell.Completer.completions(code, len(code))]


def test_the_shell_offers_ours_and_only_ours(nb: Notebook) -> None:
    nb["price_of_python"] = 1
    assert offered(nb, "%%velo_sql\nSELECT * FROM tr") == ["trades"]
    assert offered(nb, "%%velo_sql\nSELECT t.pr FROM trades t"[:22]) == []
    assert "price_of_python" not in offered(nb, "%%velo_sql\nSELECT * FROM trades WHERE pr")
    assert offered(nb, "%%velo_sql\nSELECT * FROM trades WHERE pr") == ["preceding", "price"]
    assert "price_of_python" in offered(nb, "price_")


def test_completion_opens_no_session(bare_shell: object) -> None:
    from velostream_nb.notebook.default import default

    notebook = Notebook(bare_shell)
    notebook.cell("%load_ext velostream_nb")
    assert "START JOB" in offered(notebook, "%%velo_sql\nSTA")
    assert default.peek() is None
    notebook.cell("%unload_ext velostream_nb")


def test_new_topics_and_jobs_are_seen_soon(nb: Notebook) -> None:
    assert offered(nb, "%%velo_sql\nSELECT * FROM new") == []
    nb.session.produce("newcomers", [{"a": 1}])
    end = time.monotonic() + 2 * FRESH_US / 1e6
    while "newcomers" not in offered(nb, "%%velo_sql\nSELECT * FROM new") and time.monotonic() < end:
        time.sleep(0.05)
    assert offered(nb, "%%velo_sql\nSELECT * FROM new") == ["newcomers"]


def test_it_is_fast(nb: Notebook) -> None:
    for index in range(200):
        nb.session.sql(f"CREATE STREAM topic_{index} ({', '.join(f'c{i} DOUBLE' for i in range(20))})")
    code = "%%velo_sql\n" + "SELECT c1, c2 FROM topic_1 WHERE c3 > 0;\n" * 100 + "SELECT c1 FROM topic_7 t WHERE t.c"
    snapshot = Snapshot(lambda: nb.session)
    lines = code.split("\n")
    took = []
    for _ in range(9):
        start = time.perf_counter_ns()
        assert len(complete(code, len(lines) - 1, len(lines[-1]), snapshot.names).options) in (0, 20)
        took.append((time.perf_counter_ns() - start) // 1_000)
    assert sorted(took)[4] < 20_000, f"median of {took} µs"


def test_a_slow_server_is_not_waited_for() -> None:
    release = threading.Event()

    class Slow:
        def topics(self) -> list[object]:
            release.wait(10)
            raise ServerError("too late")

    session: SessionLike = Slow()  # type: ignore[assignment]
    snapshot = Snapshot(lambda: session)
    start_us = SystemClock().now_us()
    assert snapshot.names() == Names()
    assert snapshot.names() == Names()
    assert SystemClock().now_us() - start_us < 1_000_000
    release.set()


def test_tables_and_views_are_names_with_columns(nb: Notebook) -> None:
    nb.session.sql(
        "CREATE TABLE limits (trader VARCHAR, most DECIMAL(18,2), PRIMARY KEY (trader)) WITH ('topic' = 'l1')"
    )
    nb.session.sql("CREATE VIEW dear AS SELECT symbol, price FROM trades WHERE price > 176")
    names = look(nb.session)
    assert names.columns("limits") == {"trader": "VARCHAR", "most": "DECIMAL(18,2)"}
    assert names.columns("DEAR") == {"symbol": "VARCHAR", "price": "DOUBLE"}
    assert topic_of(nb.session, "limits") == "l1"
