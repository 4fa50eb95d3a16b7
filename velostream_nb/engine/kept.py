"""Answers kept in native tables: what a query gave last, by key, so that what is taken back is what was given."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.core.records import WEIGHT
from velostream_nb.engine.duck import Duck, quoted
from velostream_nb.sql.plan_changes import KEY

AT = "__at"
"""Hidden column of state: how far event time was when the row came, for 'state.ttl'."""


def hash_of(expressions: Sequence[str]) -> str:
    """SQL of the key: one number a combination of values; equal values have equal numbers."""
    return f"hash({', '.join(expressions)})" if expressions else "0::UBIGINT"


def net(columns: str, changes: str) -> str:
    """SQL of a bag of changes in which equal rows that come and go have cancelled out."""
    weight = f"sum({WEIGHT})::BIGINT AS {WEIGHT}"
    having = f"HAVING sum({WEIGHT}) <> 0"
    if not columns:
        return f"SELECT {weight} FROM ({changes}) {having}"
    return f"SELECT {columns}, {weight} FROM ({changes}) GROUP BY ALL {having}"


class Kept:
    """What a query gave last, by key, and what it gives now about the keys of the table `touched`.

    Attributes:
        difference: SQL of the one less the other, once `compute` has run.
        state: the native table of what is kept.
    """

    def __init__(self, duck: Duck, answer: str, touched: str, at: str = "0::BIGINT") -> None:
        """`answer`: SQL of the answer for the touched keys, its last column `KEY`; `at`: SQL of `AT`."""
        schema = duck.schema_of(answer)
        columns = quoted(schema.names[:-1])
        self._answer = duck.prepare(f"SELECT *, {at} AS {AT} FROM ({answer})")
        self._feed = duck.feed(duck.schema_of(self._answer.sql))
        self.state = duck.table(f"SELECT * FROM {self._feed.name}")
        mine = f"{KEY} IN (SELECT {KEY} FROM {touched})"
        old = f"SELECT {columns}, -1::BIGINT AS {WEIGHT} FROM {self.state} WHERE {mine}"
        self.difference = net(
            columns, f"{old} UNION ALL SELECT {columns}, 1::BIGINT AS {WEIGHT} FROM {self._feed.name}"
        )
        self._forget = duck.prepare(f"DELETE FROM {self.state} WHERE {mine}")
        self._keep = duck.prepare(f"INSERT INTO {self.state} SELECT * FROM {self._feed.name}")

    def compute(self) -> None:
        """Answer anew for the touched keys."""
        self._feed.rows = self._answer.rows()

    def keep(self) -> int:
        """Remember the new answer; how many rows more are kept than before."""
        gone = self._forget.run()
        return self._keep.run() - gone


def row_bytes(schema: pa.Schema) -> int:
    """About how many bytes a row of these columns takes in a native table."""
    return 16 + sum(24 if pa.types.is_string(f.type) or pa.types.is_nested(f.type) else 8 for f in schema)
