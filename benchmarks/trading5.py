"""The five trading jobs over files, against DuckDB answering the same five queries in batch, in one run.

    python benchmarks/trading5.py [--scale 1.0] [--format jsonl] [--batch-rows 50000] [--runs 3] [--json FILE]

At scale 1 the input is 2.0 M market, 1.0 M order and 0.2 M position rows, made by velostream_generator (seed 7) into
benchmarks/data/ on first use. Every engine runs in a process of its own, in turn; CPU seconds and peak memory are the
operating system's for the whole process, interpreter start and imports included. Batch runs with one thread and writes
its answers to JSON lines as the jobs do; row counts of both are compared, so a wrong answer is no fast answer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROWS = {"market_data": 2_000_000, "order_book_updates": 1_000_000, "trading_positions": 200_000}

# the same questions in plain DuckDB: ties are broken by record number, as the engine does
BATCH = {
    "price_alerts": """
        SELECT symbol, exchange, price, LAG(price) OVER feed AS prev_price,
               ROUND((price - prev_price) / prev_price * 100, 2) AS price_change_pct, volume, timestamp AS detection_time
        FROM market_data
        WINDOW feed AS (PARTITION BY symbol, exchange ORDER BY timestamp, n)
        QUALIFY ABS((price - prev_price) / prev_price * 100) > 5""",
    "volume_spikes": """
        SELECT symbol, exchange, price, volume, AVG(volume) OVER last_20 AS avg_volume_20,
               ROUND(volume / avg_volume_20, 2) AS volume_ratio, timestamp AS detection_time
        FROM market_data
        WINDOW last_20 AS (PARTITION BY symbol, exchange ORDER BY timestamp, n ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING)
        QUALIFY volume > 3 * avg_volume_20 AND COUNT(volume) OVER last_20 = 20""",
    "risk_alerts": """
        WITH quotes AS (SELECT symbol, timestamp, arg_max(price, n) AS price FROM market_data GROUP BY ALL),
        valued AS (
            SELECT p.*, m.price, ABS(p.position_size * m.price) AS position_value,
                   COALESCE(p.current_pnl, 0) - COALESCE(LAG(p.current_pnl) OVER (
                       PARTITION BY p.trader_id, p.symbol ORDER BY p.timestamp, p.n), 0) AS pnl_change
            FROM trading_positions p
            ASOF LEFT JOIN quotes m ON p.symbol = m.symbol AND p.timestamp >= m.timestamp),
        totals AS (SELECT *, SUM(pnl_change) OVER (PARTITION BY trader_id ORDER BY timestamp) AS total_pnl FROM valued)
        SELECT trader_id, symbol, position_size, price, ROUND(position_value, 2) AS position_value, current_pnl,
               ROUND(total_pnl, 2) AS total_pnl, timestamp AS detection_time
        FROM totals WHERE totals.position_value > 500000 OR totals.total_pnl < -50000""",
    "order_imbalance_alerts": """
        SELECT symbol, e AS window_end, SUM(quantity) FILTER (WHERE side = 'BUY') AS buy_volume,
               SUM(quantity) FILTER (WHERE side = 'SELL') AS sell_volume, SUM(quantity) AS total_volume
        FROM (SELECT symbol, side, quantity,
                     (epoch_us(timestamp) // 10000000 + unnest([1, 2, 3, 4, 5, 6])) * 10000000 AS e
              FROM order_book_updates)
        GROUP BY symbol, e
        HAVING total_volume >= 10000
           AND GREATEST(COALESCE(buy_volume, 0), COALESCE(sell_volume, 0)) > 0.7 * total_volume""",
    # the time bound as an equality of 2 s buckets, or the engine would compare everything with everything
    "arbitrage_opportunities": """
        SELECT b.symbol, b.exchange AS buy_exchange, s.exchange AS sell_exchange, b.ask_price, s.bid_price,
               ROUND((s.bid_price - b.ask_price) / b.ask_price * 1e4, 1) AS spread_bps,
               LEAST(b.ask_size, s.bid_size) AS available_volume, GREATEST(b.timestamp, s.timestamp) AS detection_time
        FROM (SELECT *, unnest(range((epoch_us(timestamp) - 1000000) // 2000000,
                                     (epoch_us(timestamp) + 1000000) // 2000000 + 1)) AS bucket FROM market_data) b
        JOIN (SELECT *, epoch_us(timestamp) // 2000000 AS bucket FROM market_data) s
          ON b.symbol = s.symbol AND b.bucket = s.bucket AND b.exchange <> s.exchange
         AND s.timestamp BETWEEN b.timestamp - INTERVAL 1 SECOND AND b.timestamp + INTERVAL 1 SECOND
        WHERE (s.bid_price - b.ask_price) / b.ask_price * 1e4 >= 10""",
}

COLUMNS = {
    "market_data": "symbol VARCHAR, exchange VARCHAR, price DOUBLE, bid_price DOUBLE, ask_price DOUBLE, bid_size BIGINT, "
    "ask_size BIGINT, volume BIGINT, timestamp BIGINT",
    "trading_positions": "trader_id VARCHAR, symbol VARCHAR, position_size BIGINT, avg_price DOUBLE, current_pnl DOUBLE, "
    "timestamp BIGINT",
    "order_book_updates": "symbol VARCHAR, side VARCHAR, price DOUBLE, quantity BIGINT, order_type VARCHAR, timestamp BIGINT",
}


def made(scale: float, form: str) -> Path:
    """The folder with the input files; makes them when missing."""
    import velostream_generator

    folder = HERE / "data" / f"trading5-{scale:g}"
    if not all((folder / f"{topic}.{form}").exists() for topic in ROWS):
        rows = {topic: int(count * scale) for topic, count in ROWS.items()}
        velostream_generator.write(velostream_generator.MarketConfig(seed=7), folder, format=form, rows=rows)
    return folder


def run_stream(folder: Path, form: str, batch_rows: int) -> dict[str, int]:
    """The five jobs of the shipped application; rows written per topic."""
    from velostream_nb.core.files import shipped
    from velostream_nb.jobs.batch import run_files

    with tempfile.TemporaryDirectory() as out:
        sources = {topic: folder / f"{topic}.{form}" for topic in ROWS}
        text = shipped("sql/financial_trading.sql").read_text()
        summary = run_files(text, sources, sink_dir=out, batch_rows=batch_rows)
        assert summary.ok, [job.error for job in summary.jobs]
        return {job.output: job.rows_out for job in summary.jobs}


def run_batch(folder: Path, form: str) -> dict[str, int]:
    """DuckDB over the whole files, one query after another; rows written per topic."""
    import duckdb

    counts = {}
    with duckdb.connect(config={"threads": 1}) as con, tempfile.TemporaryDirectory() as out:
        con.execute("SET asof_loop_join_threshold = 0")
        for topic in ROWS:
            path = folder / f"{topic}.{form}"
            if form == "jsonl":
                fields = ", ".join(f"{c.split()[0]}: '{c.split()[1]}'" for c in COLUMNS[topic].split(", "))
                scan = f"read_json('{path}', format = 'newline_delimited', columns = {{{fields}}})"
                time_sql = "make_timestamp(timestamp * 1000)"
            else:
                scan, time_sql = f"'{path}'", "timestamp"
            # read once into memory, as the engine decodes once for all the jobs
            con.execute(
                f"CREATE TABLE {topic} AS SELECT * REPLACE ({time_sql} AS timestamp), row_number() OVER () AS n FROM {scan}"
            )
        for topic, query in BATCH.items():
            path = Path(out) / f"{topic}.jsonl"
            counts[topic] = con.execute(f"COPY ({query}) TO '{path}' (FORMAT json)").fetchall()[0][0]
    return counts


def measured(arguments: list[str]) -> dict[str, object]:
    """Run this script as a child; its counts with the operating system's figures for the whole process."""
    with tempfile.NamedTemporaryFile("w+", suffix=".json") as answer:
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, __file__, "--child", answer.name, *arguments])
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        if status:
            raise SystemExit(f"{' '.join(arguments)} failed with status {status}")
        counts = json.load(answer)
    return {
        "counts": counts,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": wall,
        "peak_mb": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
    }


def table(results: dict[str, list[dict[str, object]]], rows: int) -> list[str]:
    """Markdown: medians per engine."""
    lines = ["| engine | rows per CPU-second | CPU s | wall s | peak MB |", "| --- | --- | --- | --- | --- |"]
    for name, runs in results.items():
        cpu, wall, peak = (statistics.median(float(r[k]) for r in runs) for k in ("cpu_s", "wall_s", "peak_mb"))
        lines.append(f"| {name} | {rows / cpu:,.0f} | {cpu:.2f} | {wall:.2f} | {peak:.0f} |")
    ratios = [
        float(s["cpu_s"]) / float(b["cpu_s"])
        for s, b in zip(results["velostream_nb"], results["DuckDB batch, 1 thread"], strict=True)
    ]
    lines.append(f"\nCPU of streaming ÷ CPU of batch, pair by pair: {', '.join(f'{r:.2f}' for r in ratios)}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--format", choices=["jsonl", "parquet"], default="jsonl")
    parser.add_argument("--batch-rows", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=["stream", "batch"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    folder = made(args.scale, args.format)
    if args.child:
        counts = (
            run_stream(folder, args.format, args.batch_rows)
            if args.engine == "stream"
            else run_batch(folder, args.format)
        )
        Path(args.child).write_text(json.dumps(counts))
        return
    common = ["--scale", str(args.scale), "--format", args.format, "--batch-rows", str(args.batch_rows)]
    results: dict[str, list[dict[str, object]]] = {"velostream_nb": [], "DuckDB batch, 1 thread": []}
    for _ in range(args.runs):
        results["velostream_nb"].append(measured([*common, "--engine", "stream"]))
        results["DuckDB batch, 1 thread"].append(measured([*common, "--engine", "batch"]))
    ours, theirs = (runs[0]["counts"] for runs in results.values())
    if ours != theirs:
        raise SystemExit(f"the answers differ: {ours} against {theirs}")
    rows = sum(int(count * args.scale) for count in ROWS.values())
    import duckdb

    print(f"{rows:,} rows of {args.format}, batches of {args.batch_rows:,}; medians of {args.runs} runs in turn;")
    print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {os.cpu_count()} cores; alerts {ours}\n")
    print("\n".join(table(results, rows)))
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, "format": args.format, "results": results}, indent=2))


if __name__ == "__main__":
    main()
