"""Nexmark over files: rows per CPU-second of each query, streaming beside DuckDB in batch.

    python benchmarks/nexmark.py [--events 500000] [--format jsonl] [--queries 0,1,5] [--runs 1] [--json FILE]

Events are made by velostream_generator (seed 7, a rate of 1,000 a second, up to 2 s of disorder) into benchmarks/data/ on
first use. Each query runs in a process of its own with each engine in turn; CPU seconds are the operating system's for the
whole process, start-up included. The batch side is DuckDB with one thread on `tests/nexmark/oracle.py`,
over the same files, and writes its answer to JSON lines too. What both answer is compared by its number of rows, a
changelog after folding: a wrong answer is no fast answer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCES = {
    3: "person auction",
    4: "auction bid",
    6: "auction bid",
    8: "person auction",
    9: "auction bid",
    20: "auction bid",
}
KEYS = {
    4: "category", 6: "seller", 9: "id", 15: "day", 16: "channel, day", 17: "auction, day", 18: "bidder, auction",
    19: "auction, rank_number",
}  # fmt: skip
"""What keys the changelogs that have a key; 3 and 20 have none, the others are rows."""


def topics(number: int) -> list[str]:
    return SOURCES.get(number, "bid").split()


def made(events: int, form: str) -> Path:
    """The folder with the input files; makes them when missing."""
    from velostream_generator import NEXMARK_TOPICS, NexmarkConfig, write_nexmark

    folder = HERE / "data" / f"nexmark-{events}"
    if not all((folder / f"{topic}.{form}").exists() for topic in NEXMARK_TOPICS):
        write_nexmark(NexmarkConfig(seed=7, events=events, disorder_ms=2_000), folder, format=form)
    return folder


def run_stream(number: int, folder: Path, form: str, batch_rows: int, out: Path) -> int:
    """The query as a job over files; records read."""
    from velostream_nb.jobs.batch import run_files

    text = (ROOT / "sql" / "nexmark" / f"q{number}.sql").read_text()
    sources = {topic: folder / f"{topic}.{form}" for topic in topics(number)}
    summary = run_files(text, sources, {f"nexmark_q{number}": out}, batch_rows=batch_rows)
    assert summary.ok, [job.error for job in summary.jobs]
    assert not any(job.late or job.failed for job in summary.jobs)
    return summary.rows_in


def run_batch(number: int, folder: Path, form: str, out: Path) -> int:
    """The same question to DuckDB; records read."""
    import duckdb

    sys.path.insert(0, str(ROOT))
    from velostream_generator import NEXMARK_SCHEMAS

    from tests.nexmark.oracle import ORACLES

    rows = 0
    with duckdb.connect(config={"threads": 1}) as con:
        for topic in topics(number):
            path = folder / f"{topic}.{form}"
            scan = f"'{path}'"
            if form == "jsonl":
                kinds = {"string": "VARCHAR", "int64": "BIGINT", "timestamp[us]": "BIGINT"}
                fields = {f.name: kinds[str(f.type)] for f in NEXMARK_SCHEMAS[topic]}
                times = [f.name for f in NEXMARK_SCHEMAS[topic] if str(f.type) == "timestamp[us]"]
                turned = ", ".join(f"make_timestamp({name} * 1000) AS {name}" for name in times)
                scan = f"(SELECT * REPLACE ({turned}) FROM read_json('{path}', format = 'newline_delimited', columns = {fields}))"
            con.execute(
                f"CREATE TABLE {topic} AS SELECT *, epoch_us(dateTime) AS __ts, row_number() OVER () AS __pos FROM {scan}"
            )
            rows += con.execute(f"SELECT count(*) FROM {topic}").fetchall()[0][0]
        con.execute(f"COPY ({ORACLES[number]}) TO '{out}' (FORMAT json)")
    return rows


def answered(number: int, out: Path) -> int:
    """Rows of an answer; of a changelog those that stand in the end."""
    import duckdb

    with duckdb.connect() as con:
        if not out.stat().st_size:
            return 0
        scan = f"read_json('{out}', format = 'newline_delimited')"
        if "op" not in con.sql(f"FROM {scan} LIMIT 1").columns:
            return con.execute(f"SELECT count(*) FROM {scan}").fetchall()[0][0]
        if number in KEYS:
            numbered = f"SELECT *, row_number() OVER () AS n FROM {scan}"
            last = f"SELECT arg_max(op, n) AS op FROM ({numbered}) GROUP BY {KEYS[number]}"
            return con.execute(f"SELECT count_if(op <> 'delete') FROM ({last})").fetchall()[0][0]
        signs = "CASE op WHEN 'delete' THEN -1 ELSE 1 END"
        return con.execute(f"SELECT coalesce(sum({signs}), 0)::BIGINT FROM {scan}").fetchall()[0][0]


def measured(number: int, engine: str, arguments: list[str]) -> dict[str, float]:
    """Run this script as a child: the operating system's figures for it, records read and rows of the answer."""
    with tempfile.TemporaryDirectory() as folder:
        out, read = Path(folder) / "out.jsonl", Path(folder) / "read"
        child = [sys.executable, __file__, "--child", engine, "--queries", str(number), "--out", str(out), *arguments]
        with (Path(folder) / "errors").open("w+") as errors:
            began = time.perf_counter()
            process = subprocess.Popen(child, stdout=read.open("w"), stderr=errors)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
            if status:
                errors.seek(0)
                raise RuntimeError(errors.read().strip().splitlines()[-1])
        rows, peak_mb = read.read_text().split()
        return {
            "rows": int(rows),
            "answer": answered(number, out),
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "wall_s": wall,
            "peak_mb": float(peak_mb),
        }


def peak_mb() -> float:
    """Peak memory of this process. What the operating system says of a child counts its parent's at the fork."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def compare(number: int, runs: int, arguments: list[str]) -> dict[str, object]:
    """Both engines in turn, `runs` times; medians of CPU seconds."""
    found: dict[str, list[dict[str, float]]] = {"stream": [], "batch": []}
    for _ in range(runs):
        for engine, results in found.items():
            results.append(measured(number, engine, arguments))
    ours, theirs = found["stream"][0], found["batch"][0]
    if ours["answer"] != theirs["answer"]:
        raise RuntimeError(f"the answers differ: {ours['answer']:,} rows against {theirs['answer']:,}")
    cpu = {engine: statistics.median(r["cpu_s"] for r in results) for engine, results in found.items()}
    return {
        "rows": ours["rows"],
        "answer": ours["answer"],
        "stream": ours["rows"] / cpu["stream"],
        "batch": ours["rows"] / cpu["batch"],
        "peak_mb": statistics.median(r["peak_mb"] for r in found["stream"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--format", choices=["jsonl", "parquet"], default="jsonl")
    parser.add_argument("--batch-rows", type=int, default=50_000)
    parser.add_argument("--queries", help="numbers, separated by commas; all of them when left out")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--child", choices=["stream", "batch"], help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    numbers = [int(n) for n in args.queries.split(",")] if args.queries else list(range(23))
    folder = made(args.events, args.format)
    if args.child == "stream":
        print(run_stream(numbers[0], folder, args.format, args.batch_rows, args.out), peak_mb())
        return
    if args.child == "batch":
        print(run_batch(numbers[0], folder, args.format, args.out), peak_mb())
        return
    import duckdb

    print(
        f"{args.events:,} events of {args.format}, batches of {args.batch_rows:,}; medians of {args.runs} runs in turn;"
    )
    print(f"Python {platform.python_version()}, DuckDB {duckdb.__version__}, {os.cpu_count()} cores\n")
    print("| query | rows in | answer | streaming, rows/CPU-s | DuckDB batch, rows/CPU-s | ratio | peak MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    arguments = ["--events", str(args.events), "--format", args.format, "--batch-rows", str(args.batch_rows)]
    results, failed = {}, []
    for number in numbers:
        try:
            r = results[number] = compare(number, args.runs, arguments)
        except RuntimeError as error:
            failed.append(number)
            print(f"| q{number} | {error} |", flush=True)
            continue
        print(
            f"| q{number} | {r['rows']:,} | {r['answer']:,} | {r['stream']:,.0f} | {r['batch']:,.0f} "
            f"| {r['stream'] / r['batch']:.2f} | {r['peak_mb']:.0f} |",
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps({"events": args.events, "format": args.format, "results": results}, indent=2))
    if failed:
        raise SystemExit(f"without a right answer: {', '.join(f'q{n}' for n in failed)}")


if __name__ == "__main__":
    main()
