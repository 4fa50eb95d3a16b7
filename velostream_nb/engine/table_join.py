"""TableJoin: rows of a stream with the rows that a table has at the moment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import TS, WEIGHT, no_rows
from velostream_nb.engine.delta import WM, Account, Delta, int64s
from velostream_nb.engine.duck import Duck, EvaluationError, quote, quoted
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

    def __init__(self, node: plan.TableJoin, duck: Duck, account: Account, table: Operator, stream: Operator) -> None:
        super().__init__(node, duck, account)
        self._columns = [n for n in table.schema.names if n != WEIGHT]
        self._changes = duck.feed(table.schema)
        self._state = duck.table(f"SELECT * FROM {self._changes.name}")
        self._upkeep = self._prepared_upkeep()
        row = pa.field(_ROW, pa.int64())
        self._feed = duck.feed(stream.schema.append(row))
        self._late_feed = duck.feed(stream.schema.append(pa.field(WM, pa.int64())).append(row))
        self._statement = duck.prepare(self._sql(self._feed.name))
        self.schema = pa.schema(list(duck.schema_of(self._sql(self._feed.name)))[:-1])

    # -- SQL --------------------------------------------------------------------------------------------------------

    def _prepared_upkeep(self) -> tuple[str, ...]:
        """Rows that the changes touch go, their new sums come; with a key, the rows of an equal key are touched."""
        state, changes = self._state, self._changes.name
        touched = list(self.node.inputs[0].key or self._columns)
        same = " AND ".join(f"{state}.{quote(c)} IS NOT DISTINCT FROM __t.{quote(c)}" for c in touched) or "TRUE"
        which = f"(SELECT DISTINCT {quoted(touched)} FROM {changes})" if touched else "(SELECT 1)"
        columns = f"{quoted(self._columns)}, " if self._columns else ""
        group = f"GROUP BY {quoted(self._columns)} " if self._columns else ""
        old = f"SELECT {state}.* FROM {state} SEMI JOIN {which} AS __t ON {same}"
        return (
            f"CREATE OR REPLACE TEMP TABLE {state}_next AS SELECT {columns}sum({WEIGHT})::BIGINT AS {WEIGHT} "
            f"FROM ({old} UNION ALL SELECT * FROM {changes}) {group}HAVING sum({WEIGHT}) <> 0",
            f"DELETE FROM {state} USING {which} AS __t WHERE {same}",
            f"INSERT INTO {state} SELECT * FROM {state}_next",
        )

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
            for statement in self._upkeep:
                self.duck.run(statement)
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
            late = _in_order(self.duck.evaluate(self._sql(self._late_feed.name, f", {WM}")))
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
    return rows.append_column(_ROW, pa.array(np.arange(rows.num_rows, dtype=np.int64)))


def _in_order(rows: pa.Table) -> pa.Table:
    """Joined rows in the order of the stream's; DuckDB gives them in any."""
    order = np.argsort(int64s(rows, _ROW), kind="stable")
    return rows.take(pa.array(order)).drop_columns([_ROW])
