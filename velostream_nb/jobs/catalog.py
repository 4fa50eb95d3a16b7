"""Who knows the streams: what was declared, and what the first records of a topic look like."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from velostream_nb.brokers.contract import Broker, Retention
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.errors import BindError, JobExistsError, SchemaError, did_you_mean
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.settings import Level, check_options, integer
from velostream_nb.jobs.runs import coalesce
from velostream_nb.sql.plan import StreamInfo
from velostream_nb.sql.statements import CreateStream, Query

FIRST_RECORDS = 1_000
"""How many records the schema of an undeclared topic is inferred from."""


class Catalog:
    """Declared streams and topics, by name. Safe to use from any thread."""

    def __init__(self, broker: Broker, codec: Codec) -> None:
        self._broker = broker
        self._codec = codec
        self._declared: dict[str, StreamInfo] = {}
        self._views: dict[str, Query] = {}
        self._lock = threading.RLock()

    def declare(self, statement: CreateStream) -> str:
        """``CREATE STREAM``: remembers the stream and makes its topic; gives one line for people.

        Raises:
            JobExistsError: it is declared already, with other columns or options.
            ConfigError: an unknown option.
            BrokerError: the topic exists with another number of partitions.
        """
        options = check_options(statement.options, Level.STREAM)
        topic = options.get("topic", statement.name)
        info = StreamInfo(statement.name, topic, statement.schema, options)
        with self._lock:
            known = self._declared.get(statement.name.lower())
            if known == info or (known is not None and statement.if_not_exists):
                return f"stream {statement.name} is declared already"
            if known is not None and not statement.or_replace:
                raise JobExistsError(
                    f"stream {statement.name} is declared already, with other columns or options",
                    hint=f"CREATE OR REPLACE STREAM {statement.name} …, or DROP STREAM {statement.name}",
                )
            partitions = integer("partitions", options) or 1
            if "partitions" not in options and self._broker.exists(topic):
                partitions = self._broker.topic(topic).partitions
            self._broker.create_topic(
                topic, partitions=partitions, retention=retention(options), schema=statement.schema
            )
            self._declared[statement.name.lower()] = info
        return (
            f"stream {statement.name} reads topic {topic}, event time {statement.schema.time_column or 'of the broker'}"
        )

    def forget(self, name: str) -> None:
        """Forget a declaration, if there is one."""
        with self._lock:
            self._declared.pop(name.lower(), None)

    def view(self, name: str) -> Query | None:
        """The query behind a view, None when no view has that name."""
        with self._lock:
            return self._views.get(name.lower())

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
        alike = [t.name for t in self._broker.topics() if t.name.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else name

    def declared(self) -> list[StreamInfo]:
        """All declared streams, by name."""
        with self._lock:
            return sorted(self._declared.values(), key=lambda info: info.name)

    def owner(self, topic: str) -> StreamInfo | None:
        """The declaration behind a topic, if there is one."""
        return next((info for info in self.declared() if info.topic == topic), None)

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
            return self._codec.infer(runs[0])
        except SchemaError as error:
            raise BindError(error.message, hint=error.hint) from error

    def _hint(self, name: str) -> str:
        known = [*(info.name for info in self.declared()), *(t.name for t in self._broker.topics())]
        create = f"declare it: CREATE STREAM {name} (…), or produce its first records"
        near = did_you_mean(name, known)
        return f"{near} Or {create}" if near else create


def retention(options: Mapping[str, str]) -> Retention | None:
    """The retention that options ask for; None leaves it to the broker."""
    if "retention.rows" not in options and "retention.bytes" not in options:
        return None
    return Retention(rows=integer("retention.rows", options), bytes=integer("retention.bytes", options))
