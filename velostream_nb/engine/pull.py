"""Pull queries: full DuckDB over what is retained, as of one moment."""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from velostream_nb.core.errors import Place, VeloError
from velostream_nb.core.functions import Function
from velostream_nb.engine.duck import Duck, map_error, quote
from velostream_nb.engine.numbers import numbers_that_fit
from velostream_nb.sql.pull import pull_sql
from velostream_nb.sql.statements import Query


def pull(
    query: Query,
    tables: Mapping[str, pa.Table],
    *,
    now_us: int,
    views: Mapping[str, Query] | None = None,
    functions: Mapping[str, Function] | None = None,
) -> pa.Table:
    """Answer a bare SELECT over Arrow tables by name.

    Args:
        now_us: what ``timestamp()`` and ``wall_clock()`` mean.
        views: those that the query reads, see `sql.pull.pull_sql`.

    Raises:
        BindError: an unknown name or a wrong type.
        UnsupportedError: a session window.
    """
    sql = pull_sql(query, now_us, views)
    duck = Duck(functions=functions)
    try:
        for name, table in tables.items():
            feed = duck.feed(table.schema)
            feed.rows = table
            duck.run(f"CREATE TEMP VIEW {quote(name)} AS SELECT * FROM {feed.name}")
        duck.lock()
        try:
            return numbers_that_fit(duck.arrow(sql))
        except duckdb.Error as error:
            raise _placed(map_error(error, compiling=True, functions=functions), query.source) from error
    finally:
        duck.close()


def _placed(error: VeloError, source: str) -> VeloError:
    """The error at the first place in the text where the name that it quotes stands."""
    quoted = re.search(r"unknown \w+(?: or topic)? '(.+?)'", error.message)
    found = quoted and re.search(rf"(?<!\w){re.escape(quoted[1])}(?!\w)", source)
    if found:
        before = source[: found.start()]
        column = found.start() - (before.rfind("\n") + 1) + 1
        error.place = Place(source, before.count("\n") + 1, column, len(found[0]))
    return error
