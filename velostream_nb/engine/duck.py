"""The one door to DuckDB: a locked-down connection, feeds that swap their batch, prepared statements.

A `Feed` is registered once under a name; a statement prepared over it scans whatever batch the feed holds when it is
executed, so a tick costs no parsing, binding or planning.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from velostream_nb.core.errors import BindError, ConfigError, StateError, VeloError, did_you_mean
from velostream_nb.core.functions import Function
from velostream_nb.core.records import no_rows
from velostream_nb.core.types import HUGEINT, sql_type
from velostream_nb.engine.calls import Faults, duck_function

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}
_RESULT_ROWS = 1 << 30


_ABSENT = r'(\S+) does not exist!(?: Did you mean "(.+?)"\?)?'
_NO_COLUMN = re.compile(r'Referenced column "(.+?)" not found in FROM clause!? *(?:Candidate bindings: (.*))?')
_NO_FUNCTION = re.compile(rf"[a-z ]+ Function with name {_ABSENT}", re.IGNORECASE)
_NO_OVERLOAD = re.compile(r"No function matches the given name and argument types '(.+?)'\.")
_NO_TABLE = re.compile(f"Table with name {_ABSENT}")


class EvaluationError(VeloError):
    """DuckDB could not compute some row of a batch (a failed cast, an overflow); internal to the engine.

    Attributes:
        suspects: numbers of the input rows that are probably at fault, ascending; () when nothing is known.
    """

    suspects: tuple[int, ...] = ()


def map_error(error: duckdb.Error, *, compiling: bool, functions: Mapping[str, Function] | None = None) -> VeloError:
    """Our error for one of DuckDB's.

    Args:
        compiling: whether no rows were involved.
        functions: Python functions that were in sight, by lower-case name.
    """
    message = _plain(str(error))
    if not compiling:
        return EvaluationError(message)
    if found := _NO_COLUMN.match(message):
        known = re.findall(r'"([^"]+)"', found[2] or "")
        return BindError(f"unknown column {found[1]!r}", hint=did_you_mean(found[1], known))
    if found := _NO_OVERLOAD.match(message):
        hint = "see the column types with DESCRIBE; declare them with CREATE STREAM s (price DOUBLE, …), or CAST"
        if own := (functions or {}).get(found[1].partition("(")[0].lower()):
            hint = f"you defined {own.signature}; CAST the arguments"
        return BindError(f"there is no {found[1]}", hint=hint)
    if found := _NO_FUNCTION.match(message):
        own_names = [f.name for f in (functions or {}).values()]
        near = did_you_mean(found[1], [*own_names, *([found[2]] if found[2] else [])])
        return BindError(f"unknown function {found[1]!r}", hint=near)
    if found := _NO_TABLE.match(message):
        alike = f"did you mean {found[2]}?" if found[2] else None
        return BindError(f"unknown stream or topic {found[1]!r}", hint=alike)
    return BindError(message)


def _plain(message: str) -> str:
    """DuckDB's message without its class, its LINE excerpt and our internal names."""
    first = message.split("\n\nLINE ")[0].strip()
    first = re.sub(r"^(\w+ )+Error: (?:Python exception occurred while executing the UDF: CallError: )?", "", first)
    return first.replace('"__in".', "").replace("__in.", "").split("\nLINE ")[0].replace("\n", " ")


class Feed:
    """A named relation whose rows are swapped; DuckDB reads it through the Arrow C stream interface."""

    def __init__(self, name: str, schema: pa.Schema) -> None:
        self.name = name
        self.schema = schema
        self.rows = no_rows(schema)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.rows.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()


class Duck:
    """A connection to an in-memory DuckDB, used by one thread at a time. It reads no file, environment or network.

    Connections share one instance where they can: another one costs 20 ms and 4 MB. They share no names, because all
    that a `Duck` makes is temporary, and temporary things belong to their connection. Functions and folders belong to
    an instance, so who asks for those gets one of its own.

    Args:
        functions: Python functions that SQL may call, by lower-case name.
        apart: `lock` will open a folder: an instance of its own.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        memory_limit: str | None = None,
        functions: Mapping[str, Function] | None = None,
        apart: bool = False,
    ) -> None:
        self._apart = apart or bool(functions) or threads != 1 or memory_limit is not None
        if self._apart:
            self._con = _open(threads)
            if memory_limit is not None:
                self._con.execute(f"SET memory_limit = '{memory_limit}'")
        else:
            self._con = _shared(os.getpid()).cursor()
        self._optimizes = True
        self._names = itertools.count()
        self._feeds: list[Feed] = []
        self._faults = Faults()
        self._functions = dict(functions or {})
        for function in self._functions.values():
            self._define(function)

    def _define(self, function: Function) -> None:
        # always as columns with NULLs in them: what DuckDB would do about NULLs, types and errors by itself depends
        # on its version, and costs more per row; only without a parameter it does not say how many rows it wants
        kind = PythonUDFType.ARROW if function.parameters else PythonUDFType.NATIVE
        try:
            self._con.create_function(
                function.name,
                duck_function(function, self._faults),
                None,
                sql_type(function.returns),
                type=kind,
                null_handling=FunctionNullHandling.SPECIAL,
                side_effects=not function.deterministic,
            )
        except duckdb.Error as error:
            self._con.close()
            raise ConfigError(
                f"function {function.name} cannot be called from SQL: {_plain(str(error))}",
                hint='choose another name: @velo.function(name="…")',
            ) from error

    def lock(self, state_dir: str | None = None) -> None:
        """Close the way to the machine for good; `state_dir` stays readable and writable for snapshots."""
        assert self._apart or state_dir is None, "a shared instance opens no folder"
        if not self._apart:  # it was never open
            return
        if state_dir is not None:
            self._con.execute(f"SET allowed_directories = [{quote_text(state_dir)}]")
        _lock(self._con)

    def feed(self, schema: pa.Schema) -> Feed:
        """A new, empty feed."""
        feed = Feed(f"__feed{next(self._names)}", schema)
        # Arrow has no HUGEINT: read back as the DECIMAL(38,0) it travels as, 7 // 2 would be 3.5
        wide = [quote(f.name) for f in schema if f.type == HUGEINT]
        self._con.register(f"{feed.name}_in" if wide else feed.name, feed)
        if wide:
            casts = ", ".join(f"CAST({c} AS HUGEINT) AS {c}" for c in wide)
            self._con.execute(f"CREATE TEMP VIEW {feed.name} AS SELECT * REPLACE ({casts}) FROM {feed.name}_in")
        self._feeds.append(feed)
        return feed

    def drop(self, feed: Feed) -> None:
        """Forget a feed that no statement reads."""
        if any(f.type == HUGEINT for f in feed.schema):
            self._con.execute(f"DROP VIEW {feed.name}")
            self._con.unregister(f"{feed.name}_in")
        else:
            self._con.unregister(feed.name)
        self._feeds.remove(feed)

    def table(self, columns_sql: str) -> str:
        """A new native table shaped like the query's result; returns its name."""
        name = f"__state{next(self._names)}"
        self._compile(lambda: self._con.execute(f"CREATE TEMP TABLE {name} AS {columns_sql} LIMIT 0"))
        return name

    def prepare(self, sql: str) -> Statement:
        """Compile a statement over feeds and tables; BindError when DuckDB refuses it."""
        name = f"__q{next(self._names)}"
        self._optimize(True)
        self._compile(lambda: self._con.execute(f"PREPARE {name} AS {sql}"))
        return Statement(self, name, sql)

    def schema_of(self, sql: str) -> pa.Schema:
        """The columns a query gives; BindError when DuckDB refuses it."""
        result: pa.Schema = self._compile(lambda: self.arrow(f"SELECT * FROM ({sql}) LIMIT 0").schema)
        return result

    def type_names(self, sql: str) -> dict[str, str]:
        """Column name to DuckDB type name."""
        rows = self._compile(lambda: self._con.execute(f"DESCRIBE {sql}").fetchall())
        return {row[0]: row[1] for row in rows}

    def arrow(self, sql: str) -> pa.Table:
        """Execute and fetch all rows."""
        self._optimize(True)
        return self._fetched(sql)

    def _fetched(self, sql: str) -> pa.Table:
        # what relations run by: sql() would bind first (+0.3 ms), and execute() has the rows read back by a second
        # statement (+0.2 ms)
        submit = getattr(self._con, "_submit", None)
        if submit is None:
            return self._con.sql(sql).to_arrow_table()
        table: pa.Table = submit(sql, None, "arrow", _RESULT_ROWS).arrow_table()
        return table

    def run(self, sql: str) -> None:
        """Execute a statement that gives no rows."""
        self._evaluated(lambda: self._con.execute(sql))

    def change(self, sql: str) -> int:
        """Execute an INSERT or DELETE; how many rows it touched."""
        return int(self._evaluated(lambda: self._con.execute(sql).fetchall()[0][0]))

    def evaluate(self, sql: str) -> pa.Table:
        """Execute over the rows of feeds; EvaluationError when a row cannot be computed."""
        rows: pa.Table = self._evaluated(lambda: self.arrow(sql))
        return rows

    def execute(self, call: str) -> pa.Table:
        """The rows of a prepared statement; EvaluationError when a row cannot be computed.

        It has its plan: DuckDB would run its optimizer over the EXECUTE alone, a fifth of what a small one takes.
        """
        self._optimize(False)
        rows: pa.Table = self._evaluated(lambda: self._fetched(call))
        return rows

    def _optimize(self, on: bool) -> None:
        if on is not self._optimizes:
            self._con.execute(f"SET SESSION enable_optimizer = {str(on).lower()}")
            self._optimizes = on

    def value(self, sql: str) -> Any:
        """The single value of a query."""
        row = self._con.execute(sql).fetchone()
        self._con.fetchall()
        return None if row is None else row[0]

    def attach(self, path: str, *, read_only: bool) -> None:
        """Open a snapshot file as schema `snap`."""
        try:
            self._con.execute(f"ATTACH {quote_text(path)} AS snap{' (READ_ONLY)' if read_only else ''}")
        except duckdb.Error as error:
            raise StateError(f"cannot open the snapshot {path}: {_plain(str(error))}") from error

    def detach(self) -> None:
        self._con.execute("DETACH snap")

    def close(self) -> None:
        """Release everything; safe to call twice."""
        for feed in self._feeds:
            feed.rows = no_rows(feed.schema)
        self._feeds.clear()
        self._con.close()

    def _compile(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except duckdb.Error as error:
            raise map_error(error, compiling=True, functions=self._functions) from error

    def _evaluated(self, action: Callable[[], Any]) -> Any:
        """Run over the rows of feeds; EvaluationError when a row cannot be computed."""
        self._faults.reset()
        try:
            return action()
        except duckdb.Error as error:
            if not self._faults.reason:
                raise map_error(error, compiling=False) from error
            failure = EvaluationError(self._faults.reason)
            failure.suspects = self._faults.rows
            raise failure from error


class Statement:
    """A prepared statement; parameters are written into EXECUTE as literals by us, never by users."""

    def __init__(self, duck: Duck, name: str, sql: str) -> None:
        self._duck = duck
        self._name = name
        self.sql = sql

    def rows(self, *numbers: int) -> pa.Table:
        # with numbers it is planned anew each time
        return self._duck.evaluate(self._call(numbers)) if numbers else self._duck.execute(self._call(()))

    def run(self, *numbers: int) -> int:
        """Execute an INSERT or DELETE; how many rows it touched."""
        return self._duck.change(self._call(numbers))

    def _call(self, numbers: tuple[int, ...]) -> str:
        arguments = f"({', '.join(map(str, numbers))})" if numbers else ""
        return f"EXECUTE {self._name}{arguments}"


def _open(threads: int) -> duckdb.DuckDBPyConnection:
    """A new instance. What it is set to holds for all of its connections."""
    con = duckdb.connect(config={**_CONFIG, "threads": threads})
    con.execute("SET GLOBAL asof_loop_join_threshold = 0")  # Arrow sources look small to the planner
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    return con


def _lock(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("SET enable_external_access = false")
    con.execute("SET allowed_configs = ['enable_optimizer']")
    con.execute("SET lock_configuration = true")


@lru_cache(maxsize=1)
def _shared(_process: int) -> duckdb.DuckDBPyConnection:
    """The instance that connections share, locked down; by process, because a fork must not use its parent's."""
    con = _open(threads=1)
    _lock(con)
    return con


@lru_cache(maxsize=1)
def builtin_names() -> frozenset[str]:
    """Names, in lower case, that a Python function cannot have: DuckDB's functions and reserved words."""
    with _shared(os.getpid()).cursor() as con:
        rows = con.execute(
            "SELECT function_name FROM duckdb_functions() "
            "UNION SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        ).fetchall()
    return frozenset(row[0].lower() for row in rows)


def quote(name: str) -> str:
    """An identifier, quoted."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("'", "''") + "'"


def quoted(names: tuple[str, ...] | list[str]) -> str:
    """Identifiers, quoted, separated by commas."""
    return ", ".join(quote(n) for n in names)
