"""Window functions of a changelog: the partitions that change are answered anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.plan import Keyed, Node
from velostream_nb.sql.plan_changes import KEY, ttl_us
from velostream_nb.sql.plan_over_function import NUMBERED, in_frame_order, name_of
from velostream_nb.sql.plan_over_top import rank_limit
from velostream_nb.sql.scope import conjoin, conjuncts, is_column, named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner


def plan_over_changes(
    planner: Planner, node: Node, items: Items, where: list[exp.Expr], qualify: list[exp.Expr]
) -> Node:
    """Plan a block over a changelog: any window function, order and frame, over the rows that are there."""
    node = planner.filtered(node, where)
    conditions = [c for q in qualify for c in conjuncts(q)]
    windows = [w for tree in (*(e for e, _ in items), *conditions) for w in tree.find_all(exp.Window)]
    if not windows:
        return planner.filtered(planner.project(node, items, []), conditions)
    by = _common(windows)
    made: Items = [(_settled(e, node), name) for e, name in items]
    settled = [_settled(c, node) for c in conditions]
    columns = ", ".join(f"{text(e)} AS {text(named(name))}" for e, name in made)
    condition = conjoin(settled)
    return Keyed(
        inputs=(node,),
        columns=tuple(name for _, name in items),
        pos=(),
        time={},
        changes=True,
        key=_key(planner, node, items, conditions),
        by=(tuple(text(e) for e in by),),
        sql=f"SELECT {columns}, {KEY} FROM __in0 AS __in" + (f" QUALIFY {condition}" if condition else ""),
        what=f"over on changes: {', '.join(dict.fromkeys(text(w) for w in windows))}",
        ttl_us=ttl_us(planner),
    )


def _common(windows: list[exp.Window]) -> list[exp.Expr]:
    """What all of them partition by."""
    first, *others = [w.args.get("partition_by") or [] for w in windows]
    return [e for e in first if all(any(e == o for o in other) for other in others)]


def _settled(tree: exp.Expr, node: Node) -> exp.Expr:
    """Where an order leaves open which of two rows comes first, their other values decide."""
    rows: list[exp.Expr] = [exp.Ordered(this=named(c)) for c in node.columns]

    def visit(window: exp.Expr) -> exp.Expr:
        if not isinstance(window, exp.Window):
            return window
        name, spec = name_of(window.this), window.args.get("spec")
        written = window.args["order"].expressions if window.args.get("order") else []
        order = [*(o.copy() for o in written), *(r.copy() for r in rows)]
        if name in NUMBERED or (spec is not None and spec.text("kind").upper() == "ROWS"):
            window.set("order", exp.Order(expressions=order))
        else:
            window.set("this", in_frame_order(window.this, order))
        return window

    return tree.copy().transform(visit, copy=False)


def _key(planner: Planner, node: Node, items: Items, conditions: list[exp.Expr]) -> tuple[str, ...] | None:
    """The input's key, when it is selected; else what ROW_NUMBER makes unique."""
    own = planner.project(node, items, []).key
    limit = rank_limit(conditions, items)
    if own is not None or limit is None or not isinstance(limit.window.this, exp.RowNumber):
        return own
    names = {c: name for e, name in reversed(items) if (c := is_column(e, node.columns)) is not None}
    keys = [is_column(e, node.columns) for e in limit.window.args.get("partition_by") or []]
    found = [names[k] for k in keys if k is not None and k in names]
    if limit.most > 1:
        found += [name for e, name in items if e.unnest() == limit.window][:1]
    return tuple(found) if len(found) == len(keys) + (limit.most > 1) else None
