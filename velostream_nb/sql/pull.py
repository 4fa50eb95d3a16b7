"""A bare SELECT, and expressions without rows, as DuckDB runs them: over what is retained, as of one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlglot import exp

from velostream_nb.core.errors import BindError, UnsupportedError
from velostream_nb.sql.dialect import NOW, WALL, node_place, own_nodes
from velostream_nb.sql.plan_aggregate import is_aggregated
from velostream_nb.sql.pull_windows import windows_as_rows
from velostream_nb.sql.query import outer_tables, table_name, topics_read
from velostream_nb.sql.statements import Query


def pull_sql(query: Query, now_us: int, views: Mapping[str, Query] | None = None) -> str:
    """DuckDB's SQL of a pull query; ``timestamp()`` and ``wall_clock()`` become `now_us`.

    A streaming window becomes a join of each row with its windows; a window function in WHERE filters after the windows
    are computed, as in a job.

    Args:
        views: by lower-case name, each after those it reads (`views_read`); they become WITH parts in front.

    Raises:
        UnsupportedError: a session window.
    """
    names = {name: f"__view_{number}" for number, name in enumerate(views or {})}
    tree = _runnable(query, names, now_us)
    parts = [
        exp.CTE(this=_runnable(view, names, now_us), alias=exp.TableAlias(this=exp.to_identifier(names[name])))
        for name, view in (views or {}).items()
    ]
    if parts:
        own = tree.args.get("with_")
        recursive = own is not None and bool(own.args.get("recursive"))
        parts += own.expressions if own is not None else []
        tree.set("with_", exp.With(expressions=parts, recursive=recursive))
    return str(tree.sql(dialect="duckdb"))


def views_read(query: Query, view: Callable[[str], Query | None]) -> dict[str, Query]:
    """The views that a query reads, and those that they read: by lower-case name, each after those it reads."""
    found: dict[str, Query] = {}

    def visit(of: Query) -> None:
        for name in topics_read(of.tree):
            inner = view(name)
            if inner is not None and name.lower() not in found:
                visit(inner)
                found[name.lower()] = inner

    visit(query)
    return found


def constant_sql(tree: exp.Expr, source: str, now_us: int) -> str:
    """DuckDB's SQL of an expression that reads no rows.

    Raises:
        BindError: it names a column.
    """
    for column in tree.find_all(exp.Column):
        quoted = isinstance(column.this, exp.Identifier) and column.this.args.get("quoted")
        hint = (
            f"write text in single quotes: '{column.name}'" if quoted else "write a value, or an expression of values"
        )
        raise BindError(
            f"{column.name!r} is a column, and there is no row here", hint=hint, place=node_place(column, source)
        )
    for query in tree.find_all(exp.Query):
        raise UnsupportedError(
            "a query cannot stand here",
            hint="write a value",
            place=node_place(query, source) or node_place(tree, source),
        )
    return str(_set_present(tree.copy(), now_us).sql(dialect="duckdb"))


def _runnable(query: Query, views: Mapping[str, str], now_us: int) -> exp.Query:
    """A copy that DuckDB can run; views go by the names of their WITH parts, which no other part has."""
    tree = query.tree.copy()
    for table in outer_tables(tree):
        name = table_name(table)
        if name.lower() in views:
            alias = table.alias or name
            for part in ("db", "catalog"):
                table.set(part, None)
            table.set("this", exp.to_identifier(views[name.lower()]))
            if not table.args.get("alias"):
                table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    for select in list(tree.find_all(exp.Select)):
        windows_as_rows(select, query.source)
        _filter_after_windows(select)
    _set_present(tree, now_us)
    return tree


def _filter_after_windows(select: exp.Select) -> None:
    """WHERE with a window function as QUALIFY, which filters the same rows and which DuckDB has."""
    where = select.args.get("where")
    if where is None or is_aggregated(select) or not any(isinstance(n, exp.Window) for n in own_nodes(where)):
        return
    qualify = select.args.get("qualify")
    condition = where.this if qualify is None else exp.and_(where.this, qualify.this)
    select.set("where", None)
    select.set("qualify", exp.Qualify(this=condition))


def _set_present(tree: exp.Expr, now_us: int) -> exp.Expr:
    """The present as a value, in place; gives the tree, or what stands in its place."""
    now = exp.Anonymous(this="make_timestamp", expressions=[exp.Literal.number(now_us)])
    for node in list(tree.find_all(exp.Anonymous)):
        if node.name.upper() in (NOW, WALL):
            new = now.copy()
            if node is tree:
                return new
            node.replace(new)
    return tree
