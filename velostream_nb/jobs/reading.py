"""Looking at topics: tables and frames of what is retained, all as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.brokers.contract import Broker
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.errors import BindError
from velostream_nb.core.model import Frame
from velostream_nb.core.records import OP, RecordSet
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.runs import coalesce
from velostream_nb.sinks.frame import last_of_each

EVERYTHING = 2**62
"""A limit that limits nothing."""


class Looker:
    """Reads topics for people. Safe to use from any thread; takes nothing from the jobs' readers."""

    def __init__(self, broker: Broker, codec: Codec, catalog: Catalog) -> None:
        self._broker = broker
        self._codec = codec
        self._catalog = catalog

    def table(self, topic: str, *, changelog: bool = False) -> pa.Table:
        """All retained records of one topic, a changelog folded by its key, or with column ``op``.

        Raises:
            UnknownTopicError: no such topic.
        """
        self._broker.topic(topic)
        sets, _, _ = self._broker.read_range({topic: None}, EVERYTHING)[topic]
        rows = self._rows(topic, sets)
        if changelog:
            return _with_op(rows)
        return self._fold(topic, rows)

    def tables(self, topics: Mapping[str, str]) -> dict[str, pa.Table]:
        """Like `table` for several at one moment: given topics by the names wanted, tables by those names.

        Raises:
            UnknownTopicError: no such topic.
        """
        for topic in topics.values():
            self._broker.topic(topic)
        found = self._broker.read_range(dict.fromkeys(topics.values()), EVERYTHING)
        return {name: self._fold(topic, self._rows(topic, found[topic][0])) for name, topic in topics.items()}

    def frames(self, wanted: Mapping[str, int | None], limit: int) -> dict[str, Frame]:
        """See `core.model.SessionLike.frames`."""
        found = self._broker.read_range(wanted, limit)
        return {topic: self._frame(topic, *found[topic]) for topic in wanted}

    def _frame(self, topic: str, sets: list[RecordSet], end: int, skipped: int) -> Frame:
        try:
            rows = self._rows(topic, sets) if self._broker.exists(topic) else pa.table({})
        except BindError:  # nothing in the topic tells its columns; a screen shows it empty
            rows = pa.table({})
        if OP in rows.column_names:
            rows = rows.drop_columns([OP])
        return Frame(topic, rows, end, skipped, end)

    def _rows(self, topic: str, sets: Sequence[RecordSet]) -> pa.Table:
        """The records that decode, in log order, as user columns and, for a changelog, `OP`.

        Those that do not are left out here: a job that reads them puts them on its dead-letter topic.
        """
        schema = self._catalog.schema(topic)
        if schema is None:
            return pa.table({})
        batches = [self._codec.decode(run, schema).batch for run in coalesce(sets)]
        names = schema.names
        tables = [pa.Table.from_batches([b]).select([*names, *([OP] if OP in b.schema.names else [])]) for b in batches]
        if not tables:
            return schema.columns.empty_table()
        return pa.concat_tables(tables, promote_options="default")

    def _fold(self, topic: str, rows: pa.Table) -> pa.Table:
        if OP not in rows.column_names:
            return rows
        schema = self._broker.schema(topic)
        return fold(rows, schema.key if schema is not None else ())


def fold(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """A changelog's newest row per key, without deleted ones, in the order of their last change; `OP` is dropped.

    An empty key means one row in all: the newest (an aggregate without GROUP BY).
    """
    if not rows.num_rows:
        return rows.drop_columns([OP])
    last = pa.array(last_of_each(rows.select(list(key)))) if key else pa.array([rows.num_rows - 1])
    newest = rows.take(last)
    kept = pc.fill_null(pc.not_equal(newest.column(OP), "delete"), True)
    return newest.filter(kept).drop_columns([OP])


def _with_op(rows: pa.Table) -> pa.Table:
    """`OP` as the user's column ``op``; rows of an append-only topic are upserts."""
    if OP in rows.column_names:
        op = pc.fill_null(rows.column(OP), "upsert")
        return rows.drop_columns([OP]).append_column("op", op)
    return rows.append_column("op", pa.array(["upsert"] * rows.num_rows, pa.string()))
