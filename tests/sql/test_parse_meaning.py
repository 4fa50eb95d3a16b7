"""What DuckDB answers to a text, it answers to what we make of it: the round trip through the tree loses nothing."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from velostream_nb.sql.parse import parse, to_duckdb
from velostream_nb.sql.split import split
from velostream_nb.sql.statements import Pull

ROWS = """
    SET threads = 1;
    CREATE TABLE s AS SELECT i AS id, 'S' || (i % 3) AS symbol, (i * 37 % 101) / 4 AS price, i * 7 % 13 AS volume,
        TIMESTAMP '2026-01-01 00:00:00' + INTERVAL (i * 700) MILLISECOND AS timestamp,
        CASE WHEN i % 5 = 0 THEN NULL ELSE i % 4 END AS n, {'a': i, 'b': [i, i + 1]} AS nested
    FROM range(200) t(i);
    CREATE TABLE q AS SELECT id * 2 AS id, symbol, price + 1 AS bid, timestamp FROM s WHERE id % 2 = 0;
"""

QUERIES = [piece.text for piece in split(Path(__file__).with_name("meaning.sql").read_text())[0]]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute(ROWS)
        yield made


@pytest.mark.parametrize("text", QUERIES)
def test_the_answer_is_the_same(con: duckdb.DuckDBPyConnection, text: str) -> None:
    (statement,) = parse(text).statements
    assert isinstance(statement, Pull)
    columns, kinds, rows = answer(con, text)
    got_columns, got_kinds, got_rows = answer(con, to_duckdb(statement.query.tree))
    assert got_kinds == kinds
    assert got_rows == rows
    # DuckDB names a column without AS by its text, which may be spelt otherwise
    assert [a for a, b in zip(got_columns, columns, strict=True) if b.isidentifier() and a != b] == []


def answer(con: duckdb.DuckDBPyConnection, text: str) -> tuple[list[str], list[str], list[str]]:
    """Names, types and rows (as texts, in any order)."""
    made = con.execute(text)
    names, kinds = [str(d[0]) for d in made.description], [str(d[1]) for d in made.description]
    return names, kinds, sorted(map(repr, made.fetchall()))
