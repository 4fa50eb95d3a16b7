"""GROUP BY: which window, which keys, which aggregates. Groups without a window are a changelog (`plan_changes`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp

from velostream_nb.core.errors import UnsupportedError
from velostream_nb.core.records import TS
from velostream_nb.sql.aggregates import expanded, is_aggregate_call, is_wrapped, ordered_call, ungrouped
from velostream_nb.sql.dialect import VeloDialect
from velostream_nb.sql.grouping import grouping_sets
from velostream_nb.sql.plan import Node
from velostream_nb.sql.plan_changes import group
from velostream_nb.sql.plan_grouped import Groups, windowed
from velostream_nb.sql.plan_over import has_window
from velostream_nb.sql.plan_window import (
    WINDOW_COLUMNS,
    Windowing,
    has_window_call,
    is_window_call,
    retimed,
    window_of_call,
    window_of_filter,
    window_of_instants,
    window_of_key,
)
from velostream_nb.sql.scope import Scope, inlined, is_column, named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner

__all__ = ["WINDOW_COLUMNS", "aggregate", "is_aggregate_call", "is_aggregated", "own_columns"]

Block = tuple[Node, "Items", list[exp.Expr], list[exp.Expr]]


def is_aggregated(tree: exp.Select) -> bool:
    """GROUP BY, HAVING, or an aggregate that is no window function."""
    return bool(
        tree.args.get("group")
        or tree.args.get("having")
        or any(_aggregates_outside_windows(e) for e in tree.expressions)
    )


def own_columns(tree: exp.Select) -> Sequence[str]:
    """Names that mean a column of the SELECT's own window, whatever its inputs have."""
    return WINDOW_COLUMNS if has_window_call(tree) else ()


def _aggregates_outside_windows(tree: exp.Expr) -> bool:
    for node in tree.walk(prune=lambda n: isinstance(n, (exp.Window, exp.Subquery))):
        if not isinstance(node, (exp.Window, exp.Subquery)) and is_aggregate_call(node):
            return True
    return False


def aggregate(
    planner: Planner,
    tree: exp.Select,
    scope: Scope,
    node: Node,
    items: Items,
    filters: list[exp.Expr],
    aliases: set[str],
    qualify: list[exp.Expr],
) -> Block:
    """Plan the aggregation of a block.

    Returns the block that is left on top of it: the node, and items, filters (HAVING) and QUALIFY rewritten to read
    the aggregate's output. `filters` are not bound yet, `items` and `qualify` are.
    """
    return _Aggregation(planner, tree, scope, node, items, aliases).build(filters, qualify)


class _Aggregation:
    def __init__(
        self, planner: Planner, tree: exp.Select, scope: Scope, node: Node, items: Items, aliases: set[str]
    ) -> None:
        self.planner = planner
        self.tree = tree
        self.scope = scope
        self.node = node
        self.items = items
        self.aliases = aliases | set(WINDOW_COLUMNS)
        self.over = Windowing()
        self.groups = Groups()
        self.wanted: dict[str, str] = {}
        """Names of the SELECT's items by their text."""

    def build(self, filters: list[exp.Expr], qualify: list[exp.Expr]) -> Block:
        self._group_by()
        where = self._where(filters)
        self._instants()
        having = self.tree.args.get("having")
        conditions = [self.scope.bind(having.this, self.aliases)] if having else []
        bound = [e for e, _ in self.items] + conditions + qualify
        if not self.over.called and not self.over.starts:
            self._refuse_window_columns(bound)
        # window functions may name other items, which are aggregates: they stand for what is computed below
        named_items = [(inlined(e, self.items) if has_window(e) else e, name) for e, name in self.items]
        self.wanted = {text(e): name for e, name in reversed(named_items)}
        items = [(self._rewrite(e), name) for e, name in named_items]
        conditions = [self._rewrite(c) for c in conditions]
        qualify = [self._rewrite(inlined(q, self.items)) for q in qualify]
        node = retimed(self.planner.filtered(self.node, where), self.over.by)
        aggregated = self._node(node, [e for e, _ in items])
        for expression in (*(e for e, _ in items), *conditions, *qualify):
            self._check_grouped(expression, aggregated)
        return aggregated, items, conditions, qualify

    def _node(self, node: Node, items: list[exp.Expr]) -> Node:
        groups = self.groups
        if self.over.window is not None:
            return windowed(self.planner, self.tree, node, self.over.window, groups, items)
        return group(
            self.planner,
            node,
            groups.keys,
            groups.aggregates,
            mergeable=groups.mergeable,
            sets=groups.sets,
            groupings=groups.groupings,
        )

    # -- GROUP BY and the window ------------------------------------------------------------------------------------

    def _group_by(self) -> None:
        group_ = self.tree.args.get("group")
        if group_ is None:
            return
        for item in group_.expressions:
            if is_window_call(item):
                self._set_window(window_of_call(self.planner, self.scope, self.node, item), item)
        if group_.args.get("all"):
            for expression, _ in self.items:
                if not self._is_computed(expression):
                    self._key(expression)
        parts = [item for item in group_.expressions if not is_window_call(item)]
        sets = grouping_sets(self.planner, group_, parts)
        if sets is None:
            for item in parts:
                self._key(self._group_item(item))
            return
        self.groups.sets = [self._set(part) for part in sets]

    def _set(self, part: list[exp.Expr]) -> list[str]:
        """One grouping set without the window's columns: key names."""
        found: dict[str, None] = {}
        for item in part:
            expression = self._group_item(item)
            if _is_window_column(expression) and self.over.called:
                continue
            if window_of_key(expression, self.node.time) is not None:
                self.planner.refuse(
                    "a window inside of grouping sets", "write GROUP BY window, GROUPING SETS (…)", item
                )
            self._key(expression)
            found |= {name: None for known, name in self.groups.keys if known == expression}
        return list(found)

    def _is_computed(self, expression: exp.Expr) -> bool:
        return _aggregates_outside_windows(expression) or has_window(expression) or _is_window_column(expression)

    def _group_item(self, item: exp.Expr) -> exp.Expr:
        if isinstance(item, exp.Literal) and not item.is_string:
            number = int(item.name)
            if not 1 <= number <= len(self.items):
                self.planner.refuse(f"GROUP BY {number} is out of range", f"1 to {len(self.items)}", item)
            return self.items[number - 1][0]
        bound = self.scope.bind(item, self.aliases)
        if isinstance(bound, exp.Column) and not bound.this.args.get("quoted"):
            return next((e for e, name in self.items if name.lower() == bound.name.lower()), bound)
        return bound

    def _key(self, expression: exp.Expr) -> None:
        window = None if self.node.changes else window_of_key(expression, self.node.time)
        if window is not None and self.over.window in (None, window.window):
            self._set_window(window, expression)
        elif not _is_window_column(expression) and not any(known == expression for known, _ in self.groups.keys):
            taken = {*WINDOW_COLUMNS, *(n for _, n in self.groups.keys)} if not self.node.changes else set()
            column = is_column(expression, self.node.columns)
            name = column if column is not None and column not in taken else f"__k{len(self.groups.keys)}"
            self.groups.keys.append((expression, name))

    def _set_window(self, found: Windowing, node: exp.Expr) -> None:
        if self.over.window is None:
            self.over = found
        elif self.over.window == found.window:
            self.over.starts += found.starts
        else:
            self.planner.refuse("two windows in one GROUP BY", "compute the second one over a CTE", node)

    def _where(self, filters: list[exp.Expr]) -> list[exp.Expr]:
        """Filters of the rows; ``time >= timestamp() - INTERVAL …`` becomes the window when there is none."""
        rest = []
        for condition in filters:
            found = None
            if self.over.window is None and not self.node.changes:
                found = window_of_filter(self.planner, self.scope, self.node, condition)
            if found is not None:
                self.over = found
            else:
                rest.append(self.scope.bind(condition, self.aliases))
        return [inlined(c, self.items) for c in rest]

    def _instants(self) -> None:
        """GROUP BY a time column without a window: its groups are final once time has passed."""
        if self.over.window is not None or self.node.changes or self.groups.sets is not None:
            return
        found = window_of_instants([e for e, _ in self.groups.keys], self.node.time)
        if found is not None:
            self.over = found
            self.groups.keys = [(e, n) for e, n in self.groups.keys if found.start_of(e) is None]

    def _refuse_window_columns(self, bound: list[exp.Expr]) -> None:
        for tree in bound:
            for column in tree.find_all(exp.Column):
                if _is_window_column(column):
                    self._no_window(column)

    def _no_window(self, column: exp.Column) -> NoReturn:
        example = next(iter(self.node.time), "timestamp")
        self.planner.refuse(
            f"{column.name} without a window", f"GROUP BY …, TUMBLE({example}, INTERVAL '1' MINUTE)", column
        )

    # -- SELECT and HAVING over the aggregate's output ----------------------------------------------------------------

    def _rewrite(self, tree: exp.Expr) -> exp.Expr:
        def visit(node: exp.Expr) -> exp.Expr:
            start = self.over.start_of(node)
            if start is not None:
                return start
            if _is_window_column(node) and self.over.window is not None:
                return named(node.name.lower())
            for key, name in self.groups.keys:
                if node == key:
                    return named(name)
            if isinstance(node, exp.Grouping) or _is_grouping_id(node):
                return self._grouping(node)
            if isinstance(node, exp.Window):
                return node
            if is_aggregate_call(node) and not is_wrapped(node):
                macro = expanded(node, _parse)
                return named(self._aggregate(node)) if macro is None else self._rewrite(macro)
            return node

        return tree.copy().transform(visit)

    def _aggregate(self, call: exp.Expr) -> str:
        own = next((c for c in call.find_all(exp.Column) if _is_window_column(c)), None)
        if own is not None:
            self.planner.refuse(f"{own.name} inside of an aggregate", f"write it beside: SELECT {own.name}, …", own)
        try:
            ordered, mergeable = ordered_call(call, None if self.node.changes else self.node.pos)
        except UnsupportedError as error:
            self.planner.refuse(error.message, error.hint or "", call)
        self.groups.mergeable = self.groups.mergeable and mergeable
        for known, name in self.groups.aggregates:
            if text(known) == text(ordered):
                return name
        name = self._name(call)
        self.groups.aggregates.append((ordered, name))
        return name

    def _name(self, call: exp.Expr) -> str:
        """The alias of a SELECT item that is this aggregate, where nothing else has that name; an internal one else."""
        name = self.wanted.get(text(call))
        taken = {*WINDOW_COLUMNS, *(n for _, n in (*self.groups.keys, *self.groups.aggregates)), *self.node.columns}
        if name is None or name.startswith("__") or name.lower() in {n.lower() for n in taken}:
            return f"__a{len(self.groups.aggregates)}"
        return name

    def _grouping(self, call: exp.Expr) -> exp.Expr:
        """GROUPING(…): a column of the aggregate's output."""
        names = []
        for argument in call.expressions:
            meant = inlined(argument, self.items).unnest()
            name = next((n for e, n in self.groups.keys if e.unnest() == meant), None)
            if name is None:
                self.planner.refuse("GROUPING() takes keys of GROUP BY", "add it to GROUP BY", argument)
            names.append(name)
        if self.groups.sets is None:
            return exp.Literal.number(0)
        for column, known in self.groups.groupings:
            if known == tuple(names):
                return named(column)
        self.groups.groupings.append((f"__g{len(self.groups.groupings)}", tuple(names)))
        return named(self.groups.groupings[-1][0])

    def _check_grouped(self, tree: exp.Expr, node: Node) -> None:
        allowed = {*node.columns, *([] if node.changes else [TS])}
        for column in tree.find_all(exp.Column):
            # bound names are quoted; unquoted ones are the block's own aliases
            if column.this.args.get("quoted") and column.name not in allowed:
                self.planner.refuse(*ungrouped(column), column)


def _is_window_column(tree: exp.Expr) -> bool:
    """The window's own column: bound names of inputs are quoted."""
    return (
        isinstance(tree, exp.Column)
        and not tree.table
        and not tree.this.args.get("quoted")
        and tree.name.lower() in WINDOW_COLUMNS
    )


def _is_grouping_id(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() == "GROUPING_ID"


def _parse(sql: str) -> exp.Expr:
    return exp.maybe_parse(sql, dialect=VeloDialect)
