"""Plans whose answer changes: GROUP BY without a window, DISTINCT, set operations, LIMIT, joins of changelogs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.records import TS
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.plan import Group, Keyed, Node, Project, TopN, Union
from velostream_nb.sql.scope import Scope, columns_of, is_column, named, text

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


def _warn(planner: Planner, what: str, keeps: str) -> None:
    if ttl_us(planner) is None:
        planner.note(f"{what} keeps {keeps} for ever; 'state.ttl' bounds it")


def group(
    planner: Planner,
    node: Node,
    keys: Items,
    aggregates: Items,
    *,
    mergeable: bool = True,
    sets: Sequence[Sequence[str]] | None = None,
) -> Node:
    """GROUP BY without a window, as a changelog keyed by the group; no keys: one row.

    Args:
        keys, aggregates: bound expressions over the node's columns, with the names of the columns they make.
        mergeable: the aggregates' states may be combined (none has DISTINCT or ORDER BY inside).
        sets: GROUPING SETS, each a list of key names; None: one set, of all the keys.
    """
    if sets is not None:
        return _grouping_sets(planner, node, keys, aggregates, mergeable, sets)
    if keys:
        _warn(planner, "GROUP BY without a window", "every group")
    names = tuple(n for _, n in (*keys, *aggregates))
    key = tuple(n for _, n in keys)
    if not node.changes:
        return Group(
            inputs=(node,),
            columns=names,
            pos=(),
            time={},
            changes=True,
            key=key,
            keys=tuple((text(e), n) for e, n in keys),
            aggregates=tuple((text(e), n) for e, n in aggregates),
            mergeable=mergeable,
            ttl_us=ttl_us(planner),
        )
    items = ", ".join(f"{text(e)} AS {text(named(n))}" for e, n in (*keys, *aggregates))
    by = ", ".join(f"({text(e)})" for e, _ in keys)
    grouped = f" GROUP BY {by}, {KEY}" if keys else ""
    last = f"{KEY}" if keys else f"coalesce(any_value({KEY}), 0) AS {KEY}"
    select = f"{items}, {last}" if items else last
    return Keyed(
        inputs=(node,),
        columns=names,
        pos=(),
        time={},
        changes=True,
        key=key,
        by=(tuple(text(e) for e, _ in keys),),
        sql=f"SELECT {select} FROM __in0 AS __in{grouped}",
        what=f"group by {', '.join(text(e) for e, _ in keys) or '()'}",
        ttl_us=ttl_us(planner),
    )


def _grouping_sets(
    planner: Planner,
    node: Node,
    keys: Items,
    aggregates: Items,
    mergeable: bool,
    sets: Sequence[Sequence[str]],
) -> Node:
    """One group a set; a key that a set leaves out is NULL there. No columns tell the rows of two sets apart."""
    columns = [n for _, n in (*keys, *aggregates)]
    parts = []
    for chosen in sets:
        mine = [(e, n) for e, n in keys if n in chosen]
        part = group(planner, node, mine, aggregates, mergeable=mergeable)
        items = [(named(n) if n in part.columns else exp.null(), n) for n in columns]
        parts.append(planner.project(part, items, []))
    return union_all(parts) if len(parts) > 1 else parts[0]


def distinct(planner: Planner, node: Node) -> Node:
    """SELECT DISTINCT: append-only when event time is among the columns, else a changelog keyed by all of them."""
    from velostream_nb.sql.plan_over import plan_over  # noqa: PLC0415  (it plans selects of its own through here)

    items: Items = [(named(c), c) for c in node.columns]
    if not node.changes and any(lag == 0 for lag in node.time.values()):
        number = exp.Window(this=exp.RowNumber(), partition_by=[e.copy() for e, _ in items])
        first = exp.EQ(this=number, expression=exp.Literal.number(1))
        return plan_over(planner, node, items, [], [first], [])
    _warn(planner, "DISTINCT", "every distinct row")
    return group(planner, node, items, [])


def union_all(parts: Sequence[Node]) -> Node:
    """UNION ALL of nodes with equal column names, all append-only or all changelogs."""
    first = parts[0]
    if first.changes:
        return Union(inputs=tuple(parts), columns=first.columns, pos=(), time={}, changes=True)
    width = max(len(p.pos) for p in parts)
    time = {
        c: max(p.time[c] for p in parts) for c in first.columns if all(c in p.time for p in parts)
    }
    pos = ("__pos", *(f"__pos{i}" for i in range(1, width + 1)))
    return Union(inputs=tuple(parts), columns=first.columns, pos=pos, time=time)


def set_operation(planner: Planner, tree: exp.SetOperation, sides: tuple[Node, Node]) -> Node:
    """UNION, EXCEPT, INTERSECT, each with or without ALL or BY NAME."""
    left, right = _aligned(planner, tree, sides)
    if left.changes != right.changes or not isinstance(tree, exp.Union):
        left, right = planner.changes(left), planner.changes(right)
    if isinstance(tree, exp.Union):
        both = union_all((left, right))
        return distinct(planner, both) if tree.args.get("distinct") else both
    word = tree.key.upper()
    _warn(planner, word, "the rows of both sides")
    plain = ", ".join(text(named(c)) for c in left.columns)
    other = ", ".join(text(named(c)) for c in right.columns)
    every = bool(tree.args.get("distinct"))
    return Keyed(
        inputs=(left, right),
        columns=left.columns,
        pos=(),
        time={},
        changes=True,
        key=left.columns if every else None,
        by=(tuple(text(named(c)) for c in left.columns), tuple(text(named(c)) for c in right.columns)),
        sql=f"SELECT {plain}, {KEY} FROM __in0 {word}{'' if every else ' ALL'} SELECT {other}, {KEY} FROM __in1",
        what=f"{word.lower()}{'' if every else ' all'}",
        ttl_us=ttl_us(planner),
    )


def _aligned(planner: Planner, tree: exp.SetOperation, sides: tuple[Node, Node]) -> tuple[Node, Node]:
    """The sides with the column names (and, BY NAME, the order) of the left one."""
    left, right = sides
    if tree.args.get("by_name"):
        columns = [*left.columns, *(c for c in right.columns if c.lower() not in {n.lower() for n in left.columns})]
        return _by_name(planner, left, columns), _by_name(planner, right, columns)
    if len(left.columns) != len(right.columns):
        planner.refuse(
            f"the sides of {tree.key.upper()} have {len(left.columns)} and {len(right.columns)} columns",
            "select as many columns on both sides, or write UNION ALL BY NAME",
            tree,
        )
    items: Items = [(named(c), name) for c, name in zip(right.columns, left.columns, strict=True)]
    return left, planner.project(right, items, [])


def _by_name(planner: Planner, node: Node, columns: list[str]) -> Node:
    own = {c.lower(): c for c in node.columns}
    items: Items = [(named(own[c.lower()]) if c.lower() in own else exp.null(), c) for c in columns]
    return planner.project(node, items, [])


def limit(planner: Planner, node: Node, order: list[exp.Expr], count: int | None, offset: int) -> Node:
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
    names = (dict(left_pairs), dict(right_pairs))
    _warn(planner, f"the {kind} join of changelogs", "the rows of both sides")
    shown = left_pairs if kind in ("semi", "anti") else (*left_pairs, *right_pairs)
    on = [f"__l.{KEY} = __r.{KEY}"]
    on += [f"{text(named(names[0][a]))} = {text(named(names[1][b]))}" for a, b in equal]
    on += [f"({condition})"] if condition else []
    key = f"__l.{KEY}" if kind in ("semi", "anti") else f"coalesce(__l.{KEY}, __r.{KEY}) AS {KEY}"
    columns = ", ".join(text(named(o)) for _, o in shown)
    return Keyed(
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
        what=f"{'join' if kind == 'inner' else kind + ' join'} on "
        + (", ".join(f"{names[0][a]} = {names[1][b]}" for a, b in equal) or condition or "every pair"),
        ttl_us=ttl_us(planner),
    )


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
    return None if own[0] is None or own[1] is None else (*own[0], *own[1])


def merged_keys(node: Node) -> dict[str, str]:
    """Of a full join: columns of both sides that are equal where both are there, so that COALESCE of them is one key."""
    return {}


def order_of(scope: Scope, tree: exp.Expr, items: Items, node: Node) -> list[exp.Expr]:
    """ORDER BY items over the block's output: names of its columns, numbers, or expressions of them."""
    found = []
    for ordered in tree.expressions:
        body = ordered.this
        if isinstance(body, exp.Literal) and not body.is_string and 1 <= int(body.name) <= len(items):
            body = named(items[int(body.name) - 1][1])
        else:
            body = _over_output(scope, body, items, node)
        copy = ordered.copy()
        copy.set("this", body)
        found.append(copy)
    return found


def _over_output(scope: Scope, body: exp.Expr, items: Items, node: Node) -> exp.Expr:
    bound = scope.bind(body, {n.lower() for _, n in items})

    def visit(part: exp.Expr) -> exp.Expr:
        for expression, name in items:
            if part == expression:
                return named(name)
        if isinstance(part, exp.Column) and not part.this.args.get("quoted"):
            match = next((n for _, n in items if n.lower() == part.name.lower()), None)
            return named(match) if match else part
        return part

    rewritten = bound.transform(visit)
    missing = columns_of(rewritten) - set(node.columns)
    if missing and is_column(rewritten, node.columns) is None:
        return exp.column(sorted(missing)[0])
    return rewritten
