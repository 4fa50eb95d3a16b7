"""DuckDB, one thread, over the whole files: each read once into memory, then one query after another to JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.child import serve
from benchmarks.five import BATCH, COLUMNS, as_written


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``sources`` (file by topic), ``out`` (folder)."""
    import duckdb

    out = Path(options["out"])
    with duckdb.connect(config={"threads": 1}) as con:
        # without it an ASOF JOIN over read_json, estimated at a few rows, is planned as a nested loop
        con.execute("SET asof_loop_join_threshold = 0")
        rows = sum(load(con, topic, path) for topic, path in options["sources"].items())
        for topic in BATCH:
            con.execute(f"COPY ({as_written(topic)}) TO '{out / topic}.jsonl' (FORMAT json)")
    return {"rows": rows}


def load(con: Any, topic: str, path: str) -> int:
    """Read what the jobs read of a file into a table with record numbers, as the engine decodes once for all jobs."""
    names, scan, time = ", ".join(COLUMNS[topic]), f"'{path}'", "timestamp"
    if path.endswith(".jsonl"):
        scan = f"read_json('{path}', format = 'newline_delimited', columns = {COLUMNS[topic]})"
        time = "make_timestamp(timestamp * 1000)"
    con.execute(
        f"CREATE TABLE {topic} AS SELECT * REPLACE ({time} AS timestamp), row_number() OVER () AS n "
        f"FROM (SELECT {names} FROM {scan})"
    )
    return int(con.execute(f"SELECT count(*) FROM {topic}").fetchall()[0][0])


if __name__ == "__main__":
    serve(work)
