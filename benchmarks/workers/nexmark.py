"""One Nexmark query over JSON lines, streaming or in batch; JSON lines out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks import application
from benchmarks.child import ROOT, serve

SOURCES = {
    3: ("person", "auction"),
    4: ("auction", "bid"),
    6: ("auction", "bid"),
    8: ("person", "auction"),
    9: ("auction", "bid"),
    20: ("auction", "bid"),
}
"""Topics that a query reads; the others read bids alone."""
KEYS = {
    4: "category", 6: "seller", 9: "id", 15: "day", 16: "channel, day", 17: "auction, day", 18: "bidder, auction",
    19: "auction, rank_number",
}  # fmt: skip
"""What keys the changelogs that have a key; 3 and 20 have none, the others are rows."""


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``query``, ``engine`` ('stream' | 'batch'), ``files`` by topic, ``out``, ``batch_rows``; or ``answers``,
    a list of files whose rows to count."""
    number = options["query"]
    if "answers" in options:
        return {"rows": [answered(number, Path(path)) for path in options["answers"]]}
    files = {topic: options["files"][topic] for topic in SOURCES.get(number, ("bid",))}
    if options["engine"] == "batch":
        return {"rows": run_batch(number, files, options["out"])}
    return {"rows": run_stream(number, files, options["out"], options["batch_rows"])}


def run_stream(number: int, files: dict[str, str], out: str, batch_rows: int) -> int:
    """The query as a job over files; records read."""
    text = (ROOT / "sql" / "nexmark" / f"q{number}.sql").read_text()
    summary = application.run(text, files, {f"nexmark_q{number}": out}, batch_rows=batch_rows)
    assert not any(job.late or job.failed for job in summary.jobs), "rows came late or failed"
    return summary.rows_in


def run_batch(number: int, files: dict[str, str], out: str) -> int:
    """The same question to DuckDB with one thread; records read."""
    import duckdb

    sys.path.insert(0, str(ROOT))  # the oracles belong to the tests
    from velostream_generator import NEXMARK_SCHEMAS

    from tests.nexmark.oracle import ORACLES

    kinds = {"string": "VARCHAR", "int64": "BIGINT", "timestamp[us]": "BIGINT"}
    rows = 0
    with duckdb.connect(config={"threads": 1}) as con:
        for topic, path in files.items():
            fields = {f.name: kinds[str(f.type)] for f in NEXMARK_SCHEMAS[topic]}
            times = [f.name for f in NEXMARK_SCHEMAS[topic] if str(f.type) == "timestamp[us]"]
            turned = ", ".join(f"make_timestamp({name} * 1000) AS {name}" for name in times)
            scan = f"read_json('{path}', format = 'newline_delimited', columns = {fields})"
            con.execute(
                f"CREATE TABLE {topic} AS SELECT *, epoch_us(dateTime) AS __ts, row_number() OVER () AS __pos "
                f"FROM (SELECT * REPLACE ({turned}) FROM {scan})"
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
            query = f"SELECT count(*) FROM {scan}"
        elif number in KEYS:
            numbered = f"SELECT *, row_number() OVER () AS n FROM {scan}"
            last = f"SELECT arg_max(op, n) AS op FROM ({numbered}) GROUP BY {KEYS[number]}"
            query = f"SELECT count_if(op <> 'delete') FROM ({last})"
        else:
            query = f"SELECT coalesce(sum(CASE op WHEN 'delete' THEN -1 ELSE 1 END), 0)::BIGINT FROM {scan}"
        return int(con.execute(query).fetchall()[0][0])


if __name__ == "__main__":
    serve(work)
