"""Streams and tables of FROM as the nodes that read them, limited to the columns that the query needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.errors import BindError
from velostream_nb.core.records import POS, TS
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.plan import Source, StreamInfo, Table

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner
    from velostream_nb.sql.scope import Scope

IDLE_TIMEOUT = "10s"
"""A partition silent for so long no longer holds the watermark back, or an empty one would hold it for ever."""


class Sources:
    """The topics that one query reads, each once however often it is named.

    Args:
        only: restricts each topic to those columns (None: all).
        wall: a window of the query goes by the wall clock.

    Attributes:
        used: the columns that expressions have read so far, by topic.
    """

    def __init__(self, planner: Planner, only: Mapping[str, set[str]] | None, *, wall: bool) -> None:
        self.used: dict[str, set[str]] = {}
        self._planner = planner
        self._only = only
        self._wall = wall
        self._found: dict[str, Source | Table] = {}
        self._versions: dict[str, Source] = {}

    def stream(self, item: exp.Table) -> Source | Table:
        """The node that reads a stream, table or topic; BindError with its place when there is none."""
        name = ".".join(part.name for part in item.parts)
        try:
            info = self._planner.catalog.stream(name)
        except BindError as error:
            if error.place is None:
                error.place = self._planner.locate(item)
            raise
        if info.topic not in self._found:
            changelog = info.table or info.schema.changelog
            self._found[info.topic] = self._table(info) if changelog else self._source(info)
        return self._found[info.topic]

    def _table(self, info: StreamInfo) -> Table:
        columns, key = list(info.schema.names), info.schema.key
        if self._only is not None:
            # one at the least: a row without columns cannot be counted
            columns = [c for c in columns if c in self._only.get(info.topic, set()) or c in key] or columns[:1]
        return Table(
            inputs=(),
            columns=tuple(columns),
            pos=(),
            time={},
            changes=True,
            key=key if key or info.schema.changelog == "upsert" else None,
            stream=info,
        )

    def _source(self, info: StreamInfo) -> Source:
        if self._wall and info.schema.time_column is not None:
            self._planner.note(
                f"event time of {info.name} is the broker's timestamp, because a window goes by the wall clock"
            )
            info = replace(info, schema=replace(info.schema, time_column=None))
        columns = list(info.schema.names)
        hidden = [c for c in columns if c.lower() in (TS, POS)]
        if hidden:
            raise BindError(f"column {hidden[0]!r} of {info.name} has a reserved name", hint="rename it at the source")
        if self._only is not None:
            columns = [c for c in columns if c in self._only.get(info.topic, set()) or c == info.schema.time_column]
        timed = info.schema.time_column
        delay = info.options.get("watermark.delay", self._planner.settings.get("watermark.delay", "0s"))
        idle = info.options.get("idle.timeout", self._planner.settings.get("idle.timeout", IDLE_TIMEOUT))
        return Source(
            inputs=(),
            columns=tuple(columns),
            pos=(POS,),
            time={timed: 0} if timed else {},
            stream=info,
            delay_us=parse_duration_us(delay),
            idle_us=parse_duration_us(idle),
        )

    def versions(self, table: Table) -> Source:
        """The records of a table's topic as they are, deletes as well (`OP`), as an append-only input."""
        topic = table.stream.topic
        if topic not in self._versions:
            source = self._source(table.stream)
            timed = [c for c in source.columns if c in source.time and c not in table.columns]
            self._versions[topic] = replace(source, columns=(*table.columns, *timed), op=True)
        return self._versions[topic]

    def mark_used(self, scope: Scope) -> Callable[[str], None]:
        """What the scope calls with every internal name that an expression reads."""

        def used(internal: str) -> None:
            # by the column's own name, over all sources: a column too many costs little, one too few is an error
            names = {i.names[k] for i in scope.inputs for k, name in i.internal.items() if name == internal}
            for topic, source in self._found.items():
                self.used.setdefault(topic, set()).update(names & set(source.columns))

        return used
