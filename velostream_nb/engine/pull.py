"""Pull queries: full DuckDB over what is retained, as of one moment."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from velostream_nb.engine.duck import Duck, map_error, quote
from velostream_nb.engine.numbers import whole_numbers
from velostream_nb.sql.pull import pull_sql
from velostream_nb.sql.statements import Query


def pull(query: Query, tables: Mapping[str, pa.Table], *, now_us: int) -> pa.Table:
    """Answer a bare SELECT over Arrow tables by name; `now_us` is what ``timestamp()`` means.

    Raises:
        BindError: an unknown name or a wrong type.
        UnsupportedError: a streaming window; a pull query groups with time_bucket.
    """
    sql = pull_sql(query, now_us)
    duck = Duck()
    try:
        for name, table in tables.items():
            feed = duck.feed(table.schema)
            feed.rows = table
            duck.run(f"CREATE VIEW {quote(name)} AS SELECT * FROM {feed.name}")
        duck.lock()
        try:
            return whole_numbers(duck.arrow(sql))
        except duckdb.Error as error:
            raise map_error(error, compiling=True) from error
    finally:
        duck.close()
