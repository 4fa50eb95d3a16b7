"""So many jobs on one topic of JSON lines: what they cost, and how often a record is decoded."""

from __future__ import annotations

import threading
import time
from typing import Any

from benchmarks.child import serve

JOB = """
START JOB moves_{number} AS
SELECT symbol, exchange, price, LAG(price) OVER feed AS prev_price, volume, timestamp AS detection_time
FROM market_data
QUALIFY ABS((price - prev_price) / prev_price * 100) > {limit}
WINDOW feed AS (PARTITION BY symbol, exchange ORDER BY timestamp);
"""
"""Price moves, of each job beyond another limit: alike enough to compare, and no two of them the same query."""


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``source`` (JSON-lines file of market_data), ``jobs``, ``batch_rows``.

    Answers the records read and decoded, and CPU seconds: of decoding, and of the whole run without imports.
    """
    from velostream_nb.codecs.json import JsonCodec
    from velostream_nb.core.files import shipped
    from velostream_nb.jobs.batch import run_files

    decoded = {"rows": 0, "cpu_ns": 0}
    decode, lock = JsonCodec.decode, threading.Lock()

    def counted(self: Any, records: Any, *rest: Any, **named: Any) -> Any:
        began_ns = time.thread_time_ns()
        found = decode(self, records, *rest, **named)
        with lock:
            decoded["rows"] += records.rows
            decoded["cpu_ns"] += time.thread_time_ns() - began_ns
        return found

    JsonCodec.decode = counted  # type: ignore[method-assign]
    declared = shipped("sql/financial_trading.sql").read_text().partition("START JOB")[0]
    text = declared + "".join(JOB.format(number=n, limit=1 + n / 100) for n in range(options["jobs"]))
    # declared streams that no job reads are no sources
    summary = run_files(text, {"market_data": options["source"]}, batch_rows=options["batch_rows"])
    assert summary.ok, [job.error for job in summary.jobs if job.error]
    return {
        "rows": summary.rows_in,
        "decoded_rows": decoded["rows"],
        "decode_s": decoded["cpu_ns"] / 1e9,
        "run_s": summary.cpu_seconds,
        "alerts": [job.rows_out for job in summary.jobs],
    }


if __name__ == "__main__":
    serve(work)
