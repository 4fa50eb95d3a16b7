"""FROM and its joins: which inputs there are, what their columns are called, and which kind of join each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.plan import Node
from velostream_nb.sql.plan_asof import asof_join, temporal_join, version_of
from velostream_nb.sql.plan_join_constant import constant_join, is_constant, names_of
from velostream_nb.sql.plan_join_interval import interval_join, is_bounded
from velostream_nb.sql.plan_join_sides import Filters, Pairs, Sides, kind_of
from velostream_nb.sql.plan_join_table import changelog_join, table_of
from velostream_nb.sql.scope import Input, Merged, Scope, conjuncts, named
from velostream_nb.sql.spread import spread
from velostream_nb.sql.subquery_joins import UNBOUNDED

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

FOR_EVER = "unbounded"
"""Value of 'join.within' for a regular join of two streams: all their rows, as a changelog."""
Ctes = Mapping[str, "Node | exp.Expr"]


def join_inputs(
    planner: Planner, tree: exp.Select, ctes: Ctes, scope: Scope, filters: list[exp.Expr]
) -> tuple[Node, list[exp.Expr]]:
    """Plan FROM and its joins; fills `scope`. Returns the node and the filters (unbound) that are left for later."""
    from_ = tree.args.get("from_")
    if from_ is None:
        planner.refuse("a SELECT without FROM reads no stream", "name a stream in FROM", tree)
    joins = _Joins(planner, ctes, scope, Filters(scope, filters))
    node = joins.build(from_.this, tree.args.get("joins") or [])
    return node, joins.filters.rest


class _Joins:
    """One list of joins, left to right. Columns keep their own names until the first join, then get ``alias.column``.

    Attributes:
        lenient: time columns that an unqualified name may mean although several inputs have it.
    """

    def __init__(self, planner: Planner, ctes: Ctes, scope: Scope, filters: Filters) -> None:
        self.planner = planner
        self.ctes = ctes
        self.scope = scope
        self.filters = filters
        self.node: Node
        self.joined = False
        self.lenient: set[str] = set()

    def build(self, first: exp.Expr, joins: list[exp.Join]) -> Node:
        if isinstance(first, exp.Table):  # FROM a JOIN b without SELECT: the parser hangs the joins on the table
            joins = [*(first.args.get("joins") or []), *joins]
        leading = False
        if is_constant(first) and joins and not is_constant(joins[0].this):
            first, joins = self._constant_last(first, joins)
            leading = True
        self._start(first)
        for number, join in enumerate(joins):
            self.filters.open = not any((j.side or "").upper() in ("RIGHT", "FULL") for j in joins[number + 1 :])
            self._join(join)
            if leading and number == 0:
                self.scope.inputs.insert(0, self.scope.inputs.pop())
        return self.node

    def _start(self, first: exp.Expr) -> None:
        if version_of(first) is not None:
            self.planner.refuse(
                "FOR SYSTEM_TIME AS OF stands on the right side of a JOIN: it takes its time from the left side",
                f"FROM stream s JOIN {first.name} FOR SYSTEM_TIME AS OF s.timestamp AS x ON s.key = x.key",
                first,
            )
        brought, self.node = self._inputs(first)
        self.scope.inputs += brought.inputs
        self.scope.merged |= brought.merged
        self.lenient = set(self.node.time)
        self.scope.time = self.lenient

    def _constant_last(self, first: exp.Expr, joins: list[exp.Join]) -> tuple[exp.Expr, list[exp.Join]]:
        """``FROM (VALUES …) v JOIN stream``: the stream comes first, which an inner join does not mind."""
        if kind_of(self.planner, joins[0]) != "inner" or joins[0].args.get("method"):
            self.planner.refuse(
                "constants on the left of an outer join are not supported", "put the stream on the left", joins[0]
            )
        swapped = joins[0].copy()
        stream = joins[0].this
        swapped.set("this", first.copy())
        return stream, [swapped, *joins[1:]]

    # -- inputs and their names -------------------------------------------------------------------------------------

    def _inputs(self, item: exp.Expr) -> tuple[Scope, Node]:
        """The inputs that one item of FROM brings, and its node; several for joins in brackets."""
        if isinstance(item, exp.Subquery) and isinstance(item.this, (exp.Table, exp.Subquery)):
            return self._bracketed(item)
        if isinstance(item, exp.Lateral):
            self.planner.refuse(
                "a LATERAL subquery reads the left side's row",
                "write it as a join with ON, or UNNEST(list) AS u(x)",
                item,
            )
        plain = item.copy()
        plain.set("version", None)
        plain.set("when", None)
        one, node = self.planner.input(plain, self.ctes)
        return Scope(self.scope.locate, [one]), node

    def _bracketed(self, item: exp.Subquery) -> tuple[Scope, Node]:
        inner = item.this.copy()
        joins = [*(inner.args.get("joins") or []), *([] if item.alias else item.args.get("joins") or [])]
        inner.set("joins", None)
        if item.alias:  # (a JOIN b …) AS z is a derived table
            query = exp.Select(expressions=[exp.Star()], from_=exp.From(this=inner), joins=joins)
            node = self.planner.query(query, self.ctes)
            return Scope(self.scope.locate, [Input.of(item.alias, node)]), node
        scope = self.planner.scope()
        node = _Joins(self.planner, self.ctes, scope, Filters(scope, [])).build(inner, joins)
        self.scope.equal += scope.equal
        self.scope.notes += scope.notes
        return scope, node

    def _left_columns(self) -> Pairs:
        """(column of the current node, column of the joined one); prefixes the first input's names once."""
        if self.joined or len(self.scope.inputs) != 1:
            self.joined = True
            return tuple((c, c) for c in self.node.columns)
        self.joined = True
        return self._prefixed(self.scope.inputs, self.node)

    def _prefixed(self, inputs: list[Input], node: Node) -> Pairs:
        """Column pairs of an input that stands alone; joins in brackets have their names already."""
        if len(inputs) != 1:
            return tuple((c, c) for c in node.columns)
        (item,) = inputs
        pairs = tuple((c, f"{item.alias}.{c}") for c in node.columns if c in item.internal.values())
        renamed = dict(pairs)
        item.internal = {key: renamed[name] for key, name in item.internal.items()}
        return pairs

    # -- one join ---------------------------------------------------------------------------------------------------

    def _join(self, join: exp.Join) -> None:
        method = (join.args.get("method") or "").upper()
        if method not in ("", "ASOF", "NATURAL"):
            self.planner.refuse(
                f"{method} JOIN pairs rows by their place, and a stream has no last one", "join ON a key", join
            )
        kind = kind_of(self.planner, join)
        if is_constant(join.this):
            self._constant(join, kind)
            return
        brought, right = self._inputs(join.this)
        inputs = brought.inputs
        at = version_of(join.this)
        if at is not None:
            right = self._versions(join, right)
        self._check_aliases(inputs, join)
        left_names = tuple(i.alias for i in self.scope.inputs)
        left, left_pairs = self.node, self._left_columns()
        shared = self._shared(join, inputs)
        owners = {name: self._owner(name, column) for name, column in shared.items()}
        right_pairs = self._prefixed(inputs, right)
        self.scope.inputs += inputs
        merges = {name: (owner, self._in(brought, name, shared[name])) for name, owner in owners.items()}
        sides = Sides(
            self.planner, self.scope, join, kind, left, right, left_pairs, right_pairs, [],
            (left_names[-1], ", ".join(i.alias for i in inputs)),
        )  # fmt: skip
        sides.conditions = [self.scope.bind(p) for p in conjuncts(join.args.get("on"))]
        sides.conditions += self._merged_conditions(merges, asof=method == "ASOF")
        self._check_condition(sides, method)
        if method == "ASOF":
            self.node = asof_join(sides, self.filters)
        elif at is not None:
            self.node = temporal_join(sides, at, self.filters)
        elif left.changes or right.changes or (self._unbounded(join) and not is_bounded(sides, self.filters)):
            self.node = changelog_join(sides, self.filters)
        else:
            self.node = interval_join(sides, self.filters)
        self._leave(sides, brought, merges)

    def _unbounded(self, join: exp.Join) -> bool:
        """All rows, as in batch: what a subquery asks for, and who says 'join.within' = 'unbounded'."""
        return bool(join.meta.get(UNBOUNDED)) or self.planner.settings.get("join.within", "").lower() == FOR_EVER

    def _leave(self, sides: Sides, brought: Scope, merges: dict[str, tuple[str, str]]) -> None:
        """What the scope sees after the join."""
        if sides.kind in ("semi", "anti"):
            self.scope.inputs = [i for i in self.scope.inputs if not any(i is own for own in brought.inputs)]
        else:
            for name, merged in brought.merged.items():
                if self.scope.merged.setdefault(name, merged) is not merged:
                    del self.scope.merged[name]  # both sides have one: the name alone says too little
            self._merge(sides, merges, brought)
        left = {sides.left_names[c] for c in sides.left.time if c in sides.left_names}
        right = {sides.right_names[c] for c in sides.right.time if c in sides.right_names}
        renamed = {sides.left_names.get(c, c) for c in self.lenient}
        self.lenient = {"right": right, "full": set()}.get(sides.kind, renamed | left | right)
        self.scope.time = self.lenient | set(self.node.time)

    def _check_aliases(self, inputs: list[Input], join: exp.Join) -> None:
        known = {i.alias.lower() for i in self.scope.inputs}
        for item in inputs:
            if item.alias.lower() in known:
                self.planner.refuse(f"two inputs are named {item.alias!r}", "give one an alias with AS", join.this)

    def _check_condition(self, sides: Sides, method: str) -> None:
        if sides.kind != "inner" and not sides.conditions and method != "ASOF":
            self.planner.refuse(
                f"{sides.kind.upper()} JOIN without ON",
                f"write {sides.kind.upper()} JOIN {sides.names[1]} ON {sides.names[0]}.key = {sides.names[1]}.key",
                sides.join,
            )

    def _versions(self, join: exp.Join, right: Node) -> Node:
        """The right side of FOR SYSTEM_TIME AS OF: a table's records, or a stream as it is."""
        if not right.changes:
            return right
        table, name = table_of(right), join.this.alias_or_name
        if table is None or table is not right:
            self.planner.refuse(
                f"FOR SYSTEM_TIME AS OF needs a table itself, and {name} is computed",
                "join the table, and select from it in SELECT and WHERE",
                join.this,
            )
        if table.stream.rows is not None:
            self.planner.refuse(
                f"{name} is read from a file once: it has no history", "leave FOR SYSTEM_TIME AS OF out", join.this
            )
        if table.key is None:
            self.planner.refuse(
                f"FOR SYSTEM_TIME AS OF needs a key, and the changelog {name} has none",
                f"declare it: CREATE TABLE {name} (…, PRIMARY KEY (…))",
                join.this,
            )
        return self.planner.sources.versions(table)

    # -- USING and NATURAL --------------------------------------------------------------------------------------------

    def _shared(self, join: exp.Join, inputs: list[Input]) -> dict[str, exp.Expr]:
        """The columns that USING or NATURAL names (lower case), each with the node to point at."""
        using = join.args.get("using") or []
        if using:
            return {c.name.lower(): c for c in using}
        if (join.args.get("method") or "").upper() != "NATURAL":
            return {}
        left = {key for item in self.scope.inputs for key in item.internal}
        found = {key: join.this for item in inputs for key in item.internal if key in left}
        if not found:
            self.planner.refuse("NATURAL JOIN: the inputs have no column in common", "write ON a.x = b.y", join.this)
        return found

    def _owner(self, name: str, at: exp.Expr) -> str:
        """The left side's column of that name."""
        written = at.copy() if isinstance(at, exp.Identifier) else exp.to_identifier(name, quoted=True)
        found = self.scope.resolve(exp.Column(this=written))
        if found is None:
            self.planner.refuse(f"USING: the left side has no column {name!r}", "write ON a.x = b.y", at)
        return found

    def _in(self, brought: Scope, name: str, at: exp.Expr) -> str:
        """The right side's column of that name."""
        merged = brought.merged.get(name)
        found = [i.internal[name] for i in brought.inputs if name in i.internal]
        if merged is not None and found and set(found) <= merged.members:
            return merged.internal
        if len(found) != 1:
            what = f"has no column {name!r}" if not found else f"has {len(found)} columns {name!r}"
            self.planner.refuse(f"USING: the right side {what}", "write ON a.x = b.y", at)
        return found[0]

    def _merged_conditions(self, merges: dict[str, tuple[str, str]], *, asof: bool) -> list[exp.Expr]:
        """``left = right`` of every pair; the last one of ASOF's USING is its comparison of times."""
        found: list[exp.Expr] = []
        for number, (left, right) in enumerate(merges.values(), start=1):
            kind = exp.GTE if asof and number == len(merges) else exp.EQ
            found.append(kind(this=named(left), expression=named(right)))
            self.scope.used(left)
            self.scope.used(right)
        return found

    def _merge(self, sides: Sides, merges: dict[str, tuple[str, str]], brought: Scope) -> None:
        """From here on the unqualified name means one column: of the side that is never NULL, or of both."""
        extra: list[tuple[exp.Expr, str]] = []
        times: dict[str, int] = {}
        for name, (left, right) in merges.items():
            internal = right if sides.kind == "right" else left
            if sides.kind == "full":
                internal = f"using{len(self.node.columns)}.{name}"
                extra.append((exp.Coalesce(this=named(left), expressions=[named(right)]), internal))
                lag = self._lag_of_both(sides, left, right)
                times |= {} if lag is None else {internal: lag}
            members = {left, right}
            for known in (self.scope.merged.get(name), brought.merged.get(name)):
                members |= known.members | {known.internal} if known is not None else set()
            self.scope.merged[name] = Merged(internal, frozenset(members))
        if extra:
            node = self.planner.filtered(self.node, [], extra)
            self.node = replace(node, time={**node.time, **times})

    def _lag_of_both(self, sides: Sides, left: str, right: str) -> int | None:
        """The lag of COALESCE(left, right) behind event time, None when they do not both follow it."""
        names = ({o: c for c, o in sides.left_pairs}, {o: c for c, o in sides.right_pairs})
        one, other = spread(sides.left, names[0][left]), spread(sides.right, names[1][right])
        if self.node.changes or one is None or other is None:
            return None
        return max(one.lag_us, other.lag_us)

    # -- constants ----------------------------------------------------------------------------------------------------

    def _constant(self, join: exp.Join, kind: str) -> None:
        """JOIN (VALUES …) AS v(x), UNNEST(list) AS u(x): inlined into a stateless stage."""
        relation, alias = join.this, join.this.alias or "values"
        names = names_of(relation)
        if not names or len(set(names)) < len(names):
            self.planner.refuse("a constant relation needs column names", "write (VALUES …) AS v(x, y)", relation)
        if kind in ("right", "full"):
            self.planner.refuse(
                f"{kind.upper()} JOIN with constants would keep rows of no time", "use JOIN or LEFT JOIN", join
            )
        left, left_pairs = self.node, self._left_columns()
        columns = tuple((n, f"{alias}.{n}") for n in names)
        item = Input(alias, {n.lower(): o for n, o in columns}, {n.lower(): n for n in names})
        self._check_aliases([item], join)
        bound = self.scope.bind(relation) if isinstance(relation, exp.Unnest) else relation
        shared = self._shared(join, [item])
        merges = {name: (self._owner(name, at), item.internal[name]) for name, at in shared.items()}
        self.scope.inputs.append(item)
        conditions = [self.scope.bind(p) for p in conjuncts(join.args.get("on"))]
        conditions += self._merged_conditions(merges, asof=False)
        self.node = constant_join(kind, left, left_pairs, bound, columns, conditions)
        renamed = dict(left_pairs)
        self.lenient = {renamed.get(c, c) for c in self.lenient}
        self.scope.time = self.lenient
        if kind in ("semi", "anti"):
            self.scope.inputs = [i for i in self.scope.inputs if i is not item]
            return
        for name, (left_name, right_name) in merges.items():
            self.scope.merged[name] = Merged(left_name, frozenset({left_name, right_name}))
