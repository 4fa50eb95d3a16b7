"""FROM with several inputs: interval joins, ASOF joins, joins with constant relations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.sql.bounds import Bounds, narrow_by
from velostream_nb.sql.plan import AsofJoin, IntervalJoin, Node, Project
from velostream_nb.sql.plan_over import has_window
from velostream_nb.sql.scope import Input, Scope, columns_of, conjuncts, is_column, named, text

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

Ctes = Mapping[str, "Node | exp.Expr"]


def join_inputs(
    planner: Planner, tree: exp.Select, ctes: Ctes, scope: Scope, filters: list[exp.Expr]
) -> tuple[Node, list[exp.Expr]]:
    """Plan FROM and its joins; fills `scope`. Returns the node and the filters (unbound) that are left for later."""
    from_ = tree.args.get("from_")
    if from_ is None:
        planner.refuse("a SELECT without FROM reads no stream", "name a stream in FROM", tree)
    first = from_.this
    joins = tree.args.get("joins") or []
    item, node = planner.input(first, ctes)
    scope.inputs.append(item)
    scope.time = node.time
    if not joins:
        return node, filters
    return _Joins(planner, ctes, scope, node).build(joins, filters)


class _Joins:
    def __init__(self, planner: Planner, ctes: Ctes, scope: Scope, node: Node) -> None:
        self.planner = planner
        self.ctes = ctes
        self.scope = scope
        self.node = node
        self.joined = False

    def build(self, joins: list[exp.Join], filters: list[exp.Expr]) -> tuple[Node, list[exp.Expr]]:
        for join in joins:
            if isinstance(join.this, (exp.Values, exp.Unnest)):
                self._constant(join)
                continue
            item, right = self.planner.input(join.this, self.ctes)
            if any(i.alias.lower() == item.alias.lower() for i in self.scope.inputs):
                self.planner.refuse(f"two inputs are named {item.alias!r}", "give one an alias with AS", join.this)
            if (join.args.get("method") or "").upper() == "ASOF":
                self._asof(join, item, right)
            else:
                filters = self._interval(join, item, right, filters)
        return self.node, filters

    # -- names ------------------------------------------------------------------------------------------------------

    def _left_columns(self) -> tuple[tuple[str, str], ...]:
        """(column of the current node, column of the joined one); prefixes the first input's names once."""
        if self.joined:
            return tuple((c, c) for c in self.node.columns)
        first = self.scope.inputs[0]
        pairs = tuple((c, f"{first.alias}.{c}") for c in self.node.columns)
        renamed = dict(pairs)
        first.internal = {key: renamed[name] for key, name in first.internal.items()}
        self.joined = True
        return pairs

    def _enter(self, item: Input, right: Node) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        """Column pairs of both sides; from here on the scope sees the joined names."""
        left_pairs = self._left_columns()
        right_pairs = tuple((c, f"{item.alias}.{c}") for c in right.columns)
        renamed = dict(right_pairs)
        item.internal = {key: renamed[name] for key, name in item.internal.items()}
        self.scope.inputs.append(item)
        return left_pairs, right_pairs

    def _conditions(self, join: exp.Join) -> list[exp.Expr]:
        """ON and USING as conjuncts, unbound."""
        parts = conjuncts(join.args.get("on"))
        right = self.scope.inputs[-1].alias
        for column in join.args.get("using") or []:
            owner = next((i for i in self.scope.inputs[:-1] if column.name.lower() in i.internal), None)
            if owner is None:
                self.planner.refuse(f"USING: no left input has {column.name!r}", "write ON a.x = b.y", column)
            parts.append(exp.EQ(this=exp.column(column.name, owner.alias), expression=exp.column(column.name, right)))
        return parts

    # -- kinds of join ----------------------------------------------------------------------------------------------

    def _asof(self, join: exp.Join, item: Input, right: Node) -> None:
        side = (join.side or "").upper()
        if side not in ("", "LEFT") or (join.kind or "").upper() not in ("", "INNER", "OUTER"):
            self.planner.refuse(f"ASOF {side} JOIN is not supported", "use ASOF JOIN or ASOF LEFT JOIN", join)
        left = self.node
        left_pairs, right_pairs = self._enter(item, right)
        left_names, right_names = dict(left_pairs), dict(right_pairs)
        self._times(left, right, left_pairs, right_pairs)
        equal: list[tuple[str, str]] = []
        strict: bool | None = None
        for part in self._conditions(join):
            bound = self.scope.bind(part)
            pair = _equality(bound, left_names, right_names)
            if pair is not None:
                equal.append(pair)
                continue
            found = self._asof_order(bound, left, right, left_names, right_names)
            if found is None or strict is not None:
                self.planner.refuse(
                    "an ASOF JOIN takes equalities and one comparison of event times",
                    f"write {item.alias}.key = left.key AND left.time >= {item.alias}.time; filter further in WHERE",
                    part,
                )
            strict = found
        if strict is None:
            self.planner.refuse("the ASOF JOIN compares no times", f"add left.time >= {item.alias}.time", join)
        if not side:
            self.scope.equal += [{left_names[a], right_names[b]} for a, b in equal]
        self.node = AsofJoin(
            inputs=(left, right),
            columns=tuple(o for _, o in (*left_pairs, *right_pairs)),
            pos=left.pos,
            time={left_names[c]: lag for c, lag in left.time.items()},
            equal=tuple(equal),
            strict=strict,
            outer=side == "LEFT",
            left_columns=left_pairs,
            right_columns=right_pairs,
        )

    def _asof_order(
        self, part: exp.Expr, left: Node, right: Node, left_names: dict[str, str], right_names: dict[str, str]
    ) -> bool | None:
        """False for ``left >= right``, True for ``left > right`` (either way round), None for anything else."""
        part = part.unnest()
        if isinstance(part, (exp.LTE, exp.LT)):
            newer, older = part.right, part.left
        elif isinstance(part, (exp.GTE, exp.GT)):
            newer, older = part.left, part.right
        else:
            return None
        left_times = {left_names[c] for c, lag in left.time.items() if lag == 0}
        right_times = {right_names[c] for c, lag in right.time.items() if lag == 0}
        if is_column(newer, left_times) is None or is_column(older, right_times) is None:
            return None
        return isinstance(part, (exp.GT, exp.LT))

    def _times(
        self, left: Node, right: Node, left_pairs: tuple[tuple[str, str], ...], right_pairs: tuple[tuple[str, str], ...]
    ) -> None:
        self.scope.time = {o for c, o in left_pairs if c in left.time} | {o for c, o in right_pairs if c in right.time}

    def _interval(self, join: exp.Join, item: Input, right: Node, filters: list[exp.Expr]) -> list[exp.Expr]:
        side = (join.side or "").upper()
        kind = (join.kind or "").upper()
        if side or kind not in ("", "INNER", "CROSS"):
            self.planner.refuse(
                f"{side or kind} JOIN of two streams is not supported yet",
                "use JOIN (inner), or ASOF LEFT JOIN for the row in force",
                join,
            )
        left = self.node
        left_pairs, right_pairs = self._enter(item, right)
        self._times(left, right, left_pairs, right_pairs)
        left_names, right_names = dict(left_pairs), dict(right_pairs)
        equal: list[tuple[str, str]] = []
        parts = self._conditions(join)
        taken = [f for f in filters if self._reads_both(f, set(left_names.values()), set(right_names.values()))]
        rest = [f for f in filters if f not in taken]
        for part in (*parts, *taken):
            pair = _equality(self.scope.bind(part), left_names, right_names)
            if pair is not None:
                equal.append(pair)
                self.scope.equal.append({left_names[pair[0]], right_names[pair[1]]})
        bound = [self.scope.bind(p) for p in (*parts, *taken)]
        low_us, high_us, condition = self._bounds(join, left, right, left_names, right_names, bound)
        sides, rest = self._push_down(rest, left_names, right_names)
        self.node = IntervalJoin(
            inputs=(self.planner.filtered(left, sides[0]), self.planner.filtered(right, sides[1])),
            columns=tuple(o for _, o in (*left_pairs, *right_pairs)),
            pos=(*left.pos, *(f"__pos{len(left.pos) + i}" for i in range(len(right.pos)))),
            time={
                **{left_names[c]: lag + max(0, -low_us) for c, lag in left.time.items()},
                **{right_names[c]: lag + max(0, high_us) for c, lag in right.time.items()},
            },
            low_us=low_us,
            high_us=high_us,
            equal=tuple(equal),
            condition=condition,
            left_columns=left_pairs,
            right_columns=right_pairs,
        )
        return rest

    def _reads_both(self, condition: exp.Expr, left: set[str], right: set[str]) -> bool:
        if has_window(condition) or not self._resolvable(condition):
            return False
        names = columns_of(self.scope.bind(condition))
        return bool(names & left) and bool(names & right) and names <= left | right

    def _resolvable(self, condition: exp.Expr) -> bool:
        """Can all its columns be told now? Names of SELECT items and of later inputs cannot."""
        aliases = {i.alias.lower() for i in self.scope.inputs}
        for column in condition.find_all(exp.Column):
            if column.table and column.table.lower() not in aliases:
                return False
            if self.scope.resolve(column) is None:
                return False
        return condition.find(exp.Anonymous) is None or "VELO_NOW" not in text(condition).upper()

    def _bounds(
        self,
        join: exp.Join,
        left: Node,
        right: Node,
        left_names: dict[str, str],
        right_names: dict[str, str],
        parts: list[exp.Expr],
    ) -> tuple[int, int, str]:
        left_times = [left_names[c] for c, lag in left.time.items() if lag == 0]
        right_times = [right_names[c] for c, lag in right.time.items() if lag == 0]
        bounds = Bounds()
        for part in parts:
            narrow_by(bounds, part, left_times, right_times)
        conditions = [f"({text(p)})" for p in parts]
        if bounds.low_us is None or bounds.high_us is None:
            within = self.planner.duration_us("join.within", "1s")
            low = -within if bounds.low_us is None else bounds.low_us
            high = within if bounds.high_us is None else bounds.high_us
            names = f"{self.scope.inputs[-2].alias} and {self.scope.inputs[-1].alias}"
            self.planner.note(
                f"the join of {names} has no {'time bound' if bounds == Bounds() else 'bound on both sides'}: "
                f"rows within {within / 1e6:g} s of each other join ('join.within')"
            )
            conditions.append(f"__l.__ts - __r.__ts BETWEEN {low} AND {high}")
            bounds = Bounds(low, high)
        assert bounds.low_us is not None
        assert bounds.high_us is not None
        if bounds.low_us > bounds.high_us:
            self.planner.refuse("the join's time bounds exclude every pair", "swap the bounds", join)
        return bounds.low_us, bounds.high_us, " AND ".join(conditions)

    def _push_down(
        self, filters: list[exp.Expr], left_names: dict[str, str], right_names: dict[str, str]
    ) -> tuple[tuple[list[exp.Expr], list[exp.Expr]], list[exp.Expr]]:
        """Filters that read one side only move below the join, under that side's own names."""
        sides: tuple[list[exp.Expr], list[exp.Expr]] = ([], [])
        rest = []
        back = [{o: c for c, o in names.items()} for names in (left_names, right_names)]
        for condition in filters:
            if has_window(condition) or not self._resolvable(condition):
                rest.append(condition)
                continue
            bound = self.scope.bind(condition)
            names = columns_of(bound)
            side = next((i for i in (0, 1) if names and names <= set(back[i])), None)
            if side is None:
                rest.append(condition)
                continue
            for column in list(bound.find_all(exp.Column)):
                column.this.set("this", back[side][column.name])
            sides[side].append(bound)
        return sides, rest

    def _constant(self, join: exp.Join) -> None:
        """JOIN (VALUES …) AS v(x): rows that never change, inlined into a stateless stage."""
        relation = join.this
        alias = relation.alias or "values"
        names = [c.name for c in relation.args["alias"].columns] if relation.args.get("alias") else []
        if not names:
            self.planner.refuse("a constant relation needs column names", "write (VALUES …) AS v(x, y)", relation)
        if (join.side or "").upper() not in ("", "LEFT"):
            self.planner.refuse("this outer join with constants is not supported", "use JOIN or LEFT JOIN", join)
        left = self.node
        left_pairs = self._left_columns()
        item = Input(alias, {n.lower(): f"{alias}.{n}" for n in names}, {n.lower(): n for n in names})
        self.scope.inputs.append(item)
        inner = ", ".join(f"{text(exp.column(n, alias))} AS {text(named(f'{alias}.{n}'))}" for n in names)
        conditions = [self.scope.bind(p) for p in self._conditions(join)]
        kind = "LEFT JOIN" if (join.side or "").upper() == "LEFT" else "JOIN"
        on = " AND ".join(f"({text(self._to_raw(c, left_pairs))})" for c in conditions) or "TRUE"
        self.node = Project(
            inputs=(left,),
            columns=(*(o for _, o in left_pairs), *(f"{alias}.{n}" for n in names)),
            pos=(*left.pos, f"__pos{len(left.pos)}"),
            time={dict(left_pairs)[c]: lag for c, lag in left.time.items()},
            items=(
                *((text(named(c)), o) for c, o in left_pairs),
                *((text(named(f"{alias}.{n}")), f"{alias}.{n}") for n in names),
            ),
            joined=f"{kind} (SELECT {inner}, row_number() OVER () AS __row FROM {text(relation)}) AS __const ON {on}",
            row="coalesce(__const.__row, 0)",
        )

    def _to_raw(self, condition: exp.Expr, pairs: tuple[tuple[str, str], ...]) -> exp.Expr:
        back = {o: c for c, o in pairs}
        for column in list(condition.find_all(exp.Column)):
            if column.name in back:
                column.this.set("this", back[column.name])
        return condition


def _equality(part: exp.Expr, left_names: dict[str, str], right_names: dict[str, str]) -> tuple[str, str] | None:
    """(left column, right column) under their own names, when the conjunct is ``left = right`` of plain columns."""
    part = part.unnest()
    if not isinstance(part, exp.EQ):
        return None
    lefts, rights = ({o: c for c, o in names.items()} for names in (left_names, right_names))
    for one, other in ((part.left, part.right), (part.right, part.left)):
        a, b = is_column(one, lefts), is_column(other, rights)
        if a is not None and b is not None:
            return lefts[a], rights[b]
    return None
