"""Carried: window functions over everything up to the current row whose last value is all that must be remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.accumulated import Accumulated, can_accumulate, results_of
from velostream_nb.engine.delta import Account, Delta, Int64s, codes_of, concat, int64s, last_per_code
from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.engine.node import Operator, hidden_of
from velostream_nb.engine.ordered import Peers, in_order
from velostream_nb.engine.running_text import describe_running
from velostream_nb.sql import plan

_HERE = "__here_"
"""Prefix of columns: a part up to the row at hand."""
_LAST = "__last_"
"""Prefix of columns: a part up to the event time of the row at hand, which is what the next tick begins with."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One number that a call carries.

    Attributes:
        name: its column.
        fresh: SQL of what a new row brings, over that row.
        fold: the aggregate that takes carried and new ones together.
        cast: the type in which they meet.
    """

    name: str
    fresh: str
    fold: str
    cast: str


class Carried(Operator):
    """The last values of each partition stand before its new rows, as one row more; DuckDB goes on from there."""

    name = "running"
    node: plan.Carried

    @classmethod
    def for_node(cls, node: plan.Node, duck: Duck, upstream: Sequence[Operator]) -> type[Operator]:
        """`Accumulated`, for calls that need no more than that."""
        assert isinstance(node, plan.Carried)
        (source,) = upstream
        return Accumulated if can_accumulate(node, source.schema, results_of(node, duck, source.schema)) else cls

    def __init__(self, node: plan.Carried, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self._peers = Peers(upstream.schema, node)
        self._feed = duck.feed(upstream.schema)
        self._over = f"PARTITION BY {quoted(node.partition)} " if node.partition else ""
        self._parts = {call.name: self._parts_of(call) for call in node.calls}
        self._all = [p for parts in self._parts.values() for p in parts]
        values = duck.schema_of(self._carried_sql(f"{self._feed.name} AS __in", fresh=True))
        carried = [upstream.schema.field(c) for c in node.partition] + [values.field(p.name) for p in self._all]
        self._kept = no_rows(pa.schema(carried))
        self._before = duck.feed(self._kept.schema)
        sql = self._select()
        self._statement = duck.prepare(sql)
        every = duck.schema_of(sql)
        self.schema = pa.schema([f for f in every if not f.name.startswith(_LAST)])

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _parts_of(self, call: plan.RunningCall) -> list[_Part]:
        kind, x = call.kind, f"({call.argument})" if call.argument else ""
        if call.where and x:
            x = f"CASE WHEN {call.where} THEN {x} END"
        if kind in ("row_number", "rank"):
            return [_Part(f"{call.name}_n", "1", "sum", "BIGINT")]
        if kind == "dense_rank":
            return [_Part(f"{call.name}_d", "NULL", "max", "BIGINT")]
        known = " AND ".join(filter(None, (f"{x} IS NOT NULL" if x else "", "" if x else call.where))) or "TRUE"
        count = _Part(f"{call.name}_n", f"CASE WHEN {known} THEN 1 ELSE 0 END", "sum", "BIGINT")
        if kind == "count":
            return [count]
        fold = "sum" if kind == "avg" else kind
        dtype = self.duck.type_names(f"SELECT {fold}({x}) AS x FROM {self._feed.name} AS __in")["x"]
        value = _Part(f"{call.name}_x", x, fold, dtype)
        return [value, count] if kind == "avg" else [value]

    def _carried_sql(self, relation: str, *, fresh: bool) -> str:
        """Partition and parts, of new rows or of those carried."""
        keys = f"{quoted(self.node.partition)}, " if self.node.partition else ""
        values = ", ".join(f"CAST({p.fresh if fresh else p.name} AS {p.cast}) AS {p.name}" for p in self._all)
        return f"SELECT {keys}{values} FROM {relation}"

    def _select(self) -> str:
        """Two steps: the parts over the order of each call, carried rows among them; then what they amount to."""
        fresh = ", ".join(f"CAST({p.fresh} AS {p.cast}) AS {p.name}" for p in self._all)
        rows = (
            f"SELECT 1 AS __new, *, {fresh} FROM {self._feed.name} AS __in UNION ALL BY NAME "
            f"SELECT 0 AS __new, * FROM ({self._carried_sql(self._before.name, fresh=False)})"
        )
        folded = ", ".join(f for call in self.node.calls for f in self._folded(call))
        ours = "".join(f"{quote(c)}, " for c in self.node.inputs[0].columns)
        values = ", ".join(f"{self._value(c)} AS {quote(c.name)}" for c in self.node.calls)
        last = ", ".join(f"{e} AS {quote(_LAST + n)}" for call in self.node.calls for n, e in self._carry(call))
        return (
            f"SELECT {ours}{values}, {quoted(hidden_of(self.node))}, {last} "
            f"FROM (SELECT *, {folded} FROM ({rows})) WHERE __new = 1"
        )

    def _folded(self, call: plan.RunningCall) -> list[str]:
        """Windows of the first step, with the names that the second one reads."""
        order = ", ".join(("__new", *call.order))
        frame = f"({self._over}ORDER BY {order} {'RANGE' if call.peers else 'ROWS'} UNBOUNDED PRECEDING)"
        parts = self._parts[call.name]
        if call.kind == "dense_rank":  # the carried row is the first group: it stands for as many as it carries
            carried = f"max({parts[0].name}) OVER ({self._over})"
            here = f"dense_rank() OVER ({self._over}ORDER BY {order})"
            return [f"{here} + coalesce({carried} - 1, 0) AS {_HERE}{call.name}"]
        found = [f"{self._fold(p, frame)} AS {_HERE}{p.name}" for p in parts]
        if call.kind == "rank":
            before = f"({self._over}ORDER BY {order} GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
            found.append(f"coalesce({self._fold(parts[0], before)}, 0) AS {_HERE}{call.name}")
        if self._has_ties(call):
            time = f"({self._over}ORDER BY __new, {call.order[0]})"
            found += [f"{self._fold(p, time)} AS {_LAST}{p.name}" for p in parts]
        return found

    def _fold(self, part: _Part, frame: str) -> str:
        return f"CAST({part.fold}({part.name}) OVER {frame} AS {part.cast})"

    def _has_ties(self, call: plan.RunningCall) -> bool:
        """Does the order differ from (event time, position), so that its last row need not be the newest?"""
        plain = 1 if call.peers else 1 + len(self.node.pos)
        return len(call.order) > plain

    def _value(self, call: plan.RunningCall) -> str:
        here = [f"{_HERE}{p.name}" for p in self._parts[call.name]]
        if call.kind == "avg":
            return f"{here[0]} / {here[1]}"
        if call.kind == "rank":
            return f"1 + {_HERE}{call.name}"
        return f"{_HERE}{call.name}" if call.kind == "dense_rank" else here[0]

    def _carry(self, call: plan.RunningCall) -> list[tuple[str, str]]:
        """(part, its value over everything up to the row's event time)."""
        if call.kind == "dense_rank":
            newest = f"max({_HERE}{call.name}) OVER ({self._over}ORDER BY {call.order[0]})"
            return [(self._parts[call.name][0].name, newest)]
        prefix = _LAST if self._has_ties(call) else _HERE
        return [(p.name, f"{prefix}{p.name}") for p in self._parts[call.name]]

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        rows = concat([self._peers.held, delta.rows])
        if not rows.num_rows:
            self._forget(delta.watermark_us)
            return Delta(no_rows(self.schema), delta.watermark_us)
        complete = self._peers.complete(rows, delta.watermark_us)
        old, new = self._codes(rows)
        self._feed.rows = rows
        self._before.rows = self._kept.filter(vector(np.isin(old, new)))
        out = in_order(self._statement.rows(), self.node)
        if not complete.all():
            out = out.filter(vector(self._peers.complete(out, delta.watermark_us)))
        untouched = self._kept.filter(vector(~np.isin(old, new[complete])))
        self._kept = concat([untouched, self._newest(out)]).combine_chunks()
        self._peers.keep(rows, complete)
        self._forget(delta.watermark_us)
        return Delta(out.select(self.schema.names), delta.watermark_us)

    def _codes(self, rows: pa.Table) -> tuple[Int64s, Int64s]:
        """The partitions of the kept rows and of the rows at hand as numbers."""
        count, partition = self._kept.num_rows, self.node.partition
        if not partition:
            return np.zeros(count, dtype=np.int64), np.zeros(rows.num_rows, dtype=np.int64)
        both = pa.concat_tables([self._kept.select(list(partition)), rows.select(list(partition))])
        codes = codes_of(both, partition)
        return codes[:count], codes[count:]

    def _newest(self, out: pa.Table) -> pa.Table:
        """What to carry: the last values of each partition in the (ordered) answer."""
        last = out.filter(vector(last_per_code(codes_of(out, self.node.partition), 1)))
        columns = [last.column(f.name if f.name in self.node.partition else _LAST + f.name) for f in self._kept.schema]
        typed = [c.cast(f.type) for c, f in zip(columns, self._kept.schema, strict=True)]
        return pa.table(typed, schema=self._kept.schema)

    def _forget(self, watermark_us: int) -> None:
        """What is kept of partitions that have ended."""
        if self.node.ends is not None and self._kept.num_rows:
            over = int64s(self._kept, self.node.ends) <= watermark_us
            if over.any():
                self._kept = self._kept.filter(vector(~over)).combine_chunks()

    def describe(self) -> str:
        return describe_running(self.node, "their last values")

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept, "held": self._peers.held}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept, self._peers.held = tables["kept"], tables["held"]
