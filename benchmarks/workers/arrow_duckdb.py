"""DuckDB, one thread, over whole Arrow tables in memory: one query after another, Arrow out.

It scans the Arrow tables themselves, which is cheaper here than to copy them into its own format first. They carry
record numbers that were made before the clock starts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.child import serve
from benchmarks.five import BATCH, COLUMNS


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options and answer as of `arrow_stream`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    began_s = time.process_time()  # the import of Arrow is part of every start
    tables = {}
    for topic, path in options["sources"].items():
        table = pq.read_table(path, columns=list(COLUMNS[topic])).combine_chunks()
        tables[topic] = table.append_column("n", pa.array(range(table.num_rows), pa.int64()))
    load_s = time.process_time() - began_s

    import duckdb

    with duckdb.connect(config={"threads": 1}) as con:
        for topic, table in tables.items():
            con.register(topic, table)
        began_s = time.process_time()
        answers = {topic: con.sql(query).to_arrow_table() for topic, query in BATCH.items()}
        run_s = time.process_time() - began_s
    began_s = time.process_time()
    if options["out"]:
        for topic, answer in answers.items():
            pq.write_table(answer, Path(options["out"]) / f"{topic}.parquet")
    return {"load_s": load_s, "run_s": run_s, "save_s": time.process_time() - began_s}


if __name__ == "__main__":
    serve(work)
