"""What each statement does: SQL text in, `Result`s out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from itertools import groupby

import pyarrow as pa

from velostream_nb.brokers.contract import Broker
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import Place, SqlError, UnsupportedError
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry
from velostream_nb.core.model import Result
from velostream_nb.core.settings import Level, check_options
from velostream_nb.jobs.catalog import Catalog
from velostream_nb.jobs.control import JobControl
from velostream_nb.jobs.declare import Declarations
from velostream_nb.jobs.explaining import Explainer
from velostream_nb.jobs.ingest import to_outputs
from velostream_nb.jobs.insert import inserted_rows
from velostream_nb.jobs.looks import Looks
from velostream_nb.jobs.queries import Queries, Waiting
from velostream_nb.jobs.reading import Looker
from velostream_nb.jobs.runner import Commands
from velostream_nb.jobs.ticker import Ticker
from velostream_nb.sql.lex import place_at
from velostream_nb.sql.parse import parse
from velostream_nb.sql.statements import (
    AlterJob,
    ControlJob,
    CreateStream,
    CreateView,
    Describe,
    Drop,
    Explain,
    InsertRows,
    LoadTable,
    Pull,
    Push,
    SetOption,
    Show,
    StartJob,
    Statement,
)

FOREVER = Waiting()


class Executor:
    """Runs statements of one session. Safe to use from any thread.

    Args:
        ticker: the session's jobs; only looked at here.
        runner: gives the thread that runs them, which starts with the first need.
        functions: the Python functions that SQL may call.
    """

    def __init__(
        self,
        broker: Broker,
        catalog: Catalog,
        looker: Looker,
        ticker: Ticker,
        runner: Callable[[], Commands],
        clock: Clock,
        functions: FunctionRegistry = FUNCTIONS,
    ) -> None:
        self._broker = broker
        self._catalog = catalog
        self._runner = runner
        self._clock = clock
        self._functions = functions
        self._settings: dict[str, str] = {}
        settings = self._settings
        self.control = JobControl(broker, catalog, ticker, runner, clock, settings, functions)
        self.queries = Queries(broker, catalog, looker, self.control, runner, clock, settings, functions)
        declarations = Declarations(broker, catalog, self.control, settings, functions)
        looks = Looks(broker, catalog, self.control, functions)
        explainer = Explainer(catalog, self.control, runner, settings, functions)
        self._handlers: Mapping[type[Statement], Callable[..., Result]] = {
            CreateStream: declarations.create,
            LoadTable: declarations.load,
            CreateView: declarations.view,
            Drop: declarations.drop,
            StartJob: self.control.start,
            AlterJob: self.control.alter,
            ControlJob: self._control,
            InsertRows: self._insert,
            Show: looks.show,
            Describe: looks.describe,
            Explain: explainer.explain,
            SetOption: self._set,
            Pull: self.queries.pull,
        }

    def run(self, text: str, params: Mapping[str, object], waiting: Waiting = FOREVER) -> list[Result]:
        """Run all statements in order. The jobs of one text start from one cut of their inputs.

        Args:
            params: values for ``$name``.
            waiting: how long a query with EMIT CHANGES LIMIT waits for its rows.
        """
        return self.carry_out(parse(text, params=params or None).statements, waiting)

    def carry_out(self, statements: Sequence[Statement], waiting: Waiting = FOREVER) -> list[Result]:
        """`run` for statements that are parsed already."""
        results = []
        for waits, run in groupby(statements, key=_waits):
            starts = list(run)
            holding = any(isinstance(s, StartJob) for s in starts) and not waits
            with self._runner().hold() if holding else nullcontext():
                results += [self._do(s, waiting) for s in starts]
        return results

    def query(self, text: str, params: Mapping[str, object] | None = None, waiting: Waiting = FOREVER) -> pa.Table:
        """The rows of one statement that gives some.

        Raises:
            UnsupportedError: it is not one statement, or one that gives no rows or would never end.
        """
        statements = parse(text, params=params or None).statements
        if len(statements) != 1:
            raise UnsupportedError(f"query() takes one SELECT, got {len(statements)} statements", hint="use sql()")
        (statement,) = statements
        if isinstance(statement, Push) and statement.query.limit is None:
            raise UnsupportedError("this query never ends", hint="add LIMIT n, or run it with sql() as a job")
        if not isinstance(statement, Pull | Push | Show | Describe | Explain):
            raise UnsupportedError("query() takes a SELECT, SHOW, DESCRIBE or EXPLAIN", hint="use sql()")
        table = self._do(statement, waiting).table
        assert table is not None
        return table

    def _do(self, statement: Statement, waiting: Waiting) -> Result:
        try:
            if isinstance(statement, Push):
                return self.queries.push(statement, waiting)
            return self._handlers[type(statement)](statement)
        except SqlError as error:
            if error.place is None:
                error.place = _place_of(statement, error.message)
            raise

    # -- jobs -------------------------------------------------------------------------------------------------------

    def _control(self, statement: ControlJob) -> Result:
        info = self.control.act(statement.name, statement.action)
        done = "dropped" if statement.action == "drop" else info.state.value
        return Result("message" if statement.action == "drop" else "job", f"job {info.name} is {done}", job=info.name)

    # -- rows and settings ------------------------------------------------------------------------------------------

    def _insert(self, statement: InsertRows) -> Result:
        topic = self._catalog.writable(statement.name)
        info = self._catalog.stream(statement.name)
        now_us, functions = self._clock.now_us(), self._functions.all()
        rows = inserted_rows(statement, info.schema, now_us=now_us, functions=functions)
        self._broker.publish(to_outputs(topic, rows, info.schema))
        return Result("message", f"{rows.num_rows} {'row' if rows.num_rows == 1 else 'rows'} into {statement.name}")

    def _set(self, statement: SetOption) -> Result:
        (name,) = check_options({statement.key: statement.value}, Level.SESSION)
        self._settings[name] = statement.value
        return Result("message", f"{name} = {statement.value} for jobs started from now on")


def _place_of(statement: Statement, message: str) -> Place:
    """Where a statement has the first name that the message quotes; else where it names what it is about, or begins."""
    quoted = re.findall(r"'([^']+)'|there is no (\w+)\(", message)
    names = [one or other for one, other in quoted] + [getattr(statement, "name", "")]
    place = statement.place
    for name in filter(None, names):
        found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", statement.text, re.IGNORECASE)
        if found is not None:
            begins = sum(map(len, place.text.splitlines(keepends=True)[: place.line - 1])) + place.column - 1
            return place_at(place.text, begins + found.start(), begins + found.end())
    return place


def _waits(statement: Statement) -> bool:
    return isinstance(statement, Push) and statement.query.limit is not None
