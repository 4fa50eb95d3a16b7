"""Streaming windows of a tree to canonical form: one ``VELO_…`` call in the GROUP BY of the SELECT they belong to.

Works on one SELECT at a time, innermost first. `spellings` has made plain calls of all spellings before.
"""

from __future__ import annotations

from sqlglot import exp

from velostream_nb.core.errors import BindError, ParseError, UnsupportedError
from velostream_nb.sql.dialect import at_span, node_place, node_span, own_nodes, whole_number
from velostream_nb.sql.spellings import CLAUSE_PREFIX, SESSION_CALL
from velostream_nb.sql.window_calls import (
    CANONICAL,
    WindowCall,
    canonical_call,
    clause_call,
    group_call,
)
from velostream_nb.sql.window_tables import annotate_rows, has_aggregate, table_windows

WINDOW_COLUMNS = ("window_start", "window_end", "window_time")
"""What a window gives to its SELECT; ``window_time`` (Flink: its last millisecond) becomes an expression."""

_KINDS = ("TUMBLE", "HOP", "SESSION", "CUMULATE")
_PARTS = {"START": "window_start", "END": "window_end", "ROWTIME": "window_time", "PROCTIME": "window_time"}


def canonicalize_windows(tree: exp.Expr, source: str) -> None:
    """Rewrite every SELECT of a tree in place.

    Raises:
        ParseError: a window with wrong arguments, or where none can stand.
        BindError: ``TUMBLE_START(…)`` and the like of another window than the SELECT's.
        UnsupportedError: two windows in one SELECT; a SESSION table without an aggregate.
    """
    for select in reversed(list(tree.find_all(exp.Select))):
        _canonicalize(select, source)
    _refuse_leftovers(tree, source)


def _canonicalize(select: exp.Select, source: str) -> None:
    tables = table_windows(select, source)
    calls = [call for _, call in tables]
    clause = select.args.get("cluster")
    if clause is not None:
        select.set("cluster", None)
        calls += [clause_call(item, source) for item in clause.expressions]
    group = select.args.get("group")
    grouped = [item for item in group.expressions if _is_group_call(item)] if group else []
    calls += [group_call(item, source) for item in grouped]
    if not calls:
        return
    window = _only(calls, source)
    if tables and group is None and not has_aggregate(select):
        annotate_rows(tables[0][0], window, source)
        _name_columns(select, window, source, qualified_by=None)
        return
    for item in grouped:
        item.pop()
    _name_columns(select, window, source, qualified_by=tables[0][0] if tables else None)
    _group_by_window(select, window)


def _is_group_call(item: exp.Expr) -> bool:
    return isinstance(item, exp.Anonymous) and item.name.upper() in (*_KINDS, SESSION_CALL, *CANONICAL)


def _only(calls: list[WindowCall], source: str) -> WindowCall:
    first = calls[0]
    for other in calls[1:]:
        if canonical_call(other).sql() != canonical_call(first).sql():
            raise UnsupportedError(
                "a SELECT has one window, and here is a second one",
                hint="aggregate each window in a WITH part of its own, then join them",
                place=node_place(other.span_of, source),
            )
    return first


def _group_by_window(select: exp.Select, window: WindowCall) -> None:
    """Put the call first in GROUP BY; window columns go, session keys come in when they are missing."""
    group = select.args.get("group")
    if group is None:
        group = exp.Group()
        select.set("group", group)
    if group.args.get("all"):
        group.set("all", None)
        plain = [p.unalias() for p in select.expressions if not has_aggregate(p) and not _constant(p)]
        group.set("expressions", [p.copy() for p in plain])
    kept = [_resolved(item, select) for item in group.expressions if not _names_window(item, select)]
    there = {item.sql() for item in kept}
    kept += [key for key in window.keys if key.sql() not in there]
    group.set("expressions", [canonical_call(window), *kept])


def _resolved(item: exp.Expr, select: exp.Select) -> exp.Expr:
    """A GROUP BY item without numbers: ``1`` is the first column of the SELECT."""
    projections: list[exp.Expr] = select.expressions
    number = whole_number(item)
    if number is not None and 1 <= number <= len(projections):
        return projections[number - 1].unalias().copy()
    return item


def _constant(item: exp.Expr) -> bool:
    return item.find(exp.Column, exp.Star) is None


def _names_window(item: exp.Expr, select: exp.Select) -> bool:
    """Whether a GROUP BY item is a column of the window: by name, by its alias, or by its number."""
    item = _resolved(item, select)
    if isinstance(item, exp.Column) and not item.table and not _is_window_column(item):
        named = [p.this for p in select.expressions if p.alias.lower() == item.name.lower()]
        item = named[0] if named else item
    return _is_window_column(item) or item == _window_time()


def _is_window_column(item: exp.Expr) -> bool:
    return isinstance(item, exp.Column) and not item.table and item.name.lower() in WINDOW_COLUMNS


def _window_time() -> exp.Expr:
    unit = exp.Interval(this=exp.Literal.string("1"), unit=exp.var("MILLISECOND"))
    return exp.Paren(this=exp.Sub(this=exp.column("window_end"), expression=unit))


def _name_columns(select: exp.Select, window: WindowCall, source: str, *, qualified_by: exp.Expr | None) -> None:
    """``TUMBLE_START(…)`` and ``w.window_start`` become the plain column; ``window_time`` becomes its expression."""
    alias = qualified_by.alias_or_name.lower() if qualified_by is not None else None
    for node in list(own_nodes(select)):
        if isinstance(node, exp.Anonymous):
            kind, _, part = node.name.upper().rpartition("_")
            if kind in _KINDS and part in _PARTS:
                _check_same(node, kind, window, source)
                _put(node, _PARTS[part], select)
        elif isinstance(node, exp.Column) and node.name.lower() in WINDOW_COLUMNS:
            if alias is not None and node.table.lower() == alias:
                _put(node, node.name.lower(), select)
            elif node.name.lower() == "window_time" and not node.table and window.table:
                _put(node, "window_time", select)


def _put(node: exp.Expr, name: str, select: exp.Select) -> None:
    span = node_span(node)
    if name == "window_time":
        new = _window_time()
        if node.parent is select and node.arg_key == "expressions":
            new = exp.alias_(new, name)
    else:
        new = exp.column(name)
    node.replace(at_span(new, span))


def _check_same(node: exp.Anonymous, kind: str, window: WindowCall, source: str) -> None:
    """``TUMBLE_START(ts, INTERVAL …)`` must repeat the arguments of the window it speaks of, or have none."""
    if not node.expressions:
        return
    asked = group_call(exp.Anonymous(this=kind, expressions=[e.copy() for e in node.expressions]), source)
    if (asked.name, asked.numbers) != (window.name, window.numbers):
        raise BindError(
            f"{node.name.upper()} speaks of another window than the one of this SELECT",
            hint="give it the same arguments, or write window_start and window_end",
            place=node_place(node, source),
        )


def _refuse_leftovers(tree: exp.Expr, source: str) -> None:
    for cluster in tree.find_all(exp.Cluster):
        raise ParseError("a WINDOW clause belongs to a SELECT with FROM", place=node_place(cluster, source))
    for node in tree.find_all(exp.Anonymous):
        name = node.name.upper()
        kind, _, part = name.rpartition("_")
        if kind in _KINDS and part in _PARTS:
            raise BindError(
                f"{name} needs its window in the same SELECT",
                hint=f"add {kind}(…) to GROUP BY",
                place=node_place(node, source),
            )
        if name in (*_KINDS, SESSION_CALL) or name.startswith(CLAUSE_PREFIX):
            shown = "SESSION" if name == SESSION_CALL else name
            raise ParseError(
                f"{shown}(…) cannot stand here",
                hint=f"write it in GROUP BY, or FROM {shown}(TABLE s, DESCRIPTOR(ts), …)",
                place=node_place(node, source),
            )
        if name in CANONICAL and not isinstance(node.parent, exp.Group | exp.Table):
            raise ParseError(f"{name}(…) belongs in GROUP BY", place=node_place(node, source))
