import datetime as dt
import threading
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

import velostream_nb as velo
from velostream_nb.core.errors import (
    BindError,
    ConfigError,
    JobExistsError,
    ParseError,
    ServerError,
    UnknownJobError,
    UnknownTopicError,
)
from velostream_nb.core.handle import JobHandle
from velostream_nb.core.model import JobState
from velostream_nb.notebook import session as default_session
from velostream_nb.notebook.default import default

from .conftest import Notebook

DEAR = "START JOB dear AS SELECT symbol, price FROM trades WHERE price > 176"
EVIL = "<script>alert(1)</script>"


# -- what a cell shows ----------------------------------------------------------------------------------------------


def test_a_select_is_a_table(nb: Notebook) -> None:
    out = nb.cell("%%velo_sql\nSELECT symbol, max(price) AS top\nFROM trades GROUP BY symbol ORDER BY symbol")
    assert out.text.splitlines()[2:] == ["AAPL    176.00", "MSFT    350.25", "(2 rows)"]
    assert '<td class="n">350.25</td>' in out.html
    assert out.value is None, "a cell shows; it has no value to show twice"


def test_statements_are_shown_in_their_order(nb: Notebook) -> None:
    out = nb.cell(f"%%velo_sql\nSET join.within = '2s';\n{DEAR};\nSELECT count(*) AS n FROM trades; STOP JOB dear")
    assert [bundle["text/plain"].split("\n")[0].strip() for bundle in out.bundles] == [
        "join.within = 2s for jobs started from now on",
        "Job dear: stopped, trades -> dear",
        "n",
        "job dear is stopped",
    ]


def test_the_text_of_records_is_escaped(nb: Notebook) -> None:
    nb.session.produce("trades", [{"symbol": EVIL, "price": 1.0, "volume": 1, "timestamp": 4_000}])
    for code in (
        "%%velo_sql\nSELECT symbol FROM trades",
        "%velo tail trades",
        f"%%velo_sql\nSELECT '{EVIL}' AS \"{EVIL}\"",
    ):
        html = nb.cell(code).html
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html, code
        assert "<script" not in html, code


def test_rows_shown_can_be_configured(nb: Notebook) -> None:
    nb.cell("%config VeloMagics.max_rows = 2")
    out = nb.cell("%%velo_sql -o frame\nSELECT price FROM trades")
    assert "3 rows, the first 2 shown" in out.text
    assert len(nb["frame"]) == 3, "what is captured is whole"


def test_no_display_shows_nothing(nb: Notebook) -> None:
    out = nb.cell(f"%%velo_sql --no-display -o job\n{DEAR}")
    assert out.bundles == []
    assert nb["job"].name == "dear"


def test_the_double_percent_alias(nb: Notebook) -> None:
    assert "3" in nb.cell("%%velo\nSELECT count(*) AS n FROM trades").text


# -- capture --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "%%velo_sql -o got\nSELECT price FROM trades ORDER BY price",
        "%%velo_sql --out=got SELECT price\nFROM trades ORDER BY price",
        "%%velo_sql got << SELECT price\nFROM trades ORDER BY price",
        "%%velo_sql got <<\nSELECT price FROM trades ORDER BY price",
        "%%velo_sql\ngot << SELECT price FROM trades ORDER BY price",
        "%velo_sql -o got SELECT price FROM trades ORDER BY price",
        "got = %velo_sql SELECT price FROM trades ORDER BY price",
    ],
)
def test_every_way_to_capture_rows(nb: Notebook, code: str) -> None:
    nb.cell(code)
    assert isinstance(nb["got"], pd.DataFrame)
    assert nb["got"]["price"].tolist() == [175.5, 176.0, 350.25]


@pytest.mark.parametrize(
    "code", [f"%%velo_sql -o got\n{DEAR}", f"got = %velo_sql {DEAR}", f"%%velo_sql got <<\n{DEAR}"]
)
def test_every_way_to_capture_a_job(nb: Notebook, code: str) -> None:
    nb.cell(code)
    nb.session.drain()
    assert isinstance(nb["got"], JobHandle)
    assert nb["got"].df()["price"].tolist() == [350.25]


def test_the_last_job_or_rows_are_captured(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql -o got\n{DEAR}; SELECT 1 AS one; SET join.within = '2s'")
    assert nb["got"].to_dict("list") == {"one": [1]}
    out = nb.cell("%%velo_sql -o got\nSET join.within = '2s'")
    assert nb["got"] is None
    assert "got is None" in out.text


def test_a_handle_as_a_value_shows_the_job(nb: Notebook) -> None:
    nb.cell(f"job = %velo_sql {DEAR}")
    out = nb.cell("job")
    assert "Job dear: running" in out.printed + out.text


def test_capturing_twice_is_refused(nb: Notebook) -> None:
    assert "captured twice" in nb.fails("%%velo_sql -o a\nb << SELECT 1", ConfigError)


def test_waiting(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql --wait --timeout 30\n{DEAR}")
    assert nb.session.job_info("dear").rows_in == 3
    assert "--timeout belongs to --wait" in nb.fails("%%velo_sql --timeout 3\nSELECT 1", ConfigError)


# -- running again --------------------------------------------------------------------------------------------------


def test_the_same_text_keeps_the_job(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql --wait\n{DEAR}")
    before = nb.session.job_info("dear")
    out = nb.cell(f"%%velo_sql -o job\n-- again\n{DEAR};")
    after = nb.session.job_info("dear")
    assert "runs with this text already" in out.text
    assert (after.started_us, after.rows_in) == (before.started_us, 3)
    assert nb["job"].name == "dear"
    nb.cell("%velo pause dear")
    assert "it is paused" in nb.cell(f"%%velo_sql\n{DEAR}").text


def test_a_new_text_replaces_the_job_and_its_rows(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql --wait\n{DEAR}")
    out = nb.cell("%%velo_sql --wait\nSTART JOB dear AS SELECT symbol FROM trades")
    assert "replaced job dear: trades -> dear" in out.text
    assert [job.name for job in nb.session.jobs()] == ["dear"]
    assert nb.session.read("dear").to_pydict() == {"symbol": ["AAPL", "MSFT", "AAPL"]}
    assert "runs with this text already" in nb.cell("%%velo_sql\nSTART JOB dear AS SELECT symbol FROM trades").text


def test_a_new_text_that_is_wrong_leaves_the_job_alone(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql --wait\n{DEAR}")
    before = nb.session.job_info("dear")
    printed = nb.fails("%%velo_sql\nSTART JOB dear AS SELECT prise FROM trades", BindError)
    assert printed.splitlines()[:3] == [
        "BindError: unknown column 'prise' (line 1, column 26)",
        "  START JOB dear AS SELECT prise FROM trades",
        "                           ^^^^^",
    ]
    assert nb.session.job_info("dear").state is JobState.RUNNING
    assert nb.session.job_info("dear").started_us == before.started_us


def test_another_value_of_a_parameter_replaces_the_job(nb: Notebook) -> None:
    text = "%%velo_sql --wait\nSTART JOB some AS SELECT price FROM trades WHERE price > $low"
    nb["low"] = 176
    nb.cell(text)
    assert nb.session.read("some").num_rows == 1
    assert "already" in nb.cell(text).text
    nb["low"] = 100
    assert "replaced" in nb.cell(text).text
    assert nb.session.read("some").num_rows == 3


def test_an_insert_of_the_same_cell_is_replaced_and_keeps_its_target(nb: Notebook) -> None:
    nb.session.produce("out", [{"price": 1.0}])
    in_cell(nb, "one")
    text = "%%velo_sql --wait\nINSERT INTO out SELECT price FROM trades WHERE price "
    nb.cell(f"{text} > 300")
    assert "runs with this text already" in nb.cell(f"{text} > 300").text
    out = nb.cell(f"{text} < 176")
    assert "replaced job insert_into_out: trades -> out" in out.text
    assert nb.session.read("out")["price"].to_pylist() == [1.0, 350.25, 175.5], "rows of others are not thrown away"


def test_inserts_of_two_cells_are_two_jobs(nb: Notebook) -> None:
    nb.session.produce("out", [{"price": 1.0}])
    for cell, condition in (("one", "> 300"), ("two", "< 176")):
        in_cell(nb, cell)
        nb.cell(f"%%velo_sql --wait\nINSERT INTO out SELECT price FROM trades WHERE price {condition}")
    assert [job.name for job in nb.session.jobs()] == ["insert_into_out", "insert_into_out_2"]


def in_cell(nb: Notebook, name: str) -> None:
    """The next cells are that one, as a front end tells a kernel."""
    nb.shell.get_parent = lambda: {"metadata": {"cellId": name}}


def test_alter_job_changes_what_a_cell_has_started(nb: Notebook) -> None:
    start = "%%velo_sql --wait\nSTART JOB some AS SELECT price FROM trades WHERE price > $low"
    nb["low"], nb["new"] = 176, 170
    nb.cell(start)
    assert "job some: low = 170 (was 176)" in nb.cell("%%velo_sql --wait\nALTER JOB some SET low = $new").text
    nb.session.produce("trades", [{"symbol": "A", "price": 171.0, "volume": 1, "timestamp": 4_000}])
    nb.session.drain()
    assert nb.session.read("some")["price"].to_pylist() == [350.25, 171.0]
    assert "replaced" in nb.cell(start).text, "the cell says 176 again"


def test_one_statement_of_several_is_kept(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql\n{DEAR}")
    started = nb.session.job_info("dear").started_us
    out = nb.cell(f"%%velo_sql\n{DEAR};\nSTART JOB cheap AS SELECT price FROM trades WHERE price < 176")
    assert {job.name for job in nb.session.jobs()} == {"dear", "cheap"}
    assert nb.session.job_info("dear").started_us == started
    assert "already" in out.text


def test_a_name_used_twice_in_one_cell_is_an_error(nb: Notebook) -> None:
    nb.fails(
        "%%velo_sql\nSTART JOB j AS SELECT price FROM trades; START JOB j AS SELECT symbol FROM trades", JobExistsError
    )


def test_what_was_started_before_an_error_is_shown(nb: Notebook) -> None:
    out = nb.try_cell(f"%%velo_sql\n{DEAR};\nSELECT nope FROM trades")
    assert isinstance(out.error, BindError)
    assert "Job dear: running" in out.text
    assert nb.session.job_info("dear").state is JobState.RUNNING


def test_a_cells_unnamed_query_ends_when_the_cell_is_run_with_another(nb: Notebook) -> None:
    def run(text: str, cell: str = "c1") -> str:
        nb.shell.get_parent = lambda: {"metadata": {"cellId": cell}}
        return nb.cell(f"%%velo_sql\n{text}").text

    run("SELECT price FROM trades EMIT CHANGES")
    assert "already" in run("SELECT price FROM trades EMIT CHANGES")
    assert "dropped query_1" in run("SELECT symbol FROM trades EMIT CHANGES")
    assert len(nb.session.jobs()) == 1
    run("SELECT symbol FROM trades EMIT CHANGES", cell="c2")
    assert len(nb.session.jobs()) == 2, "another cell's query is another query"


# -- Python values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (7, "INTEGER"),
        (7.5, "DOUBLE"),
        ("it's", "VARCHAR"),
        (True, "BOOLEAN"),
        (Decimal("1.10"), "DECIMAL(3,2)"),
        (dt.date(2026, 1, 5), "DATE"),
        (dt.datetime(2026, 1, 5, 14, 30), "TIMESTAMP"),
    ],
)
def test_parameters_keep_their_types(nb: Notebook, value: object, kind: str) -> None:
    nb["value"] = value
    got = nb.cell("got = %velo_sql SELECT typeof($value) AS kind, $value AS value FROM trades LIMIT 1") and nb["got"]
    assert got["kind"][0] == kind
    assert got["value"][0] == value


def test_a_parameter_is_never_sql(nb: Notebook) -> None:
    nb["name"] = "x' OR 1 = 1 --"
    nb.cell("got = %velo_sql SELECT * FROM trades WHERE symbol = $name")
    assert len(nb["got"]) == 0


def test_braces_put_text_in(nb: Notebook) -> None:
    nb["columns"], nb["topic"], nb["prices"] = "symbol, price", "trades", [175.5, 1.0]
    nb.cell("got = %velo_sql SELECT {{columns:sql}} FROM {{topic:id}} WHERE price IN {{prices}}")
    assert nb["got"].to_dict("records") == [{"symbol": "AAPL", "price": 175.5}]
    assert "AAPL" in nb.cell("%velo tail {{topic}}").text


def test_local_variables_of_a_function_count(nb: Notebook) -> None:
    nb.cell(
        "def top(low):\n    return get_ipython().run_line_magic('velo_sql', 'SELECT price FROM trades WHERE price > $low')"
    )
    assert nb.cell("top(300)").value["price"].tolist() == [350.25]


def test_ipython_expands_nothing_itself(nb: Notebook) -> None:
    nb["symbol"] = "no"
    nb.cell("got = %velo_sql SELECT {'a': symbol} AS s, '{symbol}' AS t FROM trades LIMIT 1")
    assert nb["got"]["t"][0] == "{symbol}"


# -- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("%%velo_sql\nSELEC 1", ParseError, "hint"),
        ("%%velo_sql\nSELECT * FROM trade", BindError, "did you mean trades?"),
        ("%%velo_sql\nSELECT * FROM {{tabel:id}}", BindError, "tabel is not a variable"),
        ("%%velo_sql\nSELECT $lim", BindError, "$lim is not a variable"),
        ("%%velo_sql --wiat\nSELECT 1", ConfigError, "did you mean --wait"),
        ("%%velo_sql -o\nSELECT 1", ConfigError, "expected one argument"),
        ("%%velo_sql\n-- nothing", ConfigError, "no statement"),
        ("%velo_sql", ConfigError, "no statement"),
        ("%velo stpo dear", ConfigError, "did you mean stop?"),
        ("%velo stop daer", UnknownJobError, "did you mean dear?"),
        ("%velo stop", ConfigError, "required: job"),
        ("%velo tail trade", UnknownTopicError, "did you mean trades?"),
        ("%velo tail trades -n x", ConfigError, "whole number"),
        ("%velo jobs now", ConfigError, "unexpected 'now'"),
        ("%velo chart 'trades", ConfigError, "no closing quotation"),
        ("%velo explain", ConfigError, "nothing to explain"),
        ("%velo explain daer", UnknownJobError, "did you mean dear?"),
        ("%velo help stpo", ConfigError, "did you mean stop"),
        ("%velo market strat", ConfigError, "invalid choice"),
        ("%velo market start --scenario claim", ConfigError, "did you mean calm"),
        ("%velo market start --speed 5000", ConfigError, "speed must be"),
        ("%velo connect ftp://x", ConfigError, "cannot connect"),
        ("%velo connect http://127.0.0.1:9", ServerError, "no server answers"),
    ],
)
def test_errors_are_one_clean_message(nb: Notebook, code: str, kind: type[Exception], says: str) -> None:
    nb.cell(f"%%velo_sql\n{DEAR}")
    nb["text"] = "x"
    printed = nb.fails(code, kind)
    assert printed.startswith(f"{kind.__name__}: ")
    assert says in printed
    assert "Traceback" not in printed
    assert "usage: ipython" not in printed
    assert nb.session.job_info("dear").state is JobState.RUNNING


def test_an_error_has_its_place_in_the_cell(nb: Notebook) -> None:
    printed = nb.fails("%%velo_sql\nSELECT symbol,\n       prise\nFROM trades", BindError)
    assert "(line 2, column 8)" in printed
    assert "\n         prise\n         ^^^^^" in printed


def test_full_tracebacks_on_request(nb: Notebook) -> None:
    nb.cell("%config VeloMagics.tracebacks = True")
    printed = nb.fails("%velo stop daer", UnknownJobError)
    assert "Traceback (most recent call last)" in printed
    assert printed.rstrip().splitlines()[-2].startswith("UnknownJobError: unknown job 'daer'")
    nb.cell("%config VeloMagics.tracebacks = False")
    assert "Traceback" not in nb.fails("%velo stop daer", UnknownJobError)


def test_errors_stop_a_run_of_all_cells(nb: Notebook) -> None:
    result = nb.shell.run_cell("%velo stop daer", silent=True)
    with pytest.raises(UnknownJobError):
        result.raise_error()


# -- the verbs ------------------------------------------------------------------------------------------------------


def test_help_lists_every_verb_and_velo_alone_is_help(nb: Notebook) -> None:
    text = nb.cell("%velo").text
    assert text == nb.cell("%velo help").text
    for verb in ("jobs", "stop", "topics", "tail", "chart", "explain", "connect", "market"):
        assert f"%velo {verb}" in text
    assert nb.cell("%velo help tail").text.startswith("%velo tail TOPIC")


def test_jobs_and_their_life(nb: Notebook) -> None:
    assert "no jobs yet" in nb.cell("%velo jobs").text
    nb.cell(f"%%velo_sql --wait\n{DEAR}; START JOB all_ AS SELECT price FROM trades")
    nb.session.drain()
    lines = nb.cell("%velo jobs").text.splitlines()
    assert lines[2].split()[:6] == ["dear", "running", "trades", "dear", "3", "1"]
    assert lines[-1] == "(2 jobs: 2 running)"
    assert nb.cell("%velo pause dear all_").text == "job dear is paused\njob all_ is paused"
    assert nb.cell("%velo resume dear").text == "job dear is running"
    assert nb.cell("%velo restart dear").text == "job dear is running"
    assert nb.cell("%velo stop dear").text == "job dear is stopped"
    assert nb.cell("%velo drop dear").text == "job dear is dropped; its topic stays"
    assert "(1 job: 1 paused)" in nb.cell("%velo jobs").text


def test_late_and_rejected_rows_are_shown_where_there_are_any(nb: Notebook) -> None:
    nb.cell("%%velo_sql --wait\nSTART JOB all_ AS SELECT price FROM trades")
    assert "rejected" not in nb.cell("%velo jobs").text
    nb.session.produce("trades", [b"{broken"])
    nb.session.drain()
    head, _, row = nb.cell("%velo jobs").text.splitlines()[:3]
    assert head.split()[-1] == "rejected"
    assert row.split()[-1] == "1"


def test_no_job_is_touched_when_one_name_is_wrong(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql\n{DEAR}")
    nb.fails("%velo stop dear daer", UnknownJobError)
    assert nb.session.job_info("dear").state is JobState.RUNNING


def test_topics_tail_describe_explain(nb: Notebook) -> None:
    assert nb.cell("%velo topics").text.splitlines()[2].split()[:2] == ["trades", "3"]
    tail = nb.cell("%velo tail trades -n 2").text
    assert "175.5" not in tail
    assert "(newest 2 rows of 3)" in tail
    assert "symbol" in nb.cell("%velo describe trades").text
    nb.cell(f"%%velo_sql\n{DEAR}")
    assert "rows in" in nb.cell("%velo explain dear").text
    assert "read trades" in nb.cell(f"%velo explain {DEAR}").text
    assert "175.5" in nb.cell("%velo sql SELECT price FROM trades").text
    assert "state" in nb.cell("%velo describe dear").text


def test_a_stream_is_found_by_its_name_or_its_topic(nb: Notebook) -> None:
    nb.cell("%%velo_sql\nCREATE STREAM prices (price DOUBLE) WITH ('topic' = 'raw_prices')")
    nb.session.produce("raw_prices", [{"price": 2.5}])
    assert "2.5" in nb.cell("%velo tail prices").text
    assert "2.5" in nb.cell("%velo tail RAW_PRICES").text


def test_without_a_notebook_a_chart_says_what_to_do(nb: Notebook) -> None:
    assert "%velo tail trades" in nb.cell("%velo chart trades").text
    assert "%velo tail dear" in nb.cell(f"%%velo_sql --chart\n{DEAR}").text
    assert "no statement here starts one" in nb.cell("%%velo_sql --chart\nSELECT 1 AS one").text


# -- the session ----------------------------------------------------------------------------------------------------


def test_one_session_is_shared_and_given_out(nb: Notebook) -> None:
    nb.cell("s = %velo session")
    assert nb["s"] is nb.session is default_session()
    nb["s"].produce("fresh", [{"a": 1}])
    assert "fresh" in nb.cell("%velo topics").text


def test_a_session_closed_by_hand_is_opened_again(nb: Notebook) -> None:
    before = nb.session
    before.close()
    assert "no jobs yet" in nb.cell("%velo jobs").text
    assert nb.session is not before


def test_connect_closes_the_session_before_it_and_says_so(nb: Notebook) -> None:
    nb.cell(f"%%velo_sql\n{DEAR}")
    before = nb.session
    out = nb.cell("%velo connect")
    assert "a new embedded session" in out.text
    assert "with it dear" in out.text
    assert before.closed
    nb.fails("%velo connect http://127.0.0.1:9", ServerError)
    assert not nb.session.closed, "a failed connect leaves the session alone"


def test_the_environment_names_a_server(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELO_SERVER", "http://127.0.0.1:9")
    notebook = Notebook(bare_shell)
    notebook.cell("%load_ext velostream_nb")
    assert "no server answers at http://127.0.0.1:9" in notebook.fails("%velo jobs", ServerError)
    notebook.cell("%unload_ext velostream_nb")


def test_loading_opens_nothing_and_unloading_leaves_nothing(bare_shell: InteractiveShell) -> None:
    notebook = Notebook(bare_shell)
    threads = set(threading.enumerate())
    matchers = list(bare_shell.Completer.custom_matchers)
    for _ in range(2):
        notebook.cell("%load_ext velostream_nb")
        assert default.peek() is None
        notebook.cell("%velo market start --speed 50")
        notebook.cell("%%velo_sql\nSTART JOB j AS SELECT price FROM market_data")
        opened = default.peek()
        assert opened is not None
        assert len(set(threading.enumerate()) - threads) >= 2
        notebook.cell("%unload_ext velostream_nb")
        assert opened.closed
        left = {thread.name for thread in set(threading.enumerate()) - threads}
        assert left == set()
        assert "not found" in notebook.try_cell("%velo").printed
        assert bare_shell.Completer.custom_matchers == matchers
        assert not any(type(c).__name__ == "VeloMagics" for c in bare_shell.configurables)


def test_loading_twice_registers_once(nb: Notebook) -> None:
    before = nb.session
    velo.load_ipython_extension(nb.shell)
    assert nb.session is before
    assert sum(type(c).__name__ == "VeloMagics" for c in nb.shell.configurables) == 1
    assert len(nb.shell.Completer.custom_matchers) == 1


def test_an_interrupt_while_waiting_leaves_the_jobs_alone(nb: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nb.session, "drain", interrupted)
    out = nb.try_cell(f"%%velo_sql --wait\n{DEAR}")
    assert isinstance(out.error, KeyboardInterrupt)
    assert "the jobs go on" in out.text
    assert nb.session.job_info("dear").state is JobState.RUNNING


def test_the_magics_document_their_options(nb: Notebook) -> None:
    for name in ("--out", "--wait", "--chart", "--no-display"):
        assert name in nb.shell.magics_manager.magics["cell"]["velo_sql"].__doc__


def test_the_demo_application_runs_in_a_cell(nb: Notebook) -> None:
    nb.cell("%velo market start --speed 60")
    text = (Path(__file__).parents[2] / "sql" / "financial_trading.sql").read_text()
    out = nb.cell(f"%%velo_sql\n{text}")
    assert out.text.count("Job ") == 5
    again = nb.cell(f"%%velo_sql\n{text}")
    assert again.text.count("runs with this text already") == 5
