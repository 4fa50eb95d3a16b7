"""Keyed: queries that are answered anew for the keys that a tick touches, and only the difference is emitted.

What was emitted last is kept, so that what is taken back is exactly what was given, whatever a query leaves open (ties,
the order of a list).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import WEIGHT, no_rows
from velostream_nb.core.vectors import numbers_in, vector
from velostream_nb.engine.delta import Account, Delta, Int64s, int64s
from velostream_nb.engine.duck import Duck, Feed, Statement, quote
from velostream_nb.engine.kept import AT, hash_of
from velostream_nb.engine.key_numbering import KeyNumbering, can_number
from velostream_nb.engine.netting import codes, difference, netted
from velostream_nb.engine.node import Operator, shown
from velostream_nb.engine.rows_by_key import RowsByKey
from velostream_nb.sql import plan
from velostream_nb.sql.plan_changes import KEY

_FEW = 1_024
"""So many keys without rows are not worth numbering the others anew."""
OWNER = "__owner"
"""Column of saved rows: the number of their key."""


class Keys:
    """Numbers for the keys of rows of one input or several: equal keys have equal numbers.

    Args:
        by: for each input, the expressions of the key over its columns.
    """

    def __init__(self, duck: Duck, feeds: Sequence[Feed], by: Sequence[Sequence[str]]) -> None:
        self._feeds = feeds
        self._plain = _plain(feeds, by)
        self._hashes: list[Statement] = []
        if self._plain is not None:
            fields = [feeds[0].schema.field(name) for name in self._plain[0]]
        else:
            fields = [pa.field(KEY, pa.uint64())]
            types = _common_types(duck, feeds, by)
            for feed, own in zip(feeds, by, strict=True):
                key = hash_of([f"CAST({e} AS {t})" for e, t in zip(own, types, strict=True)])
                self._hashes.append(duck.prepare(f"SELECT {key} AS {KEY} FROM {feed.name} AS __in"))
        self.numbering = KeyNumbering(fields)

    @property
    def is_plain(self) -> bool:
        """Are the keys columns of one type on all sides?"""
        return self._plain is not None

    def columns(self, side: int) -> list[str]:
        """The columns of a plain key."""
        assert self._plain is not None
        return self._plain[side]

    def number(self, side: int, rows: pa.Table) -> Int64s:
        """The number of each row's key; EvaluationError when a key cannot be computed."""
        if self._plain is not None:
            return self.numbering.number([rows.column(c) for c in self._plain[side]], rows.num_rows)
        self._feeds[side].rows = rows
        return self.numbering.number(self._hashes[side].rows().columns, rows.num_rows)

    def table(self) -> pa.Table:
        """All keys by their numbers."""
        count = len(self.numbering)
        arrays = self.numbering.arrays(np.arange(count))
        names = [f"key{i}" for i in range(len(arrays))]
        return pa.table([*arrays, vector(np.arange(count))], names=[*names, OWNER])

    def load(self, keys: pa.Table) -> Int64s:
        """Take back what `table` gave: the numbers that the keys have now."""
        self.numbering.clear()
        columns = keys.columns[:-1]
        if not columns:  # the one key is 0, and there may be an answer over no rows, before any has come
            return np.zeros(1, dtype=np.int64)
        return self.numbering.number(columns, keys.num_rows)


def _plain(feeds: Sequence[Feed], by: Sequence[Sequence[str]]) -> list[list[str]] | None:
    """The key's columns of each input; None unless they are columns of one type that there are numbers for."""
    found = []
    for feed, expressions in zip(feeds, by, strict=True):
        names = {quote(name): name for name in feed.schema.names}
        if any(e not in names for e in expressions):
            return None
        found.append([names[e] for e in expressions])
    types = [[feed.schema.field(name).type for name in names] for feed, names in zip(feeds, found, strict=True)]
    return found if all(t == types[0] for t in types) and all(map(can_number, types[0])) else None


def _common_types(duck: Duck, feeds: Sequence[Feed], by: Sequence[Sequence[str]]) -> list[str]:
    """The DuckDB type in which the key expressions of all inputs are compared, one a key part."""
    found = []
    for part in range(len(by[0])):
        each = [f"SELECT {by[i][part]} AS k FROM {feed.name} AS __in" for i, feed in enumerate(feeds)]
        names = {duck.type_names(sql)["k"] for sql in each}
        # text meets another type in the other type, as a comparison does
        rest = [sql for sql in each if duck.type_names(sql)["k"] != "VARCHAR"] if len(names) > 1 else each
        found.append(duck.type_names(" UNION ALL ".join(rest))["k"])
    return found


class Keyed(Operator):
    """Rows of the inputs with their weights, by key; a tick's keys are answered anew by DuckDB."""

    name = "keyed"
    node: plan.Keyed

    def __init__(self, node: plan.Keyed, duck: Duck, account: Account, *upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.name = node.what.split(" on ")[0]
        self._keys = Keys(duck, [duck.feed(u.schema) for u in upstream], node.by)
        self._sides = [_Side(duck, u.schema) for u in upstream]
        sql = node.sql
        for number, side in enumerate(self._sides):
            sql = sql.replace(f"__in{number}", side.feed.name)
        self._answer = duck.prepare(sql)
        answer = duck.schema_of(sql)
        self.schema = pa.schema([*list(answer)[:-1], pa.field(WEIGHT, pa.int64())])
        self._kept = RowsByKey(pa.schema([*list(answer)[:-1], pa.field(AT, pa.int64())]))
        self._whole = not node.by[0]
        self._started = False
        self._expired_us = WATERMARK_MIN_US

    def step(self, inputs: list[Delta]) -> Delta:
        watermark_us = min(d.watermark_us for d in inputs)
        at_us = max((d.watermark_us for d in inputs if d.watermark_us < WATERMARK_MAX_US), default=self._expired_us)
        out = no_rows(self.schema)
        # an answer over no rows may be a row
        if any(d.rows.num_rows for d in inputs) or (self._whole and not self._started):
            out = self._change([d.rows for d in inputs], at_us)
        self._started = True
        self._expire(at_us)
        return Delta(out, watermark_us)

    def _change(self, inputs: list[pa.Table], at_us: int) -> pa.Table:
        """Merge the rows of the touched keys with the tick's, answer, and keep both."""
        numbers = [self._keys.number(i, rows) for i, rows in enumerate(inputs)]
        touched = np.zeros(1, dtype=np.int64) if self._whole else np.unique(np.concatenate(numbers))
        merged = [s.merged(touched, r, n, at_us) for s, r, n in zip(self._sides, inputs, numbers, strict=True)]
        answer = self._answer.rows()
        owners = numbers_in(answer.column(KEY)).view(np.int64)
        new = answer.drop_columns([KEY])
        old, _ = self._kept.of(touched)
        out = difference(old.drop_columns([AT]), new).cast(self.schema)
        for side, (rows, owner) in zip(self._sides, merged, strict=True):
            side.kept.replace(touched, rows, owner)
        self._kept.replace(touched, new.append_column(AT, _constant(at_us, new.num_rows)), owners)
        self._sweep()
        return out

    @property
    def _stores(self) -> list[RowsByKey]:
        return [*(side.kept for side in self._sides), self._kept]

    def _expire(self, now_us: int) -> None:
        ttl = self.node.ttl_us
        if ttl is None or now_us - self._expired_us < max(1, ttl // 16):
            return
        for store in self._stores:
            store.forget(AT, now_us - ttl)
        self._expired_us = now_us
        self._sweep()

    def _sweep(self) -> None:
        """Forget the numbers of keys that nothing is kept of, once they are many."""
        stores = self._stores
        if len(self._keys.numbering) > 2 * sum(store.rows for store in stores) + _FEW:
            used = np.unique(np.concatenate([store.every()[1] for store in stores]))
            fresh = np.full(len(self._keys.numbering), -1, dtype=np.int64)
            fresh[used] = self._keys.numbering.keep(used)
            for store in stores:
                store.renumber(fresh)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        kept = "rows of the inputs and the last answer, by key" if not self._whole else "all rows and the last answer"
        bound = f" for {self.node.ttl_us / 1e6:g} s" if self.node.ttl_us is not None else ""
        return f"{shown(self.node.what)}; keeps {kept}{bound}"

    def tables(self) -> dict[str, pa.Table]:
        found = {"keyed": pa.table({"started": [self._started], "expired_us": [self._expired_us]})}
        for name, store in zip(self._names, self._stores, strict=True):
            rows, owners = store.every()
            found[name] = rows.append_column(OWNER, vector(owners))
        return {**found, "keys": self._keys.table()}

    @property
    def _names(self) -> list[str]:
        return [*(f"side{i}" for i in range(len(self._sides))), "answer"]

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["keyed"].to_pylist()[0]
        self._started, self._expired_us = row["started"], row["expired_us"]
        numbers = self._keys.load(tables["keys"])
        for name, store in zip(self._names, self._stores, strict=True):
            store.clear()
            owners = numbers[int64s(tables[name], OWNER)]
            store.replace(np.unique(owners), tables[name].drop_columns([OWNER]), owners)

    def state_size(self) -> tuple[int, int]:
        size = sum(store.nbytes for store in self._stores) + self._keys.numbering.nbytes
        return sum(store.rows for store in self._stores), size


class _Side:
    """One input's rows: those of the touched keys are merged with the tick's changes.

    Attributes:
        kept: the rows: the input's columns, `WEIGHT`, `AT`.
        feed: the rows of the touched keys as `plan.Keyed.sql` reads them: equal rows as often as they are there.
    """

    def __init__(self, duck: Duck, schema: pa.Schema) -> None:
        self._columns = [f.name for f in schema if f.name != WEIGHT]
        self.kept = RowsByKey(pa.schema([*schema, pa.field(AT, pa.int64())]))
        fields = [schema.field(c) for c in self._columns]
        self.feed = duck.feed(pa.schema([*fields, pa.field(KEY, pa.uint64())]))

    def merged(self, touched: Int64s, fresh: pa.Table, numbers: Int64s, at_us: int) -> tuple[pa.Table, Int64s]:
        """(the rows of the touched keys after the tick, the key of each); the feed has them too."""
        old, owners = self.kept.of(touched)
        new = fresh.append_column(AT, _constant(at_us, fresh.num_rows)).select(self.kept.schema.names)
        both = pa.concat_tables([old, new.cast(self.kept.schema)])
        owners = np.concatenate([owners, numbers])
        equal = codes([both.column(c) for c in self._columns], both.num_rows)
        places, weights = netted(equal, int64s(both, WEIGHT))
        rows = both.take(vector(places))
        rows = rows.set_column(rows.schema.get_field_index(WEIGHT), WEIGHT, vector(weights))
        owners = owners[places]
        there = np.repeat(np.arange(len(places)), np.maximum(weights, 0))
        read = rows.select(self._columns).take(vector(there))
        self.feed.rows = read.append_column(KEY, vector(owners[there].view(np.uint64)))
        return rows, owners


def _constant(value: int, rows: int) -> pa.Array:
    return vector(np.full(rows, value, dtype=np.int64))
