"""Who knows the names in FROM: declared streams, tables and views, and what the first records of a topic say."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from velostream_nb.brokers.contract import Broker, Retention
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.errors import BindError, JobExistsError, SchemaError, UnsupportedError, did_you_mean
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.settings import Level, check_options, integer
from velostream_nb.jobs.reference import FILE_OPTION, load_table
from velostream_nb.jobs.runs import coalesce
from velostream_nb.sql.plan import StreamInfo
from velostream_nb.sql.pull import views_read
from velostream_nb.sql.query import topics_read
from velostream_nb.sql.statements import CreateStream, CreateView, LoadTable, Query

FIRST_RECORDS = 1_000
"""How many records the schema of an undeclared topic is inferred from."""


@dataclass(frozen=True, slots=True)
class View:
    """A query by name.

    Attributes:
        text: the statement that created it.
        columns: what it gives, as DuckDB certified it at its creation.
    """

    name: str
    query: Query
    text: str
    columns: pa.Schema


class Catalog:
    """Declared streams, tables and views, and topics, by name. Safe to use from any thread."""

    def __init__(self, broker: Broker, codec: Codec) -> None:
        self._broker = broker
        self._codec = codec
        self._declared: dict[str, StreamInfo] = {}
        self._views: dict[str, View] = {}
        self._lock = threading.RLock()

    # -- declarations -----------------------------------------------------------------------------------------------

    def declare(self, statement: CreateStream) -> str:
        """``CREATE STREAM`` and ``CREATE TABLE``: remembers it and makes its topic; gives one line for people.

        Raises:
            JobExistsError: the name is taken, or declared already with other columns or options.
            ConfigError: an unknown option.
            BrokerError: the topic exists with another number of partitions.
        """
        options = check_options(statement.options, Level.STREAM)
        topic = options.get("topic", statement.name)
        info = StreamInfo(statement.name, topic, statement.schema, options, table=statement.table)
        kind = "table" if statement.table else "stream"
        with self._lock:
            if self._is_there(kind, info, statement):
                return f"{kind} {statement.name} is declared already"
            partitions = integer("partitions", options) or 1
            if "partitions" not in options and self._broker.exists(topic):
                partitions = self._broker.partitions(topic)
            self._broker.create_topic(
                topic, partitions=partitions, retention=retention(options), schema=statement.schema
            )
            self._declared[statement.name.lower()] = info
        if statement.table:
            return f"table {statement.name} keeps the latest row of topic {topic} per {', '.join(info.schema.key)}"
        return (
            f"stream {statement.name} reads topic {topic}, event time {statement.schema.time_column or 'of the broker'}"
        )

    def load(self, statement: LoadTable) -> str:
        """``CREATE TABLE … FROM 'file'``: reads it (raises what `load_table` raises); gives one line for people."""
        with self._lock:
            if statement.if_not_exists and statement.name.lower() in self._declared:
                return f"table {statement.name} is declared already"
            self._refuse_topic(statement.name, "table")
        info = load_table(statement, self._codec)
        with self._lock:
            self._is_there("table", info, statement)
            self._declared[statement.name.lower()] = info
        assert info.rows is not None
        return f"table {statement.name} has the {info.rows.num_rows} rows of {info.options[FILE_OPTION]}"

    def add_view(self, view: View, statement: CreateView) -> str:
        """``CREATE VIEW``: remembers the query; gives one line for people.

        Raises:
            JobExistsError: the name is taken.
            BindError: the view would read itself.
        """
        name = view.name.lower()
        with self._lock:
            if name in self._views and statement.if_not_exists:
                return f"view {view.name} is there already"
            self._refuse_topic(view.name, "view")
            if name in self._declared or (name in self._views and not statement.or_replace):
                kind = kind_of(self._declared[name]) if name in self._declared else "view"
                raise _taken(kind, view.name, "view")
            if name in views_read(view.query, self.view):
                raise BindError(f"view {view.name} would read itself", hint="give it another name")
            self._views[name] = view
        return f"view {view.name}: {', '.join(view.columns.names)}"

    def _is_there(self, kind: str, info: StreamInfo, statement: CreateStream | LoadTable) -> bool:
        """Whether the very same is declared; JobExistsError when the name is taken by something else."""
        name = info.name.lower()
        if name in self._views:
            raise _taken("view", info.name, kind)
        known = self._declared.get(name)
        if known is None or (statement.or_replace and kind_of(known) == kind):
            return False
        if kind_of(known) != kind:
            raise _taken(kind_of(known), info.name, kind)
        if known == info or statement.if_not_exists:
            return True
        raise JobExistsError(
            f"{kind} {info.name} is declared already, with other columns or options",
            hint=f"CREATE OR REPLACE {kind.upper()} {info.name} …, or DROP {kind.upper()} {info.name}",
        )

    def _refuse_topic(self, name: str, kind: str) -> None:
        if name.lower() not in self._declared and self._broker.exists(self.topic(name)):
            raise JobExistsError(f"{name} is a topic already", hint=f"give the {kind} another name")

    def forget(self, name: str) -> None:
        """Forget a declaration or a view, if there is one."""
        with self._lock:
            self._declared.pop(name.lower(), None)
            self._views.pop(name.lower(), None)

    # -- looking ----------------------------------------------------------------------------------------------------

    def view(self, name: str) -> Query | None:
        """The query behind a view, None when no view has that name."""
        with self._lock:
            found = self._views.get(name.lower())
        return None if found is None else found.query

    def views(self) -> list[View]:
        """All views, by name."""
        with self._lock:
            return sorted(self._views.values(), key=lambda view: view.name)

    def readers_of(self, name: str) -> list[str]:
        """The views whose queries name this."""
        return [v.name for v in self.views() if name.lower() in {n.lower() for n in topics_read(v.query.tree)}]

    def find(self, name: str) -> StreamInfo | None:
        """The declaration of that name, in any case; None when there is none."""
        with self._lock:
            return self._declared.get(name.lower())

    def writable(self, name: str) -> str:
        """The topic behind a name that rows may be written to.

        Raises:
            UnsupportedError: it is a view, or a table whose rows are those of a file.
        """
        if self.view(name) is not None:
            raise UnsupportedError(f"{name} is a view: it has no rows of its own", hint="write to the stream it reads")
        info = self.find(name)
        if info is not None and info.rows is not None:
            raise UnsupportedError(
                f"the rows of table {info.name} are those of {info.options[FILE_OPTION]}",
                hint=f"write to the file, then read it anew: CREATE OR REPLACE TABLE {info.name} FROM '…'; "
                f"or CREATE TABLE {info.name} (…, PRIMARY KEY (…)), which takes rows",
            )
        return self.topic(name)

    def stream(self, name: str) -> StreamInfo:
        """The stream or topic of that name, exact first, then in any case.

        Raises:
            BindError: there is none, or a topic that nobody declared has no records to tell its columns by.
        """
        with self._lock:
            declared = self._declared.get(name.lower())
        if declared is not None:
            return declared
        topic = self.topic(name)
        if not self._broker.exists(topic):
            raise BindError(f"unknown stream or topic {name!r}", hint=self._hint(name))
        schema = self.schema(topic)
        if schema is None:
            raise BindError(
                f"topic {topic!r} has no records yet, so its columns are not known",
                hint=f"declare them: CREATE STREAM {topic} (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP)",
            )
        return StreamInfo(name, topic, schema)

    def topic(self, name: str) -> str:
        """The topic behind a stream's name; a name that is no stream is a topic's, exact first, then in any case."""
        with self._lock:
            declared = self._declared.get(name.lower())
        if declared is not None:
            return declared.topic
        if self._broker.exists(name):
            return name
        alike = [known for known in self._broker.names() if known.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else name

    def declared(self) -> list[StreamInfo]:
        """All declared streams, by name."""
        with self._lock:
            return sorted(self._declared.values(), key=lambda info: info.name)

    def owner(self, topic: str) -> StreamInfo | None:
        """The declaration behind a topic, if there is one."""
        return next((info for info in self.declared() if info.topic == topic and info.rows is None), None)

    def schema(self, topic: str) -> StreamSchema | None:
        """The schema of an existing topic; inferred from its oldest records when nobody gave one.

        What was inferred is remembered in the broker, so that everybody sees the same columns from then on. None while
        there is no record to tell by.

        Raises:
            BindError: the first records cannot be decoded.
        """
        schema = self._broker.schema(topic)
        if schema is not None:
            return schema
        with self._lock:
            schema = self._broker.schema(topic) or self._infer(topic)
            if schema is not None:
                self._broker.set_schema(topic, schema)
        return schema

    def _infer(self, topic: str) -> StreamSchema | None:
        reader = self._broker.reader(topic, "earliest")
        runs = coalesce(reader.poll(FIRST_RECORDS))
        reader.close()
        if not runs:
            return None
        try:
            return self._codec.infer(*runs)
        except SchemaError as error:
            raise BindError(error.message, hint=error.hint) from error

    def names(self) -> list[str]:
        """Every name that FROM may use, for hints."""
        declared = [info.name for info in self.declared()] + [view.name for view in self.views()]
        return declared + self._broker.names()

    def _hint(self, name: str) -> str:
        known = self.names()
        create = f"declare it: CREATE STREAM {name} (…), or produce its first records"
        near = did_you_mean(name, known)
        return f"{near} Or {create}" if near else create


def kind_of(info: StreamInfo) -> str:
    """'table' or 'stream'."""
    return "table" if info.table else "stream"


def _taken(kind: str, name: str, wanted: str) -> JobExistsError:
    return JobExistsError(
        f"{name} is a {kind} already", hint=f"DROP {kind.upper()} {name} first, or give the {wanted} another name"
    )


def retention(options: Mapping[str, str]) -> Retention | None:
    """The retention that options ask for; None leaves it to the broker."""
    if "retention.rows" not in options and "retention.bytes" not in options:
        return None
    return Retention(rows=integer("retention.rows", options), bytes=integer("retention.bytes", options))
