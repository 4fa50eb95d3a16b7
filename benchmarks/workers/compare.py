"""Whether two answers are the same rows: as bags, since nobody promises an order, and numbers to six decimals.

Sums of doubles may differ in their last bits with the order in which they are added.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.child import serve
from benchmarks.five import OUTPUTS


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``left``, ``right``: folders with a file per output topic, .jsonl or .parquet.

    Answers, by topic: rows of the left one, and how many rows stand in only one of the two.
    """
    import duckdb

    found = {}
    with duckdb.connect() as con:
        for topic in OUTPUTS:
            for side in ("left", "right"):
                con.execute(f"CREATE OR REPLACE TEMP TABLE {side}_rows AS {_rows(Path(options[side]), topic)}")
            rows = con.execute("SELECT count(*) FROM left_rows").fetchall()[0][0]
            found[topic] = {"rows": rows, "differ": _only(con, "left", "right") + _only(con, "right", "left")}
    return found


def _rows(folder: Path, topic: str) -> str:
    """The rows of an answer as a query; a column that is missing, or none of the topic's, is an error."""
    columns, path = OUTPUTS[topic], folder / f"{topic}.parquet"
    if path.exists():
        scan = f"(SELECT {_list('epoch_ms({0}) AS {0}', '{0}', topic)} FROM '{path}')"
    else:
        written = {name: "BIGINT" if kind == "TIMESTAMP" else kind for name, kind in columns.items()}
        scan = f"read_json('{folder / topic}.jsonl', format = 'newline_delimited', columns = {written})"
    rounded = ", ".join(
        f"round({name}, 6) AS {name}"
        if kind == "DOUBLE"
        else f"{name}::{'BIGINT' if kind == 'TIMESTAMP' else kind} AS {name}"
        for name, kind in columns.items()
    )
    return f"SELECT {rounded} FROM {scan}"


def _list(time: str, other: str, topic: str) -> str:
    kinds = OUTPUTS[topic].items()
    return ", ".join((time if kind == "TIMESTAMP" else other).format(name) for name, kind in kinds)


def _only(con: Any, left: str, right: str) -> int:
    query = f"SELECT count(*) FROM (FROM {left}_rows EXCEPT ALL FROM {right}_rows)"
    return int(con.execute(query).fetchall()[0][0])


if __name__ == "__main__":
    serve(work)
