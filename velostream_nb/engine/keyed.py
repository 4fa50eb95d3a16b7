"""Keyed and TopN: queries that are answered anew for the keys that a tick touches, and only the difference is emitted.

What was emitted last is kept, so that what is taken back is exactly what was given, whatever a query leaves open (ties,
the order of a list).
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import WEIGHT, no_rows
from velostream_nb.engine.delta import Account, Delta, concat
from velostream_nb.engine.duck import Duck, Feed, quote, quoted
from velostream_nb.engine.node import Operator, shown
from velostream_nb.sql import plan
from velostream_nb.sql.plan_changes import KEY

AT = "__at"
"""Hidden column of state: how far event time was when the row came, for 'state.ttl'."""


def hash_of(expressions: Sequence[str]) -> str:
    """SQL of the key: one number a combination of values; equal values have equal numbers."""
    return f"hash({', '.join(expressions)})" if expressions else "0::UBIGINT"


def common_types(duck: Duck, feeds: Sequence[Feed], by: Sequence[Sequence[str]]) -> list[str]:
    """The DuckDB type in which the key expressions of all inputs are compared, one a key part."""
    found = []
    for part in range(len(by[0])):
        each = [f"SELECT {by[i][part]} AS k FROM {feed.name} AS __in" for i, feed in enumerate(feeds)]
        names = {duck.type_names(sql)["k"] for sql in each}
        # text meets another type in the other type, as a comparison does
        rest = [sql for sql in each if duck.type_names(sql)["k"] != "VARCHAR"] if len(names) > 1 else each
        found.append(duck.type_names(" UNION ALL ".join(rest))["k"])
    return found


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


class Keyed(Operator):
    """Rows of the inputs with their weights, by key; a tick's keys are answered anew by DuckDB."""

    name = "keyed"
    node: plan.Keyed

    def __init__(self, node: plan.Keyed, duck: Duck, account: Account, *upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.name = node.what.split(" on ")[0]
        self._feeds = [duck.feed(u.schema) for u in upstream]
        types = common_types(duck, self._feeds, node.by)
        hashes = [hash_of([f"CAST({e} AS {t})" for e, t in zip(by, types, strict=True)]) for by in node.by]
        self._touched = duck.feed(pa.schema([(KEY, pa.uint64())]))
        every = " UNION ALL ".join(
            f"SELECT {h} AS {KEY} FROM {f.name} AS __in" for h, f in zip(hashes, self._feeds, strict=True)
        )
        self._find = duck.prepare(f"SELECT DISTINCT {KEY} FROM ({every})")
        self._at = duck.feed(pa.schema([(AT, pa.int64())]))
        self._sides = [_Side(duck, f, h, self._touched, self._at) for h, f in zip(hashes, self._feeds, strict=True)]
        sql = node.sql
        for number, side in enumerate(self._sides):
            sql = sql.replace(f"__in{number}", side.relation)
        self._kept = Kept(duck, sql, self._touched.name, f"(SELECT {AT} FROM {self._at.name})")
        self._difference = duck.prepare(self._kept.difference)
        self.schema = duck.schema_of(self._kept.difference)
        self._whole = not types
        self._started = False
        self._rows = 0
        self._expired_us = WATERMARK_MIN_US

    def step(self, inputs: list[Delta]) -> Delta:
        watermark_us = min(d.watermark_us for d in inputs)
        at_us = max((d.watermark_us for d in inputs if d.watermark_us < WATERMARK_MAX_US), default=self._expired_us)
        for feed, delta in zip(self._feeds, inputs, strict=True):
            feed.rows = delta.rows
        out = no_rows(self.schema)
        touched = self._find.rows() if any(d.rows.num_rows for d in inputs) else no_rows(self._touched.schema)
        if not self._started and self._whole:
            touched = pa.table({KEY: pa.array([0], pa.uint64())})  # an answer over no rows may be a row
        if touched.num_rows:
            self._touched.rows = touched
            self._at.rows = pa.table({AT: pa.array([at_us], pa.int64())})
            for side in self._sides:
                side.merge()
            self._kept.compute()
            out = self._difference.rows()
            self._rows += sum(side.keep() for side in self._sides) + self._kept.keep()
        self._started = True
        self._expire(at_us)
        return Delta(out, watermark_us)

    def _expire(self, now_us: int) -> None:
        ttl = self.node.ttl_us
        if ttl is None or now_us - self._expired_us < max(1, ttl // 16):
            return
        for table in self.native().values():
            self._rows -= self.duck.change(f"DELETE FROM {table} WHERE {AT} < {now_us - ttl}")
        self._expired_us = now_us

    def describe(self) -> str:
        kept = "rows of the inputs and the last answer, by key" if not self._whole else "all rows and the last answer"
        bound = f" for {self.node.ttl_us / 1e6:g} s" if self.node.ttl_us is not None else ""
        return f"{shown(self.node.what)}; keeps {kept}{bound}"

    def tables(self) -> dict[str, pa.Table]:
        counts = {"rows": [self._rows], "started": [self._started], "expired_us": [self._expired_us]}
        return {"keyed": pa.table(counts)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["keyed"].to_pylist()[0]
        self._rows, self._started, self._expired_us = row["rows"], row["started"], row["expired_us"]

    def native(self) -> dict[str, str]:
        sides = {f"side{i}": side.state for i, side in enumerate(self._sides)}
        return {**sides, "answer": self._kept.state}

    def state_size(self) -> tuple[int, int]:
        return self._rows, self._rows * row_bytes(self.schema)


class _Side:
    """One input's rows: those of the touched keys are merged with the tick's changes, and put back."""

    def __init__(self, duck: Duck, feed: Feed, key: str, touched: Feed, at: Feed) -> None:
        columns = quoted(feed.schema.names[:-1])
        fresh = (
            f"SELECT {columns}, {WEIGHT}, {key} AS {KEY}, (SELECT {AT} FROM {at.name}) AS {AT} FROM {feed.name} AS __in"
        )
        self.state = duck.table(fresh)
        mine = f"{KEY} IN (SELECT {KEY} FROM {touched.name})"
        sql = (
            f"SELECT {columns}, sum({WEIGHT})::BIGINT AS {WEIGHT}, {KEY}, max({AT}) AS {AT} "
            f"FROM (SELECT * FROM {self.state} WHERE {mine} UNION ALL {fresh}) "
            f"GROUP BY {columns}, {KEY} HAVING sum({WEIGHT}) <> 0"
        )
        self._merged = duck.feed(duck.schema_of(sql))
        self._merge = duck.prepare(sql)
        self._forget = duck.prepare(f"DELETE FROM {self.state} WHERE {mine}")
        self._keep = duck.prepare(f"INSERT INTO {self.state} SELECT * FROM {self._merged.name}")
        once = f"SELECT {columns}, {KEY} FROM {self._merged.name} WHERE {WEIGHT} = 1"
        many = f"(SELECT *, unnest(range({WEIGHT})) FROM {self._merged.name} WHERE {WEIGHT} > 1)"
        more = f"SELECT {columns}, {KEY} FROM {many}"
        self.relation = f"({once} UNION ALL {more})"
        """The rows of the touched keys as `plan.Keyed.sql` reads them: equal rows as often as they are there."""

    def merge(self) -> None:
        self._merged.rows = self._merge.rows()

    def keep(self) -> int:
        gone = self._forget.run()
        return self._keep.run() - gone


class TopN(Operator):
    """The rows of an append-only input that satisfy a rank condition; those that do not are forgotten at once."""

    name = "top"
    node: plan.TopN

    def __init__(self, node: plan.TopN, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._feed = duck.feed(upstream.schema)
        self._touched = duck.feed(pa.schema([(KEY, pa.uint64())]))
        key = hash_of(node.partition)
        fresh = f"SELECT *, {key} AS {KEY} FROM {self._feed.name} AS __in"
        self._find = duck.prepare(f"SELECT DISTINCT {key} AS {KEY} FROM {self._feed.name} AS __in")
        self._state = duck.table(fresh)
        mine = f"{KEY} IN (SELECT {KEY} FROM {self._touched.name})"
        both = f"(SELECT * FROM {self._state} WHERE {mine} UNION ALL {fresh})"
        ranked = f"SELECT *, {node.rank} AS __rank FROM {both} AS __in QUALIFY {node.condition}"
        self._ranked = duck.feed(duck.schema_of(ranked))
        self._rank = duck.prepare(ranked)
        items = ", ".join(f"{e} AS {quote(n)}" for e, n in node.items)
        answer = f"SELECT {items}, {KEY} FROM {self._ranked.name} AS __in"
        self._kept = Kept(duck, answer, self._touched.name)
        self._difference = duck.prepare(self._kept.difference)
        self.schema = duck.schema_of(self._kept.difference)
        self._forget = duck.prepare(f"DELETE FROM {self._state} WHERE {mine}")
        self._keep = duck.prepare(f"INSERT INTO {self._state} SELECT * EXCLUDE (__rank) FROM {self._ranked.name}")
        self._rows = 0

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = delta.rows
        if delta.late is not None:
            rows = concat([rows, delta.late.select(rows.column_names)])
        if not rows.num_rows:
            return Delta(no_rows(self.schema), delta.watermark_us)
        self._feed.rows = rows
        self._touched.rows = self._find.rows()
        self._ranked.rows = self._rank.rows()
        self._kept.compute()
        out = self._difference.rows()
        gone = self._forget.run()
        self._rows += self._keep.run() - gone + self._kept.keep()
        return Delta(out, delta.watermark_us)

    def describe(self) -> str:
        condition = self.node.condition.replace("__rank", shown(self.node.rank))
        return f"rows where {condition}; keeps those rows and the last answer"

    def tables(self) -> dict[str, pa.Table]:
        return {"top": pa.table({"rows": [self._rows]})}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._rows = tables["top"].to_pylist()[0]["rows"]

    def native(self) -> dict[str, str]:
        return {"rows": self._state, "answer": self._kept.state}

    def state_size(self) -> tuple[int, int]:
        return self._rows, self._rows * row_bytes(self.schema)


def row_bytes(schema: pa.Schema) -> int:
    """About how many bytes a row of these columns takes in a native table."""
    return 16 + sum(24 if pa.types.is_string(f.type) or pa.types.is_nested(f.type) else 8 for f in schema)
