"""SHOW and DESCRIBE."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.errors import ParseError, did_you_mean
from velostream_nb.core.functions import FunctionRegistry
from velostream_nb.core.model import Result
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import column_types
from velostream_nb.jobs import show
from velostream_nb.jobs.catalog import Catalog, kind_of
from velostream_nb.jobs.control import JobControl
from velostream_nb.jobs.reference import FILE_OPTION
from velostream_nb.sql.plan import StreamInfo
from velostream_nb.sql.statements import Describe, Show

DELAY_OPTION = "watermark.delay"


class Looks:
    """Carries out the statements that only look. Safe to use from any thread."""

    def __init__(self, broker: Broker, catalog: Catalog, control: JobControl, functions: FunctionRegistry) -> None:
        self._broker = broker
        self._catalog = catalog
        self._control = control
        self._functions = functions

    def show(self, statement: Show) -> Result:
        """``SHOW JOBS|STREAMS|TABLES|VIEWS|TOPICS|FUNCTIONS``."""
        tables: dict[str, Callable[[], pa.Table]] = {
            "JOBS": lambda: show.jobs_table(map(self._control.info, self._control.jobs())),
            "STREAMS": lambda: show.streams_table(i for i in self._catalog.declared() if not i.table),
            "TABLES": self._tables,
            "VIEWS": lambda: show.views_table(self._catalog.views()),
            "TOPICS": lambda: show.topics_table(self._broker.topics()),
            "FUNCTIONS": lambda: show.functions_table(self._functions.all().values()),
        }
        if statement.what not in tables:
            raise ParseError(f"cannot show {statement.what}", hint=did_you_mean(statement.what, tables))
        table = tables[statement.what]()
        what = statement.what.lower()
        return Result("table", f"{table.num_rows} {what[:-1] if table.num_rows == 1 else what}", table=table)

    def _tables(self) -> pa.Table:
        topics = []
        for topic in self._broker.topics():
            schema = self._broker.schema(topic.name)
            if schema is not None and schema.changelog is not None and self._catalog.owner(topic.name) is None:
                topics.append(topic)
        return show.tables_table((i for i in self._catalog.declared() if i.table), topics)

    def describe(self, statement: Describe) -> Result:
        """``DESCRIBE x``: columns of a stream, table, view or topic; what a job does.

        Raises:
            BindError: there is nothing of that name.
        """
        name = statement.name
        jobs = {job.name.lower(): job for job in self._control.jobs()}
        job = jobs.get(name.lower())
        if job is not None:
            written = self._broker.schema(job.spec.output) if self._broker.exists(job.spec.output) else None
            columns = column_types(written.columns) if written else {}
            table = show.job_table(self._control.info(job), columns, job.spec.plan.options)
            return Result("table", f"job {job.name}", job=job.name, table=table)
        view = next((v for v in self._catalog.views() if v.name.lower() == name.lower()), None)
        if view is not None:
            table = show.columns_table(StreamSchema(view.columns), "by its query")
            return Result("table", f"view {view.name}: {' '.join(view.text.split())}", table=table)
        info = self._catalog.stream(name)
        delay = info.options.get(DELAY_OPTION)
        return Result(
            "table", self._headline(info), table=show.columns_table(info.schema, self._known(info), shown_delay(delay))
        )

    def _known(self, info: StreamInfo) -> str:
        """How the columns are known."""
        if info.rows is not None:
            return "from its file"
        if self._catalog.find(info.name) is not None:
            return "declared"
        writer = next((job.name for job in self._control.jobs() if job.spec.output == info.topic), None)
        return f"written by job {writer}" if writer else "inferred from its first records"

    def _headline(self, info: StreamInfo) -> str:
        kind = kind_of(info) if self._catalog.find(info.name) is not None else "topic"
        if info.rows is not None:
            return f"table {info.name}: {info.rows.num_rows} rows of {info.options[FILE_OPTION]}"
        read = {
            "upsert": f"the latest row per ({', '.join(info.schema.key)})" if info.schema.key else "one row",
            "retract": "rows that come and go",
            None: "every record is a row",
        }[info.schema.changelog]
        topic = f" reads topic {info.topic}" if kind != "topic" else ""
        return f"{kind} {info.name}{topic}: {read}"


def shown_delay(delay: str | None) -> str | None:
    """A delay as people write it; WATERMARK FOR keeps it as microseconds."""
    if delay is None or not delay.endswith("us") or not delay[:-2].isdecimal():
        return delay
    return f"{int(delay[:-2]) / 1e6:g}s"
