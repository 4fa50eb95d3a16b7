"""Applications over files: the same tick, to the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from velostream_nb.core.errors import BindError, BrokerError, ConfigError, UnsupportedError
from velostream_nb.core.model import JobState
from velostream_nb.jobs.batch import run_files
from velostream_nb.jobs.summary import Progress

APP = """
CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP);
START JOB dear AS SELECT symbol, price, timestamp FROM trades WHERE price >= 500;
START JOB windows AS SELECT symbol, window_end, COUNT(*) AS n, SUM(volume) AS volume
    FROM trades GROUP BY symbol, TUMBLE(timestamp, INTERVAL '10' SECOND);
START JOB busy AS SELECT symbol, n, timestamp FROM (SELECT symbol, n, window_end AS timestamp FROM windows) WHERE n > 4;
"""
START_MS = 1_767_623_400_000


def trades(count: int) -> list[dict[str, Any]]:
    return [
        {"symbol": "AB"[i % 2], "price": float(i), "volume": i, "timestamp": START_MS + i * 1_000} for i in range(count)
    ]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_reads_to_the_end_and_closes_the_windows(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "trades.jsonl", trades(1_003))
    seen: list[Progress] = []
    summary = run_files(APP, {"trades": source}, sink_dir=tmp_path / "out", batch_rows=100, progress=seen.append)
    jobs = {job.name: job for job in summary.jobs}
    assert summary.ok
    assert (summary.rows_in, summary.unwritten) == (1_003, ())
    assert (jobs["dear"].rows_in, jobs["dear"].rows_out, jobs["dear"].late, jobs["dear"].failed) == (1_003, 503, 0, 0)
    assert jobs["windows"].rows_out == jobs["busy"].rows_in == 202
    assert jobs["busy"].rows_out == 200
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"dear.jsonl", "windows.jsonl", "busy.jsonl"}
    assert read_lines(tmp_path / "out" / "dear.jsonl")[0] == {
        "symbol": "A",
        "price": 500.0,
        "timestamp": START_MS + 500_000,
    }
    with duckdb.connect() as con:
        expected = con.execute(
            f"SELECT symbol, count(*) AS n, sum(volume)::BIGINT AS volume FROM '{source}' "
            "GROUP BY symbol, timestamp // 10000 ORDER BY ALL"
        ).fetchall()
    got = [(row["symbol"], row["n"], row["volume"]) for row in read_lines(tmp_path / "out" / "windows.jsonl")]
    assert sorted(got) == expected
    assert [p.fraction for p in seen] == sorted(p.fraction for p in seen)
    assert (seen[-1].fraction, seen[-1].rows_in) == (1.0, 1_003)
    assert summary.peak_memory_bytes > 0
    assert summary.written[str(tmp_path / "out" / "dear.jsonl")] == 503


@pytest.mark.parametrize("batch_rows", [1, 7, 100_000])
def test_the_size_of_batches_changes_nothing(tmp_path: Path, batch_rows: int) -> None:
    source = write_lines(tmp_path / "trades.jsonl", trades(60))
    run_files(APP, {"trades": source}, {"busy": tmp_path / "busy.jsonl"}, batch_rows=batch_rows)
    assert [(r["symbol"], r["n"]) for r in read_lines(tmp_path / "busy.jsonl")] == [("A", 5), ("B", 5)] * 6


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_of_every_kind_come_in_and_go_out(tmp_path: Path, kind: str) -> None:
    table = pa.Table.from_pylist(trades(600))
    source, sink = tmp_path / f"trades.{kind}", tmp_path / f"dear.{kind}"
    if kind == "csv":
        pacsv.write_csv(table, source)
    else:
        pq.write_table(table, source)
    run_files(APP, {"trades": source}, {"dear": sink})
    back = pacsv.read_csv(sink) if kind == "csv" else pq.read_table(sink)
    assert back.num_rows == 100
    assert back["price"].to_pylist() == [float(i) for i in range(500, 600)]


def test_sources_advance_together_in_event_time(tmp_path: Path) -> None:
    left = write_lines(tmp_path / "l.jsonl", [{"k": i, "timestamp": START_MS + i * 1_000} for i in range(2_000)])
    right = write_lines(tmp_path / "r.jsonl", [{"k": i, "timestamp": START_MS + i * 10_000} for i in range(200)])
    app = "START JOB j AS SELECT l.k FROM l JOIN r ON l.k = r.k * 10 AND l.timestamp = r.timestamp"
    summary = run_files(app, {"l": left, "r": right}, {"j": tmp_path / "j.jsonl"}, batch_rows=50)
    assert (summary.jobs[0].rows_out, summary.jobs[0].late) == (200, 0)


def test_bad_records_are_written_where_they_can_be_found_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = tmp_path / "trades.jsonl"
    good = json.dumps(trades(1)[0] | {"price": 600.0})
    source.write_text(f'{good}\n{{"symbol": \n{good}\n{{"price": "dear"}}\n{good}')
    summary = run_files(APP, {"trades": source}, sink_dir=tmp_path / "out")
    assert [(job.rows_in, job.failed) for job in summary.jobs][:2] == [(5, 2), (5, 2)]
    letters = read_lines(tmp_path / "out" / "dear.dlq.jsonl")
    assert [(d["offset"], d["raw"]) for d in letters] == [(1, '{"symbol": '), (3, '{"price": "dear"}')]
    assert len(read_lines(tmp_path / "out" / "dear.jsonl")) == 3


def test_a_job_that_fails_leaves_the_others_their_answers(tmp_path: Path) -> None:
    rows = [row | {"volume": 2**62} for row in trades(600)]
    app = APP + "START JOB failing AS SELECT SUM(volume) OVER (PARTITION BY symbol ORDER BY timestamp) AS x FROM trades"
    app = app.replace("SUM(volume) AS volume", "MAX(volume) AS volume")
    summary = run_files(app, {"trades": write_lines(tmp_path / "t.jsonl", rows)}, {"dear": tmp_path / "dear.jsonl"})
    states = {job.name: job.state for job in summary.jobs}
    assert not summary.ok
    assert states == {
        "dear": JobState.FINISHED,
        "windows": JobState.FINISHED,
        "busy": JobState.FINISHED,
        "failing": JobState.FAILED,
    }
    assert "BIGINT" in (summary.jobs[3].error or "")
    assert len(read_lines(tmp_path / "dear.jsonl")) == 100
    assert summary.unwritten == ("busy",)  # what only another job reads is not missed


@pytest.mark.parametrize(
    ("app", "sources", "sinks", "error", "says"),
    [
        (APP, {"trades": "missing.jsonl"}, {}, BrokerError, "no file"),
        (APP, {"trades": "t.xlsx"}, {}, ConfigError, "format"),
        (APP, {"trade": "t.jsonl"}, {}, ConfigError, "'trades', which has no source"),
        (APP, {"trades": "t.jsonl", "quotes": "t.jsonl"}, {}, ConfigError, "no job reads the source 'quotes'"),
        (APP, {"trades": "t.jsonl"}, {"dearr": "x.jsonl"}, ConfigError, "no job writes 'dearr'"),
        (APP, {"trades": "t.jsonl"}, {"dear": "no/such/folder.jsonl"}, ConfigError, "no folder"),
        ("START JOB j AS SELECT x FROM nothing", {"trades": "t.jsonl"}, {}, BindError, "unknown stream or topic"),
        ("SELECT 1", {"trades": "t.jsonl"}, {}, UnsupportedError, "takes no SELECT"),
        ("SET join.within = '2s'", {"trades": "t.jsonl"}, {}, UnsupportedError, "starts no job"),
        ("INSERT INTO q SELECT x FROM trades", {"trades": "t.jsonl", "q": "t.jsonl"}, {}, BindError, "x"),
        (
            "INSERT INTO q SELECT price, timestamp FROM trades",
            {"trades": "t.jsonl", "q": "t.jsonl"},
            {},
            ConfigError,
            "a source",
        ),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    app: str,
    sources: dict[str, str],
    sinks: dict[str, str],
    error: type[Exception],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "t.jsonl", trades(5))
    (tmp_path / "t.xlsx").write_bytes(b"")
    with pytest.raises(error, match=says):
        run_files(app, sources, sinks)
    assert {path.name for path in tmp_path.iterdir()} == {"t.jsonl", "t.xlsx"}


def test_an_empty_file_gives_empty_outputs(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("")
    summary = run_files(APP, {"trades": tmp_path / "t.jsonl"}, {"dear": tmp_path / "dear.csv"})
    assert summary.ok
    assert summary.rows_in == 0
    assert (tmp_path / "dear.csv").read_text().strip() == '"symbol","price","timestamp"'


def test_parameters_and_settings_reach_the_jobs(tmp_path: Path) -> None:
    source = write_lines(tmp_path / "t.jsonl", trades(20))
    app = "SET watermark.delay = '2s'; START JOB j AS SELECT symbol, price FROM trades WHERE price >= $least"
    run_files(app, {"trades": source}, {"j": tmp_path / "j.jsonl"}, params={"least": 15})
    assert [row["price"] for row in read_lines(tmp_path / "j.jsonl")] == [15.0, 16.0, 17.0, 18.0, 19.0]


def test_an_application_with_tables_views_and_rows_of_its_own(tmp_path: Path) -> None:
    rows = [{"symbol": "ABC"[i % 3], "trader": f"T{i % 2}", "qty": i, "timestamp": 1_000 * i} for i in range(30)]
    source = write_lines(tmp_path / "trades.jsonl", rows)
    (tmp_path / "sectors.csv").write_text("symbol,sector\nA,tech\nB,bank\n")
    text = f"""
        CREATE STREAM trades (symbol VARCHAR, trader VARCHAR, qty BIGINT, timestamp TIMESTAMP);
        CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader)) WITH ('topic' = 'limits_v1');
        INSERT INTO limits VALUES ('T0', 10), ('T1', 20);
        CREATE TABLE sectors (PRIMARY KEY (symbol)) FROM '{tmp_path / "sectors.csv"}';
        CREATE VIEW big AS SELECT t.*, most FROM trades t JOIN limits l USING (trader) WHERE qty > most;
        START JOB breaches AS SELECT b.trader, s.sector, b.qty FROM big b LEFT JOIN sectors s ON b.symbol = s.symbol;
    """
    out = tmp_path / "breaches.jsonl"
    run_files(text, {"trades": source}, sinks={"breaches": out})
    sectors = {"A": "tech", "B": "bank"}
    wanted = [
        {"trader": r["trader"], "sector": sectors.get(str(r["symbol"])), "qty": r["qty"]}
        for r in rows
        if int(str(r["qty"])) > {"T0": 10, "T1": 20}[str(r["trader"])]
    ]
    assert read_lines(out) == wanted
