"""Table: a topic that is a changelog, or a reference table, as changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import OP, TS, WEIGHT, Decoded, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import Account, Delta, codes_of, concat, int64s, last_per_code
from velostream_nb.engine.duck import Duck
from velostream_nb.engine.node import Operator
from velostream_nb.sql import plan


class Table(Operator):
    """The latest row per key in the order of arrival ('upsert'), or rows that come and go ('retract').

    Deletes of keys that are not there change nothing. A reference table's rows come with the first tick.
    """

    name = "table"
    node: plan.Table

    def __init__(self, node: plan.Table, duck: Duck, account: Account) -> None:
        super().__init__(node, duck, account)
        columns = node.stream.schema.columns
        self._fields = pa.schema([columns.field(c) for c in node.columns])
        self.schema = self._fields.append(pa.field(WEIGHT, pa.int64()))
        self._bag = node.stream.schema.changelog == "retract"
        self._kept = no_rows(self._fields)
        self.watermark_us = WATERMARK_MIN_US
        self._given = False

    def take(self, batches: Sequence[Decoded], *, final: bool) -> Delta:
        """The tick's changes. Its watermark is the newest event time heard; nothing waits for it."""
        parts = [self._start()] if not self._given else []
        self._given = True
        read = [self._read(d) for d in batches if d.batch.num_rows]
        if read:
            rows = concat([r for r, _ in read])
            gone = np.concatenate([g for _, g in read])
            parts.append(self._weighted(rows, np.where(gone, -1, 1)) if self._bag else self._upsert(rows, gone))
        if final:
            self.watermark_us = WATERMARK_MAX_US
        return Delta(concat([no_rows(self.schema), *parts]), self.watermark_us)

    def _start(self) -> pa.Table:
        rows = self.node.stream.rows
        if rows is None:
            return no_rows(self.schema)
        rows = rows.select(self._fields.names).cast(self._fields)
        return self._weighted(rows, np.ones(rows.num_rows, dtype=np.int64))

    def _read(self, decoded: Decoded) -> tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """(rows, which of them are deletes)."""
        table = pa.Table.from_batches([decoded.batch])
        self.watermark_us = max(self.watermark_us, int(int64s(table, TS).max()))
        gone = np.zeros(table.num_rows, dtype=np.bool_)
        if OP in table.column_names:
            gone = np.asarray([op == "delete" for op in table.column(OP).to_pylist()], dtype=np.bool_)
        return pa.Table.from_arrays(table.select(self._fields.names).columns, schema=self._fields), gone

    def _weighted(self, rows: pa.Table, weights: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pa.Table:
        return rows.append_column(self.schema.field(WEIGHT), vector(weights))

    def _upsert(self, rows: pa.Table, gone: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> pa.Table:
        """Old rows of the touched keys go, the newest ones come."""
        assert self.node.key is not None
        both = concat([self._kept, rows]) if self._kept.num_rows else rows
        old = both.num_rows - rows.num_rows
        codes = codes_of(both, self.node.key)
        newest = last_per_code(codes, 1)
        fresh = np.arange(both.num_rows) >= old
        comes = newest & fresh
        comes[old:] &= ~gone
        goes = ~newest & ~fresh
        self._kept = both.filter(vector((newest & ~fresh) | comes)).combine_chunks()
        leaving = self._weighted(both.filter(vector(goes)), np.full(int(goes.sum()), -1, dtype=np.int64))
        coming = self._weighted(both.filter(vector(comes)), np.ones(int(comes.sum()), dtype=np.int64))
        return concat([no_rows(self.schema), leaving, coming])

    def step(self, inputs: list[Delta]) -> Delta:
        raise AssertionError(f"a table is fed by take(), not by {len(inputs)} inputs")

    def describe(self) -> str:
        name = self.node.stream.name
        if self.node.stream.rows is not None:
            return f"reference table {name} ({', '.join(self.node.columns)}), {self.node.stream.rows.num_rows} rows"
        if self._bag:
            return f"changes of {self.node.stream.topic} ({', '.join(self.node.columns)})"
        keys = ", ".join(self.node.key or ())
        return f"table {name} ({', '.join(self.node.columns)}); keeps the latest row per ({keys})"

    def tables(self) -> dict[str, pa.Table]:
        return {"kept": self._kept, "table": pa.table({"watermark_us": [self.watermark_us], "given": [self._given]})}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        self._kept = tables["kept"]
        row = tables["table"].to_pylist()[0]
        self.watermark_us, self._given = row["watermark_us"], row["given"]

    def state_size(self) -> tuple[int, int]:
        return self._kept.num_rows, self._kept.nbytes
