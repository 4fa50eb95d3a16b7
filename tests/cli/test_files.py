"""generate, run and sql over files."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import duckdb
import pytest

from tests.cli.conftest import VELO, Run, plain_env
from velostream_nb.core.files import shipped

DEAR = """
CREATE STREAM trades (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP);
START JOB dear AS SELECT symbol, price FROM trades WHERE price >= 150;
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.sql"
    path.write_text(DEAR)
    return path


def test_a_generated_market_runs_through_the_five_jobs(cli: Run, tmp_path: Path) -> None:
    day, out = tmp_path / "day", tmp_path / "out"
    made = cli("generate", "--out", day, "--events", 30_000, "--seed", 7)
    assert made.exit_code == 0
    assert "market_data.jsonl: 10,286 records" in made.stdout.replace("\n", "")
    sources = [x for t in ("market_data", "trading_positions", "order_book_updates")
               for x in ("--source", f"{t}={day / t}.jsonl")]  # fmt: skip
    ran = cli("run", shipped("sql/financial_trading.sql"), *sources, "--sink-dir", out, "--json")
    assert (ran.exit_code, ran.stderr) == (0, "")
    summary = json.loads(ran.stdout)
    assert summary["ok"] is True
    assert summary["rows_in"] == 30_000
    jobs = {job["name"]: job for job in summary["jobs"]}
    assert {job["state"] for job in jobs.values()} == {"finished"}
    for job in jobs.values():
        lines = (out / f"{job['output']}.jsonl").read_text().splitlines()
        assert len(lines) == job["rows_out"] > 0
        assert (job["late"], job["failed"]) == (0, 0)
    query = f"""
        SELECT count(*) FROM (
            SELECT price, lag(price) OVER (PARTITION BY symbol, exchange ORDER BY timestamp) AS before
            FROM read_json('{day / "market_data.jsonl"}'))
        WHERE abs(round((price - before) / before * 100, 2)) > 5"""
    with duckdb.connect() as con:
        ((moved,),) = con.execute(query).fetchall()
    assert moved == jobs["price_movements"]["rows_out"]


def test_the_same_seed_makes_the_same_files(cli: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert cli("generate", "--out", tmp_path / name, "--events", 2_000, "--seed", seed).exit_code == 0
    a, b, c = ((tmp_path / name / "market_data.jsonl").read_bytes() for name in "abc")
    assert a == b != c


def test_a_market_of_ones_own(cli: Run, tmp_path: Path) -> None:
    market = tmp_path / "mine.toml"
    market.write_text('scenario = "calm"\nexchanges = ["X"]\n[symbols.SHOP]\nprice = 90.0\nvolatility = 0.4\n')
    out = tmp_path / "out"
    done = cli(
        "generate", "--out", out, "--format", "parquet", "--events", 500, "--symbols", market, "--duplicate", 0.1
    )
    assert done.exit_code == 0
    with duckdb.connect() as con:
        found = con.execute(f"SELECT DISTINCT symbol, exchange FROM '{out / 'market_data.parquet'}'").fetchall()
    assert found == [("SHOP", "X")]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "give either --out DIR or --to URL"),
        (["--out", "x", "--to", "http://127.0.0.1:1"], 2, "give either --out DIR or --to URL"),
        (["--out", "x", "--scenario", "calmm"], 2, "'calmm' is not one of"),
        (["--out", "x", "--late", "2"], 2, "2.0 is not in the range"),
        (
            ["--out", "{tmp}/x", "--format", "parquet", "--malformed", "0.1"],
            1,
            "malformed records do not fit into parquet",
        ),
        (["--out", "{tmp}/x", "--symbols", "{tmp}/none.toml"], 1, "cannot read"),
        (["--to", "http://127.0.0.1:1"], 1, "no server answers at http://127.0.0.1:1"),
        (["--to", "nonsense"], 1, "is not the address of a server"),
    ],
)
def test_what_generate_refuses(cli: Run, tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    result = cli("generate", *(a.format(tmp=tmp_path) for a in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_run_prints_a_summary_for_people(cli: Run, tmp_path: Path, app: Path, trades_file: Path) -> None:
    result = cli("run", app, "--source", f"trades={trades_file}", "--sink", f"dear={tmp_path / 'dear.csv'}")
    assert (result.exit_code, result.stderr) == (0, "")
    header, row = (line.split() for line in result.stdout.splitlines()[:2])
    assert header == ["job", "state", "output", "rows", "in", "rows", "out", "late", "failed", "seconds", "rows/s"]
    assert row[:7] == ["dear", "finished", "dear", "100", "50", "0", "0"]
    assert f"{tmp_path / 'dear.csv'}: 50 rows" in result.stdout.replace("\n", "")
    with (tmp_path / "dear.csv").open() as file:
        assert [float(r["price"]) for r in csv.DictReader(file)] == [150.0 + i for i in range(50)]


def test_batches_change_no_result(cli: Run, tmp_path: Path, app: Path, trades_file: Path) -> None:
    outputs = set()
    for rows in (1, 7, 1_000):
        out = tmp_path / f"{rows}.jsonl"
        done = cli("run", app, "--source", f"trades={trades_file}", "--sink", f"dear={out}", "--batch-rows", rows)
        assert done.exit_code == 0
        outputs.add(out.read_bytes())
    assert len(outputs) == 1


def test_a_job_that_fails_is_told_and_is_exit_code_1(
    cli: Run, tmp_path: Path, app: Path, trades_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from velostream_nb.engine.job import JobEngine

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(JobEngine, "begin", broken)
    result = cli("run", app, "--source", f"trades={trades_file}", "--sink-dir", tmp_path / "out")
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "out of luck" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["{tmp}/ap.sql", "--source", "trades={tmp}/trades.jsonl", "--sink-dir", "{tmp}/o"], 1, "did you mean app.sql"),
        (["{tmp}/app.sql", "--sink-dir", "{tmp}/o"], 2, "no input: give --source"),
        (["{tmp}/app.sql", "--source", "trades={tmp}/trades.jsonl"], 2, "no output: give --sink"),
        (["{tmp}/app.sql", "--source", "trades", "--sink-dir", "{tmp}/o"], 2, "'trades' is not of the form TOPIC=FILE"),
        (["{tmp}/app.sql", "--source", "t=a.csv", "--source", "t=b.csv", "--sink-dir", "{tmp}/o"], 2, "--source t was given twice"),
        (["{tmp}/app.sql", "--source", "trade={tmp}/trades.jsonl", "--sink-dir", "{tmp}/o"], 1, "did you mean trade?"),
        (["{tmp}/app.sql", "--source", "trades={tmp}/trade.jsonl", "--sink-dir", "{tmp}/o"], 1, "did you mean trades.jsonl"),
        (["{tmp}/app.sql", "--source", "trades={tmp}/trades.xls", "--sink-dir", "{tmp}/o"], 1, ".xls"),
        (["{tmp}/app.sql", "--source", "trades={tmp}/trades.jsonl", "--sink", "der={tmp}/o.csv"], 1, "did you mean dear"),
        (["{tmp}/bad.sql", "--source", "trades={tmp}/trades.jsonl", "--sink-dir", "{tmp}/o"], 1, "prise"),
        (["{tmp}/app.sql", "--source", "trades={tmp}/trades.jsonl", "--sink-dir", "{tmp}/o", "--batch-rows", "0"], 2, "batch-rows"),
    ],
)  # fmt: skip
def test_what_run_refuses(
    cli: Run, tmp_path: Path, app: Path, trades_file: Path, arguments: list[str], code: int, says: str
) -> None:
    (tmp_path / "bad.sql").write_text("START JOB j AS SELECT prise FROM trades")
    result = cli("run", *(a.format(tmp=tmp_path) for a in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("o*/*"))


def test_sql_over_a_file(cli: Run, trades_file: Path) -> None:
    query = "SELECT symbol, count(*) AS n, max(timestamp) AS last FROM trades GROUP BY symbol ORDER BY symbol"
    source = ("--source", f"trades={trades_file}")
    lines = [json.loads(line) for line in cli("sql", *source, "--format", "json", query).stdout.splitlines()]
    assert lines == [
        {"symbol": "A", "n": 50, "last": 1_767_623_498_000},
        {"symbol": "B", "n": 50, "last": 1_767_623_499_000},
    ]
    rows = list(csv.reader(io.StringIO(cli("sql", *source, "--format", "csv", query).stdout)))
    assert rows == [
        ["symbol", "n", "last"],
        ["A", "50", "2026-01-05 14:31:38.000"],
        ["B", "50", "2026-01-05 14:31:39.000"],
    ]
    table = cli("sql", *source, query).stdout.splitlines()
    assert [line.split() for line in table][:2] == [["symbol", "n", "last"], ["A", "50", "2026-01-05", "14:31:38.000"]]


def test_sql_from_a_file_with_parameters(cli: Run, tmp_path: Path, trades_file: Path) -> None:
    text = tmp_path / "q.sql"
    text.write_text("SELECT price FROM trades WHERE symbol = $who AND price < $top")
    result = cli(
        "sql", "--source", f"trades={trades_file}", "-f", text, "-p", "who=B", "-p", "top=104.5", "--format", "json"
    )
    assert [json.loads(line)["price"] for line in result.stdout.splitlines()] == [101.0, 103.0]


def test_a_query_that_waits_prints_what_has_come_in_time(cli: Run, trades_file: Path) -> None:
    text = "SELECT price FROM trades WHERE price >= $least EMIT CHANGES LIMIT 9"
    asked = ("sql", "--source", f"trades={trades_file}", "--format", "json", "--timeout", 0.5, "-p", "least=198")
    result = cli(*asked, text)
    assert (result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]) == (
        0,
        [{"price": 198.0}, {"price": 199.0}],
    )


def test_sql_reads_a_table_from_a_file_beside_the_streams(cli: Run, tmp_path: Path, trades_file: Path) -> None:
    (tmp_path / "sectors.csv").write_text("symbol,sector\nA,tech\nB,bank\n")
    text = (
        f"CREATE TABLE sectors (PRIMARY KEY (symbol)) FROM '{tmp_path / 'sectors.csv'}'; "
        "SELECT sector, count(*) AS n FROM trades JOIN sectors USING (symbol) GROUP BY sector ORDER BY sector"
    )
    result = cli("sql", "--source", f"trades={trades_file}", "--format", "json", text)
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"sector": "bank", "n": 50},
        {"sector": "tech", "n": 50},
    ]


def test_sql_runs_the_jobs_it_starts_to_the_end(cli: Run, trades_file: Path) -> None:
    text = """START JOB per_minute AS SELECT symbol, count(*) AS n FROM trades
              GROUP BY symbol, TUMBLE(timestamp, INTERVAL '1' MINUTE)"""
    result = cli("sql", "--source", f"trades={trades_file}", "--format", "json", text)
    assert "started job per_minute" in result.stderr
    assert sum(json.loads(line)["n"] for line in result.stdout.splitlines()) == 100


def test_texts_of_records_are_data_on_a_terminal_too(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"x": "[bold red]not[/bold red] [link]", "timestamp": 1}) + "\n")
    assert "[bold red]not[/bold red] [link]" in cli("sql", "--source", f"t={path}", "SELECT x FROM t").stdout


def test_long_tables_are_cut_and_say_so(cli: Run) -> None:
    result = cli("sql", "SELECT range AS i FROM range(1000)")
    assert len(result.stdout.splitlines()) == 201
    assert "800 more rows" in result.stderr
    assert len(cli("sql", "--format", "csv", "SELECT range AS i FROM range(1000)").stdout.splitlines()) == 1001


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "give the SQL as an argument, or -f FILE"),
        (["SELECT 1", "-f", "x.sql"], 2, "give the SQL as an argument, or -f FILE"),
        (["SELECT 1", "--source", "t=x.csv", "--server", "http://127.0.0.1:1"], 2, "one of them"),
        (["SELECT 1", "--server", "http://127.0.0.1:1"], 1, "no server answers"),
        (["-f", "{tmp}/none.sql"], 1, "no such file"),
        (["SELECT nope"], 1, "nope"),
        (["SELECT * FROM read_csv('{tmp}/trades.jsonl')"], 1, "file"),
    ],
)
def test_what_sql_refuses(
    cli: Run, tmp_path: Path, trades_file: Path, arguments: list[str], code: int, says: str
) -> None:
    result = cli("sql", *(a.format(tmp=tmp_path) for a in arguments))
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_as_a_process_errors_are_one_message_on_standard_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [*VELO, "run", str(tmp_path / "none.sql"), "--source", "t=x.csv", "--sink-dir", "o"],
        capture_output=True, text=True, env=plain_env(), cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: no such file: {tmp_path / 'none.sql'}\n"
