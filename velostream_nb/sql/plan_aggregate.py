"""GROUP BY over event-time windows: which window, which keys, which aggregates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.records import TS
from velostream_nb.sql.bounds import interval_us, unit_us
from velostream_nb.sql.plan import Node, Project, Window, WindowAggregate
from velostream_nb.sql.plan_changes import group
from velostream_nb.sql.plan_over import has_window
from velostream_nb.sql.scope import Scope, inlined, is_column, named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Items, Planner

_CALLS = ("VELO_TUMBLE", "VELO_HOP", "VELO_CUMULATE", "VELO_SESSION")
WINDOW_COLUMNS = ("window_start", "window_end")
# aggregates that sqlglot does not know as such
_AGGREGATE_WORDS = """
    arg_max arg_min arg_max_null arg_min_null max_by min_by argmax argmin first last any_value arbitrary list
    array_agg string_agg group_concat listagg mode histogram median mad quantile quantile_cont quantile_disc
    approx_quantile approx_count_distinct reservoir_quantile product sumkahan fsum kahan_sum favg entropy kurtosis
    kurtosis_pop skewness sem bit_and bit_or bit_xor bool_and bool_or count_if countif count_star covar_pop
    covar_samp corr regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy
    stddev stddev_pop stddev_samp variance var_pop var_samp sum avg mean min max count geomean geometric_mean
    weighted_avg wavg approx_top_k bitstring_agg
"""
_AGGREGATE_NAMES = frozenset(_AGGREGATE_WORDS.split())


def is_aggregate_call(node: exp.Expr) -> bool:
    """Is this node an aggregate call (with its FILTER), not a window function?"""
    if isinstance(node, (exp.Filter, exp.WithinGroup)):
        return is_aggregate_call(node.this)
    if isinstance(node, (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.RowNumber)):
        return False
    if isinstance(node, exp.AggFunc):
        return True
    return isinstance(node, exp.Anonymous) and node.name.lower() in _AGGREGATE_NAMES


def _aggregates_outside_windows(tree: exp.Expr) -> bool:
    for node in tree.walk(prune=lambda n: isinstance(n, (exp.Window, exp.Subquery))):
        if not isinstance(node, (exp.Window, exp.Subquery)) and is_aggregate_call(node):
            return True
    return False


def is_aggregated(tree: exp.Select) -> bool:
    """GROUP BY, HAVING, or an aggregate that is no window function."""
    return bool(
        tree.args.get("group")
        or tree.args.get("having")
        or any(_aggregates_outside_windows(e) for e in tree.expressions)
    )


Block = tuple[Node, "Items", list[exp.Expr], list[exp.Expr]]


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
        self.window: Window | None = None
        self.by: str | None = None
        self.starts: list[exp.Expr] = []
        """Bound expressions that mean window_start: time_bucket(…), date_trunc(…)."""
        self.keys: Items = []
        self.aggregates: Items = []

    def build(self, filters: list[exp.Expr], qualify: list[exp.Expr]) -> Block:
        self._group_by()
        where = self._where(filters)
        node = self._retimed(self.planner.filtered(self.node, where))
        if not node.time and self.by is not None and self.window is not None:
            self.planner.refuse("the window's column is not event time", "window by the event-time column", self.tree)
        having = self.tree.args.get("having")
        conditions = [self.scope.bind(having.this, self.aliases)] if having else []
        items = [(self._rewrite(e), name) for e, name in self.items]
        conditions = [self._rewrite(c) for c in conditions]
        qualify = [self._rewrite(q) for q in qualify]
        aggregated = self._node(node)
        for expression in (*(e for e, _ in items), *conditions, *qualify):
            self._check_grouped(expression, aggregated)
        return aggregated, items, conditions, qualify

    def _node(self, node: Node) -> Node:
        mergeable = not any(e.find(exp.Distinct, exp.Order) for e, _ in self.aggregates)
        if self.window is None:
            return group(self.planner, node, self.keys, self.aggregates, mergeable=mergeable)
        names = [n for _, n in self.keys] + [n for _, n in self.aggregates]
        return WindowAggregate(
            inputs=(node,),
            columns=(*WINDOW_COLUMNS, *names),
            pos=("__pos",),
            time={"window_end": 0, "window_start": self.window.size_us},
            window=self.window,
            keys=tuple((text(e), n) for e, n in self.keys),
            aggregates=tuple((text(e), n) for e, n in self.aggregates),
            mergeable=mergeable,
        )

    # -- GROUP BY and the window ------------------------------------------------------------------------------------

    def _group_by(self) -> None:
        group = self.tree.args.get("group")
        if group is None:
            return
        for kind in ("grouping_sets", "cube", "rollup"):
            if group.args.get(kind):
                self.planner.refuse(f"{kind.upper()} is not supported yet", "start one job a grouping", group)
        if group.args.get("all"):
            for expression, _ in self.items:
                if not self._is_computed(expression):
                    self._key(expression)
        for item in group.expressions:
            if isinstance(item, exp.Anonymous) and item.name.upper() in _CALLS:
                self._window_call(item)
            else:
                self._key(self._group_item(item))

    def _is_computed(self, expression: exp.Expr) -> bool:
        return (
            _aggregates_outside_windows(expression)
            or has_window(expression)
            or (isinstance(expression, exp.Column) and expression.name.lower() in WINDOW_COLUMNS)
        )

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
        size = self._bucket_us(expression)
        if size is not None:
            self._set_window(Window(size, size), expression)
            self.starts.append(expression)
        elif not (isinstance(expression, exp.Column) and expression.name.lower() in WINDOW_COLUMNS):
            name = expression.name if is_column(expression, self.node.columns) else f"__k{len(self.keys)}"
            if not any(known == expression for known, _ in self.keys):
                self.keys.append((expression, name))

    def _bucket_us(self, tree: exp.Expr) -> int | None:
        """The size of ``time_bucket(INTERVAL …, time)`` or ``date_trunc('minute', time)``, a tumbling window."""
        if isinstance(tree, (exp.DateTrunc, exp.TimestampTrunc)):
            unit = unit_us(tree.text("unit"))
            by = is_column(tree.this, self.node.time)
            if by is None or unit is None or unit > 86_400_000_000:
                return None
            self.by = by
            return unit
        arguments = (
            list(tree.expressions) if isinstance(tree, exp.Anonymous) else [tree.this, tree.args.get("expression")]
        )
        name = tree.name if isinstance(tree, exp.Anonymous) else tree.sql_name() if isinstance(tree, exp.Func) else ""
        if name.upper() not in ("TIME_BUCKET", "DATE_BIN") or len(arguments) < 2 or arguments[1] is None:
            return None
        by = is_column(arguments[1], self.node.time)
        size = interval_us(arguments[0])
        if by is not None and size is not None:
            self.by = by
            return size
        return None

    def _window_call(self, call: exp.Anonymous) -> None:
        kind = call.name.upper().removeprefix("VELO_")
        if kind in ("SESSION", "CUMULATE"):
            self.planner.refuse(f"{kind} windows are not supported yet", "use TUMBLE or HOP", call)
        column, *numbers = call.expressions
        sizes = [int(n.name) for n in numbers]
        if not isinstance(column, exp.Null):
            bound = self.scope.bind(column)
            self.by = is_column(bound, self.node.time)
            if self.by is None:
                known = next(iter(self.node.time), None)
                self.planner.refuse(
                    f"{text(column)} is not the stream's event time",
                    f"use {known}" if known else "name it with WITH ('event.time.field' = '…')",
                    column,
                )
        size, slide = (sizes[0], sizes[0]) if kind == "TUMBLE" else (sizes[1], sizes[0])
        self._set_window(Window(size, slide, sizes[-1] % slide), call)

    def _set_window(self, window: Window, node: exp.Expr) -> None:
        if self.window is not None and self.window != window:
            self.planner.refuse("two windows in one GROUP BY", "compute the second one over a CTE", node)
        if window.slide_us <= 0 or window.size_us <= 0:
            self.planner.refuse("a window needs a positive size and slide", "for example INTERVAL '1' MINUTE", node)
        if window.slide_us > window.size_us:
            self.planner.refuse("a hop longer than its window would skip rows", "make the slide ≤ the size", node)
        self.window = window

    def _where(self, filters: list[exp.Expr]) -> list[exp.Expr]:
        """Filters of the rows; ``time >= timestamp() - INTERVAL …`` becomes the window when there is none."""
        rest = []
        for condition in filters:
            size = self._trailing_us(condition) if self.window is None else None
            if size is None:
                rest.append(self.scope.bind(condition, self.aliases))
                continue
            slide = self.planner.duration_us("emit.every", "1s")
            if slide == 0 or slide > size:
                self.planner.refuse(
                    "'emit.every' must be positive and no longer than the window", "try '1s'", condition
                )
            self.window = Window(size, slide)
            self.planner.note(
                f"WHERE … >= timestamp() - {size / 1e6:g} s with GROUP BY is a hopping window of that size that "
                f"slides by {slide / 1e6:g} s ('emit.every')"
            )
        return [inlined(c, self.items) for c in rest]

    def _trailing_us(self, condition: exp.Expr) -> int | None:
        condition = condition.unnest()
        if isinstance(condition, (exp.LTE, exp.LT)):
            column, edge = condition.right, condition.left
        elif isinstance(condition, (exp.GTE, exp.GT)):
            column, edge = condition.left, condition.right
        else:
            return None
        edge, column = edge.unnest(), column.unnest()
        if not isinstance(edge, exp.Sub) or not isinstance(column, exp.Column):
            return None
        now = edge.left.unnest()
        if not (isinstance(now, exp.Anonymous) and now.name.upper() == "VELO_NOW"):
            return None
        name = self.scope.resolve(column)
        if name not in self.node.time:
            return None
        self.by = name
        return interval_us(edge.right.unnest())

    def _retimed(self, node: Node) -> Node:
        """The node with the window's column as event time."""
        lag = node.time.get(self.by, 0) if self.by is not None else 0
        if not lag:
            return node
        return Project(
            inputs=(node,),
            columns=node.columns,
            pos=node.pos,
            time={self.by or TS: 0},
            items=tuple((text(named(c)), c) for c in node.columns),
            retime=self.by,
        )

    # -- SELECT and HAVING over the aggregate's output ----------------------------------------------------------------

    def _rewrite(self, tree: exp.Expr) -> exp.Expr:
        def visit(node: exp.Expr) -> exp.Expr:
            for start in self.starts:
                if node == start:
                    return named("window_start")
            for key, name in self.keys:
                if node == key:
                    return named(name)
            if isinstance(node, exp.Window):
                return node
            if is_aggregate_call(node) and not isinstance(node.parent, (exp.Filter, exp.WithinGroup, exp.Window)):
                return named(self._aggregate(node))
            return node

        return tree.copy().transform(visit)

    def _aggregate(self, call: exp.Expr) -> str:
        for known, name in self.aggregates:
            if known == call:
                return name
        name = f"__a{len(self.aggregates)}"
        self.aggregates.append((call.copy(), name))
        return name

    def _check_grouped(self, tree: exp.Expr, node: Node) -> None:
        allowed = {*node.columns, TS}
        for column in tree.find_all(exp.Column):
            # bound names are quoted; unquoted ones are the block's own aliases
            if column.this.args.get("quoted") and column.name not in allowed:
                self.planner.refuse(
                    f"column {column.name!r} must be in GROUP BY or inside an aggregate",
                    f"add it to GROUP BY, or take any_value({column.name}) or arg_max({column.name}, time)",
                    column,
                )
