"""Group: GROUP BY without a window, as a changelog keyed by the group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from velostream_nb.core.errors import BindError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import TS, WEIGHT, no_rows
from velostream_nb.engine.delta import Account, Delta, concat
from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.engine.kept import AT, Kept, hash_of, net, row_bytes
from velostream_nb.engine.keyed import Keyed
from velostream_nb.engine.node import Operator, shown
from velostream_nb.engine.tallied_groups import tallied_groups
from velostream_nb.sql import plan
from velostream_nb.sql.plan_changes import KEY


class GroupStore(Protocol):
    """What is kept of groups."""

    schema: pa.Schema
    """Of what `change` gives: the keys, the aggregates, `WEIGHT`."""

    def change(self, rows: pa.Table) -> pa.Table:
        """Take in rows, perhaps none: what is new about their groups, less what was said of them before.

        EvaluationError when a row cannot be computed; then none is taken in.
        """

    def expire(self, before_us: int) -> None:
        """Forget groups that no row touched since a time."""

    def describe(self) -> str:
        """What is kept of each group, for people."""

    def tables(self) -> dict[str, pa.Table]: ...

    def load_tables(self, tables: dict[str, pa.Table]) -> None: ...

    def native(self) -> dict[str, str]: ...

    def state_size(self) -> tuple[int, int]: ...


class Group(Operator):
    """Emits what a tick's rows change about their groups. Late rows count."""

    name = "group"
    node: plan.Group | plan.GroupChanges

    def __init__(self, node: plan.Group | plan.GroupChanges, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.groups: GroupStore = self._store(node, upstream.schema)
        self.schema = self.groups.schema
        self._started = False
        self._expired_us = WATERMARK_MIN_US

    def _store(self, node: plan.Group | plan.GroupChanges, schema: pa.Schema) -> GroupStore:
        tallied = tallied_groups(node, self.duck, schema)
        if tallied is not None:
            return tallied
        assert isinstance(node, plan.Group), "what cannot take a row back is keyed"
        return StoredGroups(node, self.duck, schema)

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = delta.rows
        if delta.late is not None:
            rows = concat([rows, delta.late.select(rows.column_names)])
        out = no_rows(self.schema)
        if rows.num_rows or (not self._started and not self.node.keys):
            out = self.groups.change(rows)
        self._started = True
        self._expire(delta.watermark_us)
        return Delta(out, delta.watermark_us)

    def _expire(self, now_us: int) -> None:
        ttl = self.node.ttl_us
        if ttl is None or now_us >= WATERMARK_MAX_US or now_us - self._expired_us < max(1, ttl // 16):
            return
        self.groups.expire(now_us - ttl)
        self._expired_us = now_us

    def describe(self) -> str:
        keys = ", ".join(shown(e) for e, _ in self.node.keys) or "()"
        calls = ", ".join(shown(c) for c, _ in self.node.aggregates)
        bound = f", for {self.node.ttl_us / 1e6:g} s" if self.node.ttl_us is not None else ""
        held = self.groups.describe()
        return f"group by {keys}{': ' if calls else ''}{calls}; keeps {held} per group{bound}"

    def tables(self) -> dict[str, pa.Table]:
        group = pa.table({"started": [self._started], "expired_us": [self._expired_us]})
        return {"group": group, **self.groups.tables()}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["group"].to_pylist()[0]
        self._started, self._expired_us = row["started"], row["expired_us"]
        self.groups.load_tables(tables)

    def native(self) -> dict[str, str]:
        return self.groups.native()

    def state_size(self) -> tuple[int, int]:
        return self.groups.state_size()


class GroupChanges(Keyed):
    """GROUP BY of a changelog: by tallies when every aggregate can take a row back, else group by group anew."""

    @classmethod
    def for_node(cls, node: plan.Node, duck: Duck, upstream: Sequence[Operator]) -> type[Operator]:
        assert isinstance(node, plan.GroupChanges)
        return Group if tallied_groups(node, duck, upstream[0].schema) is not None else cls


class StoredGroups:
    """One aggregate state per group, in a native table; see `GroupStore`.

    Where a state cannot be exported or merged (DISTINCT, ORDER BY inside, mode, histogram) the group's rows are kept
    in the order they came, and a touched group is aggregated anew.
    """

    def __init__(self, node: plan.Group, duck: Duck, schema: pa.Schema) -> None:
        self.node = node
        self.duck = duck
        self._feed = duck.feed(schema)
        self._hash = hash_of([e for e, _ in node.keys])
        self._keys = "".join(f"{e} AS {quote(n)}, " for e, n in node.keys)
        self.keeps_rows = not node.mergeable or not self._exports()
        fresh = self._rows_sql(schema) if self.keeps_rows else self._partial_sql()
        self._state = duck.table(fresh)
        self._next = duck.table(fresh)
        self._merge = duck.prepare(f"INSERT INTO {self._next} {self._merged_sql(fresh)}")
        mine = f"{KEY} IN (SELECT {KEY} FROM {self._next})"
        self._forget = duck.prepare(f"DELETE FROM {self._state} WHERE {mine}")
        self._keep = duck.prepare(f"INSERT INTO {self._state} SELECT * FROM {self._next}")
        self._clear = duck.prepare(f"DELETE FROM {self._next}")
        self._kept = Kept(duck, self._answer_sql(self._next), self._next) if self.keeps_rows else None
        difference = self._kept.difference if self._kept else self._difference_sql(mine)
        self.schema = duck.schema_of(difference)
        self._difference = duck.prepare(difference)
        self._rows = 0

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _exports(self) -> bool:
        try:
            self.duck.schema_of(self._partial_sql())
        except BindError as error:
            if "export" not in error.message.lower():
                raise
            return False
        return True

    def _partial_sql(self) -> str:
        """The tick's groups: keys, states, and where they belong."""
        states = "".join(f"{call} EXPORT_STATE AS {quote(n)}, " for call, n in self.node.aggregates)
        grouped = " GROUP BY ALL" if self.node.keys else ""
        at = f"max({TS}) AS {AT}"
        if not self.node.keys:
            return f"SELECT {states}{self._hash} AS {KEY}, {at} FROM {self._feed.name} AS __in"
        return f"SELECT {self._keys}{states}{self._hash} AS {KEY}, {at} FROM {self._feed.name} AS __in{grouped}"

    def _rows_sql(self, schema: pa.Schema) -> str:
        """The tick's rows: the input's columns, and where they belong."""
        columns = ", ".join(quote(c) for c in schema.names)
        return f"SELECT {columns}, {self._hash} AS {KEY}, {TS} AS {AT} FROM {self._feed.name} AS __in"

    def _merged_sql(self, fresh: str) -> str:
        touched = f"SELECT {self._hash} FROM {self._feed.name} AS __in"
        both = f"SELECT * FROM {self._state} WHERE {KEY} IN ({touched}) UNION ALL {fresh}"
        if self.keeps_rows:
            return both
        keys = "".join(f"{quote(n)}, " for _, n in self.node.keys)
        states = "".join(f"combine_aggr({quote(n)}) AS {quote(n)}, " for _, n in self.node.aggregates)
        return f"SELECT {keys}{states}{KEY}, max({AT}) AS {AT} FROM ({both}) GROUP BY {keys}{KEY}"

    def _answer_sql(self, table: str) -> str:
        """The groups of a table of rows: columns, then `KEY`."""
        values = "".join(f"{call} AS {quote(n)}, " for call, n in self.node.aggregates)
        if not self.node.keys:
            return f"SELECT {values}0::UBIGINT AS {KEY} FROM {table} AS __in"
        by = ", ".join(f"({e})" for e, _ in self.node.keys)
        return f"SELECT {self._keys}{values}{KEY} FROM {table} AS __in GROUP BY {by}, {KEY}"

    def _difference_sql(self, mine: str) -> str:
        """What the new states say, less what the old ones said: a state always gives the same value."""
        keys = "".join(f"{quote(n)}, " for _, n in self.node.keys)
        values = "".join(f"finalize({quote(n)}) AS {quote(n)}, " for _, n in self.node.aggregates)
        old = f"SELECT {keys}{values}-1::BIGINT AS {WEIGHT} FROM {self._state} WHERE {mine}"
        new = f"SELECT {keys}{values}1::BIGINT AS {WEIGHT} FROM {self._next}"
        return net(quoted(self.node.columns), f"{old} UNION ALL {new}")

    # -- ticks ------------------------------------------------------------------------------------------------------

    def change(self, rows: pa.Table) -> pa.Table:
        self._feed.rows = rows
        self._clear.run()  # what a step that failed left
        merged = self._merge.run()
        if self._kept is not None:
            self._kept.compute()
        out = self._difference.rows()
        self._rows += merged - self._forget.run() + (self._kept.keep() if self._kept else 0)
        self._keep.run()
        return out

    def expire(self, before_us: int) -> None:
        for table in self.native().values():
            self._rows -= self.duck.change(f"DELETE FROM {table} WHERE {AT} < {before_us}")

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        return "its rows and the last values" if self.keeps_rows else "one aggregate state"

    def tables(self) -> dict[str, pa.Table]:
        return {"groups_held": pa.table({"rows": [self._rows]})}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._rows = tables["groups_held"].column("rows")[0].as_py()

    def native(self) -> dict[str, str]:
        return {"groups": self._state, **({"answer": self._kept.state} if self._kept else {})}

    def state_size(self) -> tuple[int, int]:
        return self._rows, self._rows * row_bytes(self.schema)
