"""The SELECT list: every item with its name, stars unfolded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.errors import BindError, did_you_mean
from velostream_nb.sql.plan_aggregate import WINDOW_COLUMNS, is_aggregated
from velostream_nb.sql.scope import Scope, named, stream_time, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner


def select_items(planner: Planner, tree: exp.Select, scope: Scope) -> Items:
    """The bound items of a SELECT, with their names; BindError when two have one name."""
    aliases = {e.alias.lower() for e in tree.expressions if isinstance(e, exp.Alias)}
    if is_aggregated(tree):
        aliases |= set(WINDOW_COLUMNS)
    items: Items = []
    for number, item in enumerate(tree.expressions, start=1):
        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            items += _star(planner, item, scope)
            continue
        body = item.this if isinstance(item, exp.Alias) else item
        bound = scope.bind(body, aliases)
        name = item.alias if isinstance(item, exp.Alias) else output_name(body, number)
        if isinstance(body, exp.Anonymous) and body.name.upper() == "VELO_NOW":
            bound = stream_time()
        items.append((bound, name))
    return _distinct(planner, items, tree)


def output_name(body: exp.Expr, number: int) -> str:
    """What an item without AS is called; `number` counts from 1."""
    if isinstance(body, exp.Column):
        return str(body.name)
    if isinstance(body, exp.Anonymous) and body.name.upper() == "VELO_NOW":
        return "timestamp"
    written = text(body).lower()
    return written if len(written) <= 60 else f"column_{number}"


def _star(planner: Planner, star: exp.Expr, scope: Scope) -> Items:
    body = star.this if isinstance(star, exp.Column) else star
    table = star.table.lower() if isinstance(star, exp.Column) else ""
    inputs = [i for i in scope.inputs if not table or i.alias.lower() == table]
    if not inputs:
        hint = did_you_mean(table, [i.alias for i in scope.inputs])
        raise BindError(f"unknown table or alias {table!r}", hint=hint, place=planner.locate(star))
    dropped = {e.name.lower() for e in body.args.get("except_") or []}
    replaced = {e.alias.lower(): e.this for e in body.args.get("replace") or []}
    if body.args.get("rename"):
        planner.refuse("SELECT * RENAME is not supported in a job", "list the columns with AS", star)
    items: Items = []
    seen: dict[str, int] = {}
    given: set[str] = set()
    for item in inputs:
        for key, own in item.internal.items():
            merged = None if table else scope.merged.get(key)
            internal = own if merged is None or own not in merged.members else merged.internal
            if key in dropped or (merged is not None and internal in given):
                continue
            given.add(internal)
            scope.used(own)
            expression = scope.bind(replaced[key]) if key in replaced else named(internal)
            count = seen.get(key, 0)
            seen[key] = count + 1
            items.append((expression, item.names[key] + (f"_{count}" if count else "")))
    return items


def _distinct(planner: Planner, items: Items, tree: exp.Select) -> Items:
    seen: set[str] = set()
    for position, (_, name) in enumerate(items):
        if name.lower() in seen:
            node = tree.expressions[min(position, len(tree.expressions) - 1)]
            raise BindError(
                f"two output columns are named {name!r}",
                hint="give one of them another name with AS",
                place=planner.locate(node),
            )
        seen.add(name.lower())
    return items
