"""CREATE and DROP of streams, tables and views."""

from __future__ import annotations

from collections.abc import Mapping

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.errors import JobError, UnknownTopicError, UnsupportedError, did_you_mean
from velostream_nb.core.functions import FunctionRegistry
from velostream_nb.core.model import Result
from velostream_nb.engine.job import JobEngine
from velostream_nb.jobs.catalog import Catalog, View, kind_of
from velostream_nb.jobs.control import LIVE, JobControl
from velostream_nb.sql.planner import plan_view
from velostream_nb.sql.statements import CreateStream, CreateView, Drop, LoadTable


class Declarations:
    """Carries out the statements that declare names. Safe to use from any thread."""

    def __init__(
        self,
        broker: Broker,
        catalog: Catalog,
        control: JobControl,
        settings: Mapping[str, str],
        functions: FunctionRegistry,
    ) -> None:
        self._broker = broker
        self._catalog = catalog
        self._control = control
        self._settings = settings
        self._functions = functions

    def create(self, statement: CreateStream) -> Result:
        """``CREATE STREAM`` and ``CREATE TABLE``."""
        return Result("message", self._catalog.declare(statement))

    def load(self, statement: LoadTable) -> Result:
        """``CREATE TABLE … FROM 'file'``."""
        return Result("message", self._catalog.load(statement))

    def view(self, statement: CreateView) -> Result:
        """``CREATE VIEW``: the query is planned and certified now, and planned again wherever the view is used.

        Jobs hold the plan that they were started with: to replace a view, or to drop it, changes no running job.
        """
        plan = plan_view(statement.query, self._catalog, self._settings)
        engine = JobEngine(plan, functions=self._functions.all())
        try:
            columns = engine.output_schema
        finally:
            engine.close()
        view = View(statement.name, statement.query, statement.text, columns)
        return Result("message", self._catalog.add_view(view, statement))

    def drop(self, statement: Drop) -> Result:
        """``DROP STREAM|TABLE|VIEW``.

        Raises:
            UnknownTopicError: there is none of that name.
            UnsupportedError: it is one of another kind.
            JobError: a running job, or a view, needs it.
        """
        name, kind = statement.name, self._kind(statement.name)
        if kind is None:
            if statement.if_exists:
                return Result("message", f"there is no {statement.kind} {name}")
            hint = did_you_mean(name, self._catalog.names())
            raise UnknownTopicError(f"unknown {statement.kind} {name!r}", hint=hint)
        if kind not in (statement.kind, "topic"):
            raise UnsupportedError(
                f"{name} is a {kind}, not a {statement.kind}",
                hint=f"DROP {kind.upper()} {name}",
                place=statement.place,
            )
        readers = self._catalog.readers_of(name)
        if readers:
            raise JobError(
                f"{statement.kind} {name} is read by view {readers[0]}", hint=f"DROP VIEW {readers[0]} first"
            )
        info = self._catalog.find(name)
        if kind == "view" or (info is not None and info.rows is not None):
            self._catalog.forget(name)
            return Result("message", f"dropped {kind} {name}")
        return self._drop_topic(statement)

    def _kind(self, name: str) -> str | None:
        """'stream', 'table', 'view', 'topic' (nobody declared it), or None when there is nothing of that name."""
        if self._catalog.view(name) is not None:
            return "view"
        info = self._catalog.find(name)
        if info is not None:
            return kind_of(info)
        return "topic" if self._broker.exists(self._catalog.topic(name)) else None

    def _drop_topic(self, statement: Drop) -> Result:
        topic = self._catalog.topic(statement.name)
        jobs = [j for j in self._control.jobs() if j.state in LIVE]
        users = [j.name for j in jobs if topic in (*j.spec.inputs, j.spec.output)]
        if users:
            raise JobError(
                f"{statement.kind} {statement.name} is used by {', '.join(users)}", hint=f"STOP JOB {users[0]} first"
            )
        self._catalog.forget(statement.name)
        if self._broker.exists(topic):
            self._broker.delete_topic(topic)
        return Result("message", f"dropped {statement.kind} {statement.name} and topic {topic}")
