"""Plans whose answer changes: GROUP BY without a window, UNION ALL, LIMIT, joins of changelogs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from sqlglot import exp

from velostream_nb.core.records import TS
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.plan import ChangesJoin, Group, GroupChanges, Keyed, Node, Project, Tally, TopN, Union
from velostream_nb.sql.plan_one_row import one_row_join
from velostream_nb.sql.scope import named, text
from velostream_nb.sql.tallied import tallies_of

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner

KEY = "__key"
"""What `Keyed.sql` selects last: the key's hash, a column of every ``__in``."""

Pairs = tuple[tuple[str, str], ...]

_KINDS = {
    "inner": "JOIN", "left": "LEFT JOIN", "right": "RIGHT JOIN", "full": "FULL JOIN",
    "semi": "SEMI JOIN", "anti": "ANTI JOIN",
}  # fmt: skip


def ttl_us(planner: Planner) -> int | None:
    """How long unbounded state is kept ('state.ttl'), None for ever."""
    value = planner.settings.get("state.ttl")
    return None if value is None else parse_duration_us(value)


def warn_unbounded(planner: Planner, what: str, keeps: str) -> None:
    """Tell the user that the operator's state grows with its input, unless 'state.ttl' bounds it."""
    if ttl_us(planner) is None:
        planner.note(f"{what} keeps {keeps} for ever; 'state.ttl' bounds it")


class _Groups(TypedDict):
    keys: Pairs
    aggregates: Pairs
    tallies: tuple[Tally, ...]
    ttl_us: int | None


def group(
    planner: Planner,
    node: Node,
    keys: Items,
    aggregates: Items,
    *,
    mergeable: bool = True,
    sets: Sequence[Sequence[str]] | None = None,
    groupings: Sequence[tuple[str, Sequence[str]]] = (),
) -> Node:
    """GROUP BY without a window, as a changelog keyed by the group; no keys: one row.

    Args:
        keys, aggregates: bound expressions over the node's columns, with the names of the columns they make.
        mergeable: the aggregates' states may be combined (none has DISTINCT or ORDER BY inside).
        sets: GROUPING SETS, each a list of key names; None: one set, of all the keys.
        groupings: with `sets`: a further column for every GROUPING() call, with the key names it is about.
    """
    if sets is not None:
        return _grouping_sets(planner, node, keys, aggregates, mergeable, sets, groupings)
    if not mergeable:
        calls = ", ".join(text(e) for e, _ in aggregates)
        warn_unbounded(planner, f"{calls} without a window", "the rows of every group")
    elif keys:
        warn_unbounded(planner, "GROUP BY without a window", "every group")
    names = tuple(n for _, n in (*keys, *aggregates))
    key = tuple(n for _, n in keys)
    groups = _Groups(
        keys=tuple((text(e), n) for e, n in keys),
        aggregates=tuple((text(e), n) for e, n in aggregates),
        tallies=tallies_of([e for e, _ in aggregates]),
        ttl_us=ttl_us(planner),
    )
    if not node.changes:
        return Group(
            inputs=(node,), columns=names, pos=(), time={}, changes=True, key=key, mergeable=mergeable, **groups
        )
    items = ", ".join(f"{text(e)} AS {text(named(n))}" for e, n in (*keys, *aggregates))
    by = ", ".join(f"({text(e)})" for e, _ in keys)
    grouped = f" GROUP BY {by}, {KEY}" if keys else ""
    last = f"{KEY}" if keys else f"coalesce(any_value({KEY}), 0) AS {KEY}"
    select = f"{items}, {last}" if items else last
    return GroupChanges(
        inputs=(node,),
        columns=names,
        pos=(),
        time={},
        changes=True,
        key=key,
        by=(tuple(text(e) for e, _ in keys),),
        sql=f"SELECT {select} FROM __in0 AS __in{grouped}",
        what=f"group by {', '.join(text(e) for e, _ in keys) or '()'}",
        **groups,
    )


def _grouping_sets(
    planner: Planner,
    node: Node,
    keys: Items,
    aggregates: Items,
    mergeable: bool,
    sets: Sequence[Sequence[str]],
    groupings: Sequence[tuple[str, Sequence[str]]],
) -> Node:
    """One group a set; a key that a set leaves out is NULL there. No columns tell the rows of two sets apart."""
    columns = [n for _, n in (*keys, *aggregates)]
    parts = []
    for chosen in sets:
        mine = [(e, n) for e, n in keys if n in chosen]
        part = group(planner, node, mine, aggregates, mergeable=mergeable)
        items: Items = [(named(n) if n in part.columns else exp.null(), n) for n in columns]
        for name, asked in groupings:  # a bit a key, the last one lowest: 1 where the set leaves it out
            bits = "".join("0" if key in chosen else "1" for key in asked)
            items.append((exp.Literal.number(int(bits, 2)), name))
        parts.append(planner.project(part, items, []))
    return union_all(parts) if len(parts) > 1 else parts[0]


def union_all(parts: Sequence[Node]) -> Node:
    """UNION ALL of nodes with equal column names, all append-only or all changelogs."""
    first = parts[0]
    if first.changes:
        return Union(inputs=tuple(parts), columns=first.columns, pos=(), time={}, changes=True)
    width = max(len(p.pos) for p in parts)
    time = {c: max(p.time[c] for p in parts) for c in first.columns if all(c in p.time for p in parts)}
    pos = ("__pos", *(f"__pos{i}" for i in range(1, width + 1)))
    return Union(inputs=tuple(parts), columns=first.columns, pos=pos, time=time)


def limit(node: Node, order: list[exp.Expr], count: int | None, offset: int) -> Node:
    """ORDER BY … LIMIT n OFFSET m over everything so far: the rows that are in it now, as a changelog."""
    below = [] if count is None else [f"__rank <= {count + offset}"]
    by = ", ".join(text(o) for o in order)
    if node.changes:
        ordered = f" ORDER BY {by}" if by else ""
        size = "" if count is None else f" LIMIT {count}"
        skipped = f" OFFSET {offset}" if offset else ""
        columns = ", ".join(text(named(c)) for c in node.columns)
        return Keyed(
            inputs=(node,),
            columns=node.columns,
            pos=(),
            time={},
            changes=True,
            key=node.key,
            by=((),),
            sql=f"SELECT {columns}, {KEY} FROM __in0{ordered}{size}{skipped}",
            what=f"limit{size.lower()}{ordered.lower()}",
        )
    ties = ", ".join(text(named(c)) for c in (TS, *node.pos))
    top = TopN(
        inputs=(node,),
        columns=(*node.columns, "__n"),
        pos=(),
        time={},
        changes=True,
        key=("__n",),
        items=(*((text(named(c)), c) for c in node.columns), ("__rank", "__n")),
        rank=f"row_number() OVER (ORDER BY {', '.join(filter(None, (by, ties)))})",
        condition=" AND ".join(below) or "TRUE",
        partition=(),
    )
    return Project(
        inputs=(top,),
        columns=node.columns,
        pos=(),
        time={},
        changes=True,
        items=tuple((text(named(c)), c) for c in node.columns),
        where=f"__n > {offset}" if offset else None,
    )


def regular_join(
    planner: Planner,
    kind: str,
    left: Node,
    right: Node,
    left_pairs: Pairs,
    right_pairs: Pairs,
    equal: Sequence[tuple[str, str]],
    condition: str,
) -> Node:
    """A join over all rows of both sides, ever: a changelog.

    Args:
        kind: 'inner', 'left', 'right', 'full', 'semi' or 'anti'.
        left_pairs, right_pairs: (input column, output column).
        equal: (left column, right column) compared with ``=``, under their input names.
        condition: over output names, '' for none but the equalities.
    """
    if right.key == () and right.changes and not equal and kind in ("inner", "left", "semi", "anti"):
        return one_row_join(planner, kind, left, right, left_pairs, right_pairs, condition)
    names = (dict(left_pairs), dict(right_pairs))
    warn_unbounded(planner, f"the {kind} join of changelogs", "the rows of both sides")
    shown = left_pairs if kind in ("semi", "anti") else (*left_pairs, *right_pairs)
    on = [f"__l.{KEY} = __r.{KEY}"]
    on += [f"{text(named(names[0][a]))} = {text(named(names[1][b]))}" for a, b in equal]
    on += [f"({condition})"] if condition else []
    key = f"__l.{KEY}" if kind in ("semi", "anti") else f"coalesce(__l.{KEY}, __r.{KEY}) AS {KEY}"
    columns = ", ".join(text(named(o)) for _, o in shown)
    what = ", ".join(f"{names[0][a]} = {names[1][b]}" for a, b in equal) or condition or "every pair"
    made = _Joined(
        inputs=(planner.changes(left), planner.changes(right)),
        columns=tuple(o for _, o in shown),
        pos=(),
        time={},
        changes=True,
        key=_joined_key(kind, left, right, names, equal),
        by=(tuple(text(named(a)) for a, _ in equal), tuple(text(named(b)) for _, b in equal)),
        sql=(
            f"SELECT {columns}, {key} FROM {_renamed(0, left_pairs)} AS __l "
            f"{_KINDS[kind]} {_renamed(1, right_pairs)} AS __r ON {' AND '.join(on)}"
        ),
        what=f"{'join' if kind == 'inner' else kind + ' join'} on {what}",
    )
    # rows that are forgotten one by one, and what may not say the same twice, are left to answers that are kept
    if kind == "inner" and equal and ttl_us(planner) is None and _is_steady(condition):
        return ChangesJoin(left_columns=left_pairs, right_columns=right_pairs, condition=condition, **made)
    return Keyed(ttl_us=ttl_us(planner), **made)


class _Joined(TypedDict):
    inputs: tuple[Node, ...]
    columns: tuple[str, ...]
    pos: tuple[str, ...]
    time: dict[str, int]
    changes: bool
    key: tuple[str, ...] | None
    by: tuple[tuple[str, ...], ...]
    sql: str
    what: str


_STEADY = (exp.Connector, exp.Cast, exp.Coalesce, exp.Abs, exp.Greatest, exp.Least, exp.Round, exp.Lower, exp.Upper)


def _is_steady(condition: str) -> bool:
    """Does the condition surely say the same of the same rows at any time?"""
    if not condition:
        return True
    tree: exp.Expr = exp.maybe_parse(condition, dialect="duckdb")
    calls = tree.find_all(exp.Func, exp.Subquery)
    return all(isinstance(call, _STEADY) for call in calls)


def _renamed(number: int, pairs: Pairs) -> str:
    columns = "".join(f"{text(named(c))} AS {text(named(o))}, " for c, o in pairs)
    return f"(SELECT {columns}{KEY} FROM __in{number})"


def _joined_key(
    kind: str, left: Node, right: Node, names: tuple[dict[str, str], dict[str, str]], equal: Sequence[tuple[str, str]]
) -> tuple[str, ...] | None:
    """Output columns that no two joined rows share."""
    own = [
        None if node.key is None else tuple(renamed[k] for k in node.key)
        for node, renamed in zip((left, right), names, strict=True)
    ]
    if kind in ("semi", "anti"):
        return own[0]
    one_right = right.key is not None and set(right.key) <= {b for _, b in equal}
    one_left = left.key is not None and set(left.key) <= {a for a, _ in equal}
    if kind in ("inner", "left") and one_right:
        return own[0]
    if kind in ("inner", "right") and one_left:
        return own[1]
    if kind != "inner" or own[0] is None or own[1] is None:
        return None  # two rows of a full join may both have NULL in every key column
    return (*own[0], *own[1])


ORDER_BY = "__o"
"""Begins the names of columns that only ORDER BY needs."""


def sorted_by_output(tree: exp.Select) -> exp.Select:
    """The SELECT with every ORDER BY item among its own columns, those that are not as `ORDER_BY` columns.

    ORDER BY, LIMIT and OFFSET themselves are left out.
    """
    order = tree.args.get("order")
    plain = tree.copy()
    for clause in ("order", "limit", "offset"):
        plain.set(clause, None)
    if order is None or tree.args.get("distinct"):
        return plain
    shown = {e.alias_or_name.lower() for e in tree.expressions}
    for number, ordered in enumerate(order.expressions):
        body = ordered.this
        if not _is_output(body, shown):
            plain.append("expressions", exp.alias_(body.copy(), f"{ORDER_BY}{number}", quoted=True))
    return plain


def _is_output(body: exp.Expr, shown: set[str]) -> bool:
    """A number, or the name of an output column."""
    if isinstance(body, exp.Literal) and not body.is_string:
        return True
    return isinstance(body, exp.Column) and not body.table and body.name.lower() in shown


def order_of(order: exp.Expr | None, node: Node) -> list[exp.Expr]:
    """ORDER BY over the columns of a block made with `sorted_by_output`."""
    names = {c.lower(): c for c in node.columns}
    found = []
    for number, ordered in enumerate(order.expressions if order is not None else []):
        body, own = ordered.this, f"{ORDER_BY}{number}"
        if own in names:
            column = own
        elif isinstance(body, exp.Literal):
            column = node.columns[int(body.name) - 1] if 1 <= int(body.name) <= len(names) else body.name
        else:
            column = names.get(body.name.lower(), body.name)
        copy = ordered.copy()
        copy.set("this", named(column))
        found.append(copy)
    return found
