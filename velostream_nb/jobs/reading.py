"""Looking at topics: tables and frames of what is retained, all as of one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.errors import BindError
from velostream_nb.core.model import Frame
from velostream_nb.core.records import OP, RecordSet, no_rows
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.changelog import fold, split
from velostream_nb.jobs.outputs import visible_rows
from velostream_nb.jobs.runs import coalesce
from velostream_nb.jobs.tombstones import decode_changes

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
        schema = self._catalog.schema(topic)
        rows = _rows(self._codec, schema, sets)
        return _with_op(rows) if changelog else _folded(schema, rows)

    def tables(self, topics: Mapping[str, str]) -> dict[str, pa.Table]:
        """Like `table` for several at one moment: given topics by the names wanted, tables by those names.

        Raises:
            UnknownTopicError: no such topic.
        """
        for topic in topics.values():
            self._broker.topic(topic)
        found = self._broker.read_range(dict.fromkeys(topics.values()), EVERYTHING)
        schemas = {topic: self._catalog.schema(topic) for topic in found}
        folded = {
            topic: _folded(schemas[topic], _rows(self._codec, schemas[topic], found[topic][0])) for topic in found
        }
        return {name: folded[topic] for name, topic in topics.items()}

    def frames(self, wanted: Mapping[str, int | None], limit: int) -> dict[str, Frame]:
        """See `core.model.SessionLike.frames`."""
        found = self._broker.read_range(wanted, limit)
        return {topic: self._frame(topic, *found[topic]) for topic in wanted}

    def _frame(self, topic: str, sets: list[RecordSet], end: int, skipped: int) -> Frame:
        try:
            schema = self._catalog.schema(topic) if self._broker.exists(topic) else None
        except BindError:  # nothing in the topic tells its columns; a screen shows it empty
            schema = None
        rows = _rows(self._codec, schema, sets)
        if schema is None or schema.changelog is None:
            return Frame(topic, rows, end, skipped, end)
        stands, gone = split(rows, schema.changelog, schema.key)
        return Frame(topic, stands, end, skipped, end, schema.changelog, schema.key, gone)


def state_of(codec: Codec, sets: Sequence[RecordSet], schema: StreamSchema) -> pa.Table:
    """What stands after all records of a changelog; of other topics the rows as they are."""
    return _folded(schema, _rows(codec, schema, sets))


def _rows(codec: Codec, schema: StreamSchema | None, sets: Sequence[RecordSet]) -> pa.Table:
    """The records that decode, in log order, as user columns and, for a changelog, `OP`.

    Those that do not are left out here: a job that reads them puts them on its dead-letter topic.
    """
    if schema is None:
        return pa.table({})
    if not sets:
        columns = schema.columns
        return no_rows(columns if schema.changelog is None else columns.append(pa.field(OP, pa.string())))
    names, runs = schema.names, coalesce(sets)
    if schema.changelog is None:
        batches = [codec.decode(run, schema).batch.select(names) for run in runs]
    else:
        batches = [decode_changes(codec, run, schema, names).batch.select([*names, OP]) for run in runs]
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="default")


def _folded(schema: StreamSchema | None, rows: pa.Table) -> pa.Table:
    """What stands after all records of a changelog; of other topics the rows as they are."""
    return rows if schema is None or schema.changelog is None else fold(rows, schema.changelog, schema.key)


def _with_op(rows: pa.Table) -> pa.Table:
    """Every change with the user's column ``op``; rows of an append-only topic are upserts."""
    if OP not in rows.column_names:
        rows = rows.append_column(OP, pa.array(["upsert"] * rows.num_rows, pa.string()))
    return visible_rows(rows)
