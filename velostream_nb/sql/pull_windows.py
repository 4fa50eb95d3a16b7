"""Streaming windows over rows that are all there: each row joined with the windows it lies in."""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.core.errors import UnsupportedError
from velostream_nb.sql.aggregates import is_aggregate_call
from velostream_nb.sql.dialect import node_place, own_nodes
from velostream_nb.sql.plan import Window
from velostream_nb.sql.plan_window import annotation, is_annotation, is_window_call

_OWN = {"window_start": "__start", "window_end": "__end"}
"""What a window gives to its SELECT, and how it is called in the relation of windows: the inputs may have the names."""
_ALIAS = "__w"


def windows_as_rows(select: exp.Select, source: str) -> None:
    """Rewrite the windows of one SELECT in place, so that DuckDB can group by them.

    Raises:
        UnsupportedError: a session window, or one whose time column is not named.
    """
    for item in [n for n in own_nodes(select) if isinstance(n, exp.Table) and is_annotation(n)]:
        item.replace(_annotated(item, source))
    group = select.args.get("group")
    if group is None:
        return
    for call in [item for item in group.expressions if is_window_call(item)]:
        window, time = _read(call, source)
        select.append("joins", exp.Join(this=_windows_of(window, time), kind="CROSS"))
        _qualify(select)
        columns = [exp.column(name, table=_ALIAS) for name in _OWN.values()]
        group.set("expressions", [*columns, *(item for item in group.expressions if item is not call)])


def _read(call: exp.Anonymous, source: str) -> tuple[Window, exp.Expr]:
    time, *numbers = call.expressions
    sizes = [int(number.name) for number in numbers]
    kind = call.name.upper()
    if kind == "VELO_SESSION":
        raise UnsupportedError(
            "session windows need a job",
            hint="START JOB sessions AS this query, and SELECT from sessions",
            place=node_place(call, source),
        )
    if not isinstance(time, exp.Column):
        raise UnsupportedError(
            "a window over retained rows needs its time column",
            hint="name it, such as TUMBLE(ts, INTERVAL '1' MINUTE); or START JOB … AS this query",
            place=node_place(call, source),
        )
    if kind == "VELO_TUMBLE":
        return Window(sizes[0], sizes[0], sizes[1]), time
    return Window(sizes[1], sizes[0], sizes[2], cumulate=kind == "VELO_CUMULATE"), time


def _annotated(item: exp.Table, source: str) -> exp.Subquery:
    """``FROM HOP(TABLE t, …) AS a``: every row once for each of its windows."""
    _read(exp.Anonymous(this=item.this.name, expressions=item.this.expressions[1:]), source)
    inner, column, window = annotation(item)
    assert column is not None  # by `_read`
    alias = inner.alias_or_name
    time = exp.column(column.name, table=alias, quoted=True)
    star = exp.Column(this=exp.Star(), table=exp.to_identifier(alias, quoted=True))
    bounds = [exp.alias_(exp.column(own, table=_ALIAS), name) for name, own in _OWN.items()]
    rows = exp.select(star, *bounds).from_(inner)
    rows.append("joins", exp.Join(this=_windows_of(window, time), kind="CROSS"))
    return exp.Subquery(this=rows, alias=exp.TableAlias(this=exp.to_identifier(item.alias or alias, quoted=True)))


def _windows_of(window: Window, time: exp.Expr) -> exp.Expr:
    """A lateral relation with the bounds of the windows that hold `time`; half-open, aligned to the offset."""
    us = f"epoch_us({time.sql(dialect='duckdb')})"
    step = window.size_us if window.cumulate else window.slide_us
    back = f"((({us} - {window.offset_us}) % {step} + {step}) % {step})"
    if window.cumulate:
        base = f"({us} - {back})"
        first = f"{base} + ({back} // {window.slide_us} + 1) * {window.slide_us}"
        ends = f"range({first}, {base} + {window.size_us} + 1, {window.slide_us})"
        body = f"SELECT make_timestamp({base}) AS __start, make_timestamp(unnest({ends})) AS __end"
    else:
        starts = f"range({us} - {back}, {us} - {window.size_us}, -{window.slide_us})"
        body = (
            f"SELECT make_timestamp(s) AS __start, make_timestamp(s + {window.size_us}) AS __end "
            f"FROM (SELECT unnest({starts}) AS s)"
        )
    parsed: exp.Expr = exp.maybe_parse(body, dialect="duckdb")
    return exp.Lateral(this=exp.Subquery(this=parsed), alias=exp.TableAlias(this=exp.to_identifier(_ALIAS)))


def _qualify(select: exp.Select) -> None:
    """``window_start`` outside of an aggregate means the SELECT's own window, whatever its inputs have."""
    for node in list(own_nodes(select)):
        if isinstance(node, exp.Column) and not node.table and node.name.lower() in _OWN and not _aggregated(node):
            own: exp.Expr = exp.column(_OWN[node.name.lower()], table=_ALIAS)
            if node.parent is select and node.arg_key == "expressions":
                own = exp.alias_(own, node.name)
            node.replace(own)


def _aggregated(node: exp.Expr) -> bool:
    parent = node.parent
    while parent is not None and not isinstance(parent, exp.Query):
        if is_aggregate_call(parent):
            return True
        parent = parent.parent
    return False
