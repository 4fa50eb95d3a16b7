"""So many jobs on one topic of JSON lines: what they cost, and how often a record is decoded."""

from __future__ import annotations

import threading
from typing import Any

from benchmarks import application
from benchmarks.child import serve
from benchmarks.workers.files_duckdb import load

JOB = """
START JOB moves_{number} AS
SELECT symbol, exchange, price, LAG(price) OVER feed AS prev_price, volume, timestamp AS detection_time
FROM market_data
QUALIFY ABS((price - prev_price) / prev_price * 100) > {limit}
WINDOW feed AS (PARTITION BY symbol, exchange ORDER BY timestamp);
"""
"""Price moves, of each job beyond another limit: alike enough to compare, and no two of them the same query."""


NO_JOB = """
START JOB nothing AS
SELECT symbol, exchange, price, volume, timestamp FROM market_data WHERE price < 0;
"""
"""Reads and decodes what the others do, and has next to nothing to evaluate."""


def limit(number: int) -> float:
    """Per cent beyond which job `number` alerts."""
    return 1 + number / 100


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``source`` (JSON-lines file of market_data), ``jobs`` (0: one that only reads), ``batch_rows``.

    Answers the records read and decoded, the CPU seconds of the run (without imports), the rows that each job wrote and
    how many it should have written.
    """
    from velostream_nb.codecs.json import JsonCodec
    from velostream_nb.core.files import shipped

    decoded = [0]
    decode, lock = JsonCodec.decode, threading.Lock()

    def counted(self: Any, records: Any, *rest: Any, **named: Any) -> Any:
        with lock:
            decoded[0] += records.rows
        return decode(self, records, *rest, **named)

    JsonCodec.decode = counted  # type: ignore[method-assign]
    declared = shipped("sql/financial_trading.sql").read_text().partition("START JOB")[0]
    jobs = "".join(JOB.format(number=n, limit=limit(n)) for n in range(options["jobs"])) or NO_JOB
    summary = application.run(declared + jobs, {"market_data": options["source"]}, batch_rows=options["batch_rows"])
    return {
        "rows": summary.rows_in,
        "decoded_rows": decoded[0],
        "run_s": summary.cpu_seconds,
        "alerts": [job.rows_out for job in summary.jobs],
        "expected": expected(options["source"], options["jobs"]) or [0],
    }


def expected(source: str, jobs: int) -> list[int]:
    """How many rows each job should write."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as con:
        load(con, "market_data", source)
        con.execute(
            "CREATE TABLE moves AS SELECT ABS((price - LAG(price) OVER feed) / LAG(price) OVER feed * 100) AS move "
            "FROM market_data WINDOW feed AS (PARTITION BY symbol, exchange ORDER BY timestamp, n)"
        )
        counts = [con.execute("SELECT count(*) FROM moves WHERE move > ?", [limit(n)]).fetchall() for n in range(jobs)]
        return [int(count[0][0]) for count in counts]


if __name__ == "__main__":
    serve(work)
