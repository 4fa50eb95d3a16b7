"""From a query to a plan. Decides what can be incremental; refuses the rest by name, with what to write instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn, Protocol

from sqlglot import exp

from velostream_nb.core.errors import ConfigError, Place, UnsupportedError
from velostream_nb.core.records import TS
from velostream_nb.sql.buckets import lag_of
from velostream_nb.sql.dialect import WALL
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.emission import late_data, mark_outermost
from velostream_nb.sql.parse import node_place
from velostream_nb.sql.plan import AsChanges, JobPlan, Node, Project, Source, StreamInfo, Table, walk
from velostream_nb.sql.plan_aggregate import aggregate, is_aggregated, own_columns
from velostream_nb.sql.plan_changes import ORDER_BY, limit, order_of, sorted_by_output
from velostream_nb.sql.plan_join import join_inputs
from velostream_nb.sql.plan_join_constant import with_constants_inlined
from velostream_nb.sql.plan_over import has_window, plan_over
from velostream_nb.sql.plan_sets import distinct, set_operation
from velostream_nb.sql.plan_sources import Sources
from velostream_nb.sql.plan_subquery import unnest_subqueries
from velostream_nb.sql.plan_window import annotated, annotation, has_wall_window, is_annotation
from velostream_nb.sql.rank_filters import ranks_inside
from velostream_nb.sql.scope import Input, Scope, conjoin, conjuncts, is_column, named, stream_time, text
from velostream_nb.sql.select_list import select_items
from velostream_nb.sql.statements import Query, StartJob

Items = list[tuple[exp.Expr, str]]
"""Bound expressions with their output names."""


class Catalog(Protocol):
    """Who knows the streams, tables and views."""

    def view(self, name: str) -> Query | None:
        """The query behind a view, None when no view has that name."""

    def stream(self, name: str) -> StreamInfo:
        """The stream or topic of that name; BindError with near names when there is none."""


def plan_job(statement: StartJob, catalog: Catalog, settings: Mapping[str, str]) -> JobPlan:
    """Plan a START JOB; its WITH options win over the session's settings."""
    return _plan(statement.query, catalog, {**settings, **statement.options}, dict(statement.options))


def plan_query(query: Query, catalog: Catalog, settings: Mapping[str, str]) -> JobPlan:
    """Plan a push query."""
    return _plan(query, catalog, dict(settings), {})


def plan_view(query: Query, catalog: Catalog, settings: Mapping[str, str]) -> JobPlan:
    """Plan a view's query, to check it; it may read reference tables alone."""
    return _plan(query, catalog, dict(settings), {}, job=False)


def _plan(
    query: Query, catalog: Catalog, settings: Mapping[str, str], options: Mapping[str, str], *, job: bool = True
) -> JobPlan:
    query = replace(query, tree=ranks_inside(query.tree))
    # the first pass finds the columns that are read, the second plans with those alone
    first = Planner(query, catalog, settings, None)
    first.query(query.tree)
    planner = Planner(query, catalog, settings, first.sources.used)
    root = planner.query(query.tree)
    sources = tuple(n for n in walk(root) if isinstance(n, Source) or (isinstance(n, Table) and n.stream.rows is None))
    if job and not sources:
        raise UnsupportedError("the query reads no stream", hint="a job needs a stream in FROM; run a bare SELECT")
    mode = None
    if root.changes:
        mode = "upsert" if root.key is not None and settings.get("changelog", "upsert") == "upsert" else "retract"
    key = root.key or () if mode == "upsert" else ()
    return JobPlan(root, sources, key, tuple(planner.notes), options, mode, late_data(settings))


class Planner:
    """Plans one query; `used` restricts each stream to those columns (None: all)."""

    def __init__(
        self, query: Query, catalog: Catalog, settings: Mapping[str, str], used: Mapping[str, set[str]] | None
    ) -> None:
        self.source = query.source
        self.settings = settings
        self.notes: list[str] = []
        self.catalog = catalog
        self.sources = Sources(self, used, wall=has_wall_window(query.tree))
        self._noting = used is None
        self._views: dict[str, Node] = {}
        self.emit = query.emit
        mark_outermost(query.tree)

    # -- messages ---------------------------------------------------------------------------------------------------

    def locate(self, node: exp.Expr) -> Place | None:
        return node_place(node, self.source)

    def refuse(self, what: str, hint: str, node: exp.Expr) -> NoReturn:
        raise UnsupportedError(what, hint=hint, place=self.locate(node))

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def duration_us(self, key: str, default: str) -> int:
        """A duration setting in microseconds; ConfigError when it is none or negative."""
        value = self.settings.get(key, default)
        size = parse_duration_us(value)
        if size < 0:
            raise ConfigError(f"'{key}' must not be negative, got {value!r}", hint="write a duration such as '5s'")
        return size

    # -- queries ----------------------------------------------------------------------------------------------------

    def query(self, tree: exp.Expr, ctes: Mapping[str, Node | exp.Expr] | None = None) -> Node:
        """Plan a query expression; `ctes` are those in sight, by lower-case name."""
        known = dict(ctes or {})
        with_ = tree.args.get("with_")
        if with_ is not None and with_.args.get("recursive"):
            self.refuse("recursive CTEs cannot be incremental", "unfold the recursion by hand", with_)
        tree = with_constants_inlined(tree)
        with_ = tree.args.get("with_")
        if with_ is not None:
            for cte in with_.expressions:
                known[cte.alias.lower()] = self._renamed(self.query(cte.this, known), cte)
        if isinstance(tree, exp.Subquery):
            return self.query(tree.this, known)
        if isinstance(tree, exp.SetOperation):
            sides = self.query(tree.left, known), self.query(tree.right, known)
            node = set_operation(self, tree, sides)
            return self._limited(tree, node)
        if not isinstance(tree, exp.Select):
            self.refuse(f"{tree.key.upper()} is not a streaming query", "write SELECT … FROM a stream", tree)
        return self._select(tree, known)

    def _select(self, tree: exp.Select, ctes: Mapping[str, Node | exp.Expr]) -> Node:
        tree = unnest_subqueries(self, tree, ctes)
        if tree.args.get("limit") or tree.args.get("offset"):
            return self._limited(tree, self._block(sorted_by_output(tree), ctes))
        if tree.args.get("order"):
            self._limited(tree, None)
        return self._block(tree, ctes)

    def _block(self, tree: exp.Select, ctes: Mapping[str, Node | exp.Expr]) -> Node:
        """One SELECT without its ORDER BY and LIMIT."""
        self._refuse_clauses(tree)
        where = tree.args["where"].this if tree.args.get("where") else None
        scope, node, filters = self._inputs(tree, ctes, conjuncts(where))
        late_filters: list[exp.Expr] = []
        if where is not None and (has_window(where) or _names_window(where, tree, scope)):
            # computed over all rows, then filtered, as QUALIFY does: the filter removes no row from a frame
            scope, node, filters = self._inputs(tree, ctes, [])
            late_filters = conjuncts(where)
            self.note("WHERE with a window function filters after the windows are computed, as QUALIFY does")
        scope.own = own_columns(tree)
        items = select_items(self, tree, scope)
        names = {name.lower() for _, name in items}
        bound = [scope.bind(f, names) for f in filters]
        qualify = [scope.bind(f, names) for f in late_filters]
        if tree.args.get("qualify"):
            qualify += [scope.bind(c, names) for c in conjuncts(tree.args["qualify"].this)]
        windows = [scope.bind(w) for w in tree.args.get("windows") or []]
        for part in (*bound, *qualify, *(e for e, _ in items)):
            if node.changes:
                self._refuse_time(part, tree)
        if is_aggregated(tree):
            node, items, bound, qualify = aggregate(self, tree, scope, node, items, filters, names, qualify)
        self.notes += [n for n in scope.notes if n not in self.notes]
        if qualify or any(has_window(e) for e, _ in items):
            node = plan_over(self, node, items, bound, qualify, windows)
        else:
            node = self.project(node, items, bound)
        return self._distinct_rows(tree, node) if tree.args.get("distinct") else node

    def _distinct_rows(self, tree: exp.Select, node: Node) -> Node:
        if tree.args["distinct"].args.get("on"):
            self.refuse(
                "DISTINCT ON takes any row of a group",
                "say which: QUALIFY ROW_NUMBER() OVER (PARTITION BY key ORDER BY time DESC) = 1",
                tree.args["distinct"],
            )
        return distinct(self, node)

    def _limited(self, tree: exp.Query, node: Node | None) -> Node:
        """ORDER BY, LIMIT and OFFSET over the block's rows, whose columns the order needs are among its own."""
        order, count, offset = tree.args.get("order"), tree.args.get("limit"), tree.args.get("offset")
        if count is None and offset is None:
            if order is not None:
                self.refuse(
                    "ORDER BY cannot apply to a stream that never ends",
                    "sort where you read (s.query('SELECT … ORDER BY …')), or add LIMIT n for the first n",
                    order,
                )
            assert node is not None
            return node
        assert node is not None
        rows, skipped = (self._whole(part) for part in (count, offset))
        limited = limit(node, order_of(order, node), rows, skipped or 0)
        shown: Items = [(named(c), c) for c in node.columns if not c.startswith(ORDER_BY)]
        return self.project(limited, shown, [])

    def _whole(self, clause: exp.Expr | None) -> int | None:
        if clause is None:
            return None
        value = clause.expression
        if not isinstance(value, exp.Literal) or value.is_string or not value.name.isdecimal():
            self.refuse(f"{clause.key.upper()} takes a whole number in a job", "write LIMIT 10", clause)
        return int(value.name)

    def _inputs(
        self, tree: exp.Select, ctes: Mapping[str, Node | exp.Expr], filters: list[exp.Expr]
    ) -> tuple[Scope, Node, list[exp.Expr]]:
        """FROM with the filters that joins take; the others are returned."""
        scope = self.scope()
        node, rest = join_inputs(self, tree, ctes, scope, filters)
        return scope, node, rest

    def _refuse_clauses(self, tree: exp.Select) -> None:
        rewrites = {
            "pivots": ("PIVOT is not supported in a job", "write the columns with CASE or FILTER"),
            "sample": ("SAMPLE is not repeatable over batches", "filter by hash: WHERE hash(key) % 10 = 0"),
        }
        for clause, (what, hint) in rewrites.items():
            found = tree.args.get(clause)
            if found:
                self.refuse(what, hint, found[0] if isinstance(found, list) else found)

    def _refuse_time(self, tree: exp.Expr, block: exp.Select) -> None:
        if any(column.name == TS for column in tree.find_all(exp.Column)):
            self.refuse(
                "timestamp() has no meaning here: the rows of a changelog have no event time",
                "select max(timestamp) in the GROUP BY below",
                next(block.find_all(exp.Anonymous), block),
            )

    def _refuse_wall(self, tree: exp.Expr) -> None:
        for call in tree.find_all(exp.Anonymous):
            if call.name.upper() == WALL:
                self.refuse(
                    "wall_clock() over a changelog: a row would go with another time than it came with",
                    "read it below, where rows are facts: FROM (SELECT *, wall_clock() AS seen FROM s)",
                    call,
                )

    # -- FROM -------------------------------------------------------------------------------------------------------

    def input(self, item: exp.Expr, ctes: Mapping[str, Node | exp.Expr]) -> tuple[Input, Node]:
        """One stream, CTE or subquery of FROM."""
        alias = item.alias_or_name
        if isinstance(item, exp.Subquery):
            node = self._renamed(self.query(item.this, ctes), item)
            return Input.of(alias or "subquery", node), node
        if not isinstance(item, exp.Table):
            self.refuse(
                f"{item.key.upper()} in FROM is not supported in a job", "name a stream, a CTE or a subquery", item
            )
        if is_annotation(item):
            return self._annotated(item, ctes)
        if not isinstance(item.this, exp.Identifier):
            self.refuse("a table function in FROM is not supported in a job", "name a stream or a topic", item)
        if item.args.get("sample") or item.args.get("pivots"):
            self.refuse("SAMPLE and PIVOT are not supported in a job", "filter by hash; pivot with FILTER", item)
        cte = ctes.get(item.name.lower()) if not item.db else None
        node = cte if isinstance(cte, Node) else self._view(item) or self.sources.stream(item)
        return Input.of(alias, node), node

    def _renamed(self, node: Node, item: exp.Expr) -> Node:
        """The node with the column names of ``AS alias(a, b)``; fewer names than columns rename the first ones."""
        alias = item.args.get("alias")
        names = [c.name for c in alias.args.get("columns") or []] if isinstance(alias, exp.TableAlias) else []
        if not names:
            return node
        if len(names) > len(node.columns):
            what = f"{item.alias} names {len(names)} columns, and has {len(node.columns)}"
            self.refuse(what, "name as many columns as the query selects", item)
        names += node.columns[len(names) :]
        return self.project(node, [(named(c), n) for c, n in zip(node.columns, names, strict=True)], [])

    def _annotated(self, item: exp.Table, ctes: Mapping[str, Node | exp.Expr]) -> tuple[Input, Node]:
        """``VELO_HOP(table, time, …)`` in FROM: every row once for each of its windows."""
        source, column, window = annotation(item)
        inner, node = self.input(source, ctes)
        node = annotated(self, node, column, window, item)
        return Input.of(item.alias or inner.alias, node), node

    def _view(self, item: exp.Table) -> Node | None:
        """The plan of a view, once however often it is named."""
        name = ".".join(part.name for part in item.parts).lower()
        if name not in self._views:
            found = self.catalog.view(name)
            if found is None:
                return None
            outer, self.source = self.source, found.source  # places in the view are those of its own text
            try:
                self._views[name] = self.query(found.tree)
            finally:
                self.source = outer
        return self._views[name]

    def scope(self) -> Scope:
        """An empty scope, whose reads are noted in the first pass."""
        scope = Scope(self.locate)
        if self._noting:
            scope.used = self.sources.mark_used(scope)
        return scope

    # -- SELECT -----------------------------------------------------------------------------------------------------

    def project(self, node: Node, items: Items, where: list[exp.Expr]) -> Node:
        """The stateless end of a block."""
        if node.changes:
            for part in (*where, *(e for e, _ in items)):
                self._refuse_wall(part)
        identity = tuple(name for _, name in items) == node.columns and all(is_column(e, {name}) for e, name in items)
        if identity and not where:
            return node
        return Project(
            inputs=(node,),
            columns=tuple(name for _, name in items),
            pos=node.pos,
            time=times_of(items, node),
            items=tuple((text(e), name) for e, name in items),
            where=conjoin(where),
            changes=node.changes,
            key=_key_of(items, node),
        )

    def changes(self, node: Node) -> Node:
        """The node as a changelog."""
        if node.changes:
            return node
        return AsChanges(inputs=(node,), columns=node.columns, pos=(), time={}, changes=True)

    def filtered(self, node: Node, where: list[exp.Expr], extra: Items | None = None) -> Node:
        """The node's rows that satisfy the conditions, with extra computed columns."""
        if not where and not extra:
            return node
        items: Items = [(named(c), c) for c in node.columns] + list(extra or [])
        return self.project(node, items, where)


def _key_of(items: Items, node: Node) -> tuple[str, ...] | None:
    """The key of a changelog under the names that the items give its columns; None when one is not among them."""
    if node.key is None:
        return None
    names = {c: name for e, name in reversed(items) if (c := is_column(e, node.columns)) is not None}
    return tuple(names[k] for k in node.key) if all(k in names for k in node.key) else None


def _names_window(where: exp.Expr, tree: exp.Select, scope: Scope) -> bool:
    """Does the condition name a SELECT item that is a window function (and no input column)?"""
    windowed = {e.alias.lower() for e in tree.expressions if isinstance(e, exp.Alias) and has_window(e)}
    return any(
        not column.table and column.name.lower() in windowed and scope.resolve(column) is None
        for column in where.find_all(exp.Column)
    )


def times_of(items: Items, node: Node) -> dict[str, int]:
    """Output columns that are still event time."""
    found = {}
    for expression, name in items:
        lag = lag_of(expression, node.time)
        if lag is not None:
            found[name] = lag
        elif text(expression) == text(stream_time()):
            found[name] = 0
    return found
