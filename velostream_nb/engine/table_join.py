"""TableJoin: rows of a stream with the rows that a table has at the moment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS, WEIGHT, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import WM, Account, Delta, int64s, is_sorted
from velostream_nb.engine.duck import Duck, EvaluationError, Statement, quote, quoted
from velostream_nb.engine.node import Operator, shown
from velostream_nb.sql import plan

_ROW = "__row"

_WORDS = {"inner": "JOIN", "left": "LEFT JOIN", "semi": "SEMI JOIN", "anti": "ANTI JOIN"}


class TableJoin(Operator):
    """Takes the table's changes of the tick first, then joins the tick's stream rows with what the table holds.

    What was joined stays as it is when the table changes later. Time is the stream's alone; late rows are joined like
    others and stay late. The table's rows are kept in DuckDB, equal ones once with how many there are.
    """

    name = "table join"
    node: plan.TableJoin
    fuses = True

    def __init__(
        self,
        node: plan.TableJoin,
        duck: Duck,
        account: Account,
        table: Operator,
        stream: Operator,
        *,
        then: tuple[plan.Project, ...] = (),
    ) -> None:
        super().__init__(node, duck, account)
        self.then = then
        self._columns = [n for n in table.schema.names if n != WEIGHT]
        self._changes = duck.feed(table.schema)
        self._next = duck.feed(table.schema)
        self._state = duck.table(f"SELECT * FROM {self._changes.name}")
        self._merge, self._forget, self._keep = self._prepared_upkeep()
        row = pa.field(_ROW, pa.int64())
        self._feed = duck.feed(stream.schema.append(row))
        self._late_feed = duck.feed(stream.schema.append(pa.field(WM, pa.int64())).append(row))
        sql = self.projected(self._sql(self._feed.name), f", {_ROW}")
        self._statement = duck.prepare(sql)
        self.schema = pa.schema(list(duck.schema_of(sql))[:-1])

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _prepared_upkeep(self) -> tuple[Statement, Statement, Statement]:
        """What the changes touch goes, its new sums come. With a key, what comes is known by the changes alone."""
        state, changes = self._state, self._changes.name
        key = self.node.inputs[0].key
        touched = list(key or self._columns)
        same = " AND ".join(f"{state}.{quote(c)} IS NOT DISTINCT FROM __t.{quote(c)}" for c in touched) or "TRUE"
        touching = self._next.name if key else changes
        which = f"(SELECT DISTINCT {quoted(touched)} FROM {touching})" if touched else "(SELECT 1)"
        columns = f"{quoted(self._columns)}, " if self._columns else ""
        group = f"GROUP BY {quoted(self._columns)} " if self._columns else ""
        old = f"SELECT {state}.* FROM {state} SEMI JOIN {which} AS __t ON {same}"
        every = changes if key else f"({old} UNION ALL SELECT * FROM {changes})"
        merge = f"SELECT {columns}sum({WEIGHT})::BIGINT AS {WEIGHT} FROM {every} {group}HAVING sum({WEIGHT}) <> 0"
        forget = f"DELETE FROM {state} USING {which} AS __t WHERE {same}"
        keep = f"INSERT INTO {state} SELECT * FROM {self._next.name}{f' WHERE {WEIGHT} > 0' * bool(key)}"
        return self.duck.prepare(merge), self.duck.prepare(forget), self.duck.prepare(keep)

    def _held(self) -> str:
        """The table's rows under their names in the output, equal ones as often as there are."""
        columns = "".join(f"{quote(c)} AS {quote(o)}, " for c, o in self.node.table_columns)
        copies = WEIGHT if self.node.inputs[0].key is not None else f"unnest(range({WEIGHT})) AS {WEIGHT}"
        return f"(SELECT {columns}{copies} FROM {self._state})"

    def _sql(self, feed: str, extra: str = "") -> str:
        node = self.node
        hidden = f"{TS}, {quoted(node.inputs[1].pos)}{extra}"
        renamed = "".join(f"{quote(c)} AS {quote(o)}, " for c, o in node.stream_columns)
        columns = "".join(f"{quote(c)}, " for c in node.columns)
        number = ""
        if node.several:
            order = "".join(f", {quote(o)}" for _, o in node.table_columns)
            number = f", row_number() OVER (PARTITION BY {_ROW} ORDER BY {_ROW}{order}) AS {quote(node.pos[-1])}"
        own = f"{TS}, {quoted(node.inputs[1].pos)}{number}{extra}"
        return (
            f"SELECT {columns}{own}, {_ROW} FROM (SELECT {renamed}{hidden}, {_ROW} FROM {feed}) AS __s "
            f"{_WORDS[node.kind]} {self._held()} AS __t ON {node.condition or 'TRUE'}"
        )

    # -- ticks ------------------------------------------------------------------------------------------------------

    def step(self, inputs: list[Delta]) -> Delta:
        table, stream = inputs
        if not table.rows.num_rows:
            return self._joined(stream)
        self.duck.run("BEGIN TRANSACTION")
        try:
            self._changes.rows = table.rows
            self._next.rows = self._merge.rows()
            self._forget.run()
            self._keep.run()
            out = self._joined(stream)
        except EvaluationError:
            self.duck.run("ROLLBACK")
            raise
        self.duck.run("COMMIT")
        return out

    def _joined(self, stream: Delta) -> Delta:
        rows, late = no_rows(self.schema), None
        if stream.rows.num_rows:
            self._feed.rows = _numbered(stream.rows)
            rows = _in_order(self._statement.rows())
        if stream.late is not None:
            self._late_feed.rows = _numbered(stream.late)
            first = self._sql(self._late_feed.name, f", {WM}")
            late = _in_order(self.duck.evaluate(self.projected(first, f", {WM}, {_ROW}")))
        return Delta(rows, stream.watermark_us, late, stream.many)

    # -- state ------------------------------------------------------------------------------------------------------

    def describe(self) -> str:
        kind = {"inner": "join", "left": "left join"}.get(self.node.kind, f"{self.node.kind} join")
        return f"{kind} with the rows of now on {shown(self.node.condition) or 'every row'}; keeps the table's rows"

    def native(self) -> dict[str, str]:
        return {"rows": self._state}

    def state_size(self) -> tuple[int, int]:
        rows = int(self.duck.value(f"SELECT count(*) FROM {self._state}"))
        return rows, rows * 24 * (1 + len(self._columns))


def _numbered(rows: pa.Table) -> pa.Table:
    return rows.append_column(_ROW, vector(np.arange(rows.num_rows, dtype=np.int64)))


def _in_order(rows: pa.Table) -> pa.Table:
    """Joined rows in the order of the stream's; DuckDB gives them in any."""
    numbers = int64s(rows, _ROW)
    if not is_sorted(numbers):
        rows = rows.take(vector(np.argsort(numbers, kind="stable")))
    return rows.drop_columns([_ROW])
