"""Window table functions in FROM: the plain table takes their place."""

from __future__ import annotations

import datetime as dt

from sqlglot import exp

from velostream_nb.core.errors import ParseError, UnsupportedError
from velostream_nb.sql.aggregates import is_aggregate_call
from velostream_nb.sql.dialect import at_span, node_place, node_span, own_nodes
from velostream_nb.sql.spellings import SESSION_CALL
from velostream_nb.sql.window_calls import WindowCall, canonical_call, table_call

_FUNCTIONS = ("TUMBLE", "HOP", "CUMULATE", SESSION_CALL)


def table_windows(select: exp.Select, source: str) -> list[tuple[exp.Expr, WindowCall]]:
    """Replace each window table function of a SELECT's FROM and JOINs by its table; give both."""
    found: list[tuple[exp.Expr, WindowCall]] = []
    sources = [select.args.get("from_"), *(select.args.get("joins") or [])]
    tables = [item.this for item in sources if item is not None]
    tables += [join.this for table in tables for join in table.args.get("joins") or []]
    for table in tables:
        call = table.this if isinstance(table, exp.Table) else None
        if not isinstance(call, exp.Anonymous) or call.name.upper() not in _FUNCTIONS:
            continue
        data, window = table_call(call, source)
        plain = _plain_table(table, data, call, source)
        if len(tables) > 1 and isinstance(window.time, exp.Column) and not window.time.table:
            window.time.set("table", exp.to_identifier(plain.alias_or_name))
        found.append((plain, window))
    return found


def _plain_table(table: exp.Table, data: exp.Expr, call: exp.Anonymous, source: str) -> exp.Expr:
    """Put the table (or subquery) in the place of the call; the alias stays."""
    span = node_span(call)
    if isinstance(data, exp.Column) and not isinstance(data.this, exp.Star):
        parts = data.parts
        for key, part in zip(("this", "db", "catalog"), reversed(parts), strict=False):
            table.set(key, part.copy())
        return at_span(table, node_span(data))
    if isinstance(data, exp.Subquery | exp.Paren) and isinstance(data.this, exp.Query):
        new = at_span(exp.Subquery(this=data.this.copy()), span)
        for key, value in table.args.items():
            if key != "this" and value:
                new.set(key, value)
        table.replace(new)
        return new
    raise ParseError(
        "the first argument of a window table function is a table",
        hint="write FROM TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)",
        place=node_place(data, source) or node_place(call, source),
    )


def has_aggregate(part: exp.Expr) -> bool:
    """Whether a SELECT, or one expression of it, aggregates rows (an aggregate with OVER does not)."""
    return any(is_aggregate_call(node) and not _is_over(node) for node in own_nodes(part))


def annotate_rows(table: exp.Expr, window: WindowCall, source: str) -> None:
    """``SELECT … FROM TUMBLE(…)`` without aggregates: every row with its window_start and window_end.

    A tumbling window is a function of the row, so it is a projection below. Others give a row several windows: they
    stay a table function, ``VELO_HOP(table, time, …)``. A session is not known before its last row.
    """
    if window.name == "VELO_SESSION":
        raise UnsupportedError(
            "a session is known when its last row is, so it cannot annotate rows",
            hint="add aggregates and GROUP BY window_start, window_end, or list(…) of what the rows have",
            place=node_place(window.span_of, source),
        )
    if window.name != "VELO_TUMBLE" or not isinstance(window.time, exp.Column):
        _table_function(table, window)
        return
    size, offset = window.numbers
    time = exp.column(window.time.this.copy())
    origin = exp.cast(exp.Literal.string(_origin(offset)), "TIMESTAMP")
    start = exp.DateBin(this=_interval(size), expression=time, unit=origin)
    end = exp.Add(this=start.copy(), expression=_interval(size))
    inner = exp.select(exp.Star(), exp.alias_(start, "window_start"), exp.alias_(end, "window_end"))
    name = table.alias_or_name
    alias = table.args.get("alias")
    plain = table.copy()
    plain.set("alias", None)
    plain.set("joins", None)
    outer = at_span(exp.Subquery(this=inner.from_(plain)), node_span(window.span_of))
    outer.set("alias", alias.copy() if alias else exp.TableAlias(this=exp.to_identifier(name)))
    outer.set("joins", table.args.get("joins"))
    table.replace(outer)


def _table_function(table: exp.Expr, window: WindowCall) -> None:
    """``FROM s AS x`` becomes ``FROM VELO_HOP(s, time, …) AS x``."""
    call = canonical_call(window)
    plain = table.copy()
    for clause in ("alias", "joins"):
        plain.set(clause, None)
    data = plain
    if isinstance(plain, exp.Table):
        data = exp.Column(**dict(zip(("this", "table", "db"), reversed(plain.parts), strict=False)))
    if isinstance(window.time, exp.Column):
        call.set("expressions", [exp.column(window.time.this.copy()), *call.expressions[1:]])
    call.set("expressions", [data, *call.expressions])
    outer = at_span(exp.Table(this=call), node_span(window.span_of))
    outer.set("alias", exp.TableAlias(this=exp.to_identifier(table.alias_or_name)))
    outer.set("joins", table.args.get("joins"))
    table.replace(outer)


def _is_over(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        parent = parent.parent
    return isinstance(parent, exp.Window)


def _interval(us: int) -> exp.Interval:
    return exp.Interval(this=exp.Literal.string(str(us)), unit=exp.var("MICROSECOND"))


def _origin(offset_us: int) -> str:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=offset_us)).isoformat(sep=" ")
