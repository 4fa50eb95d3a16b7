"""A bare SELECT as DuckDB runs it over retained rows."""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.core.errors import UnsupportedError
from velostream_nb.sql.statements import Query


def pull_sql(query: Query, now_us: int) -> str:
    """DuckDB's SQL of a pull query; ``timestamp()`` becomes `now_us`.

    Raises:
        UnsupportedError: a streaming window; a pull query groups with time_bucket.
    """
    now = exp.Anonymous(this="make_timestamp", expressions=[exp.Literal.number(now_us)])

    def rewrite(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.upper().startswith("VELO_"):
            if node.name.upper() != "VELO_NOW":
                raise UnsupportedError(
                    "streaming windows need a job",
                    hint="START JOB … AS this query; over retained rows GROUP BY time_bucket(INTERVAL …, time)",
                )
            return now.copy()
        return node

    return str(query.tree.copy().transform(rewrite, copy=False).sql(dialect="duckdb"))
