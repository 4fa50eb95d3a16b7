"""The row in force at a time: ASOF JOIN, and FOR SYSTEM_TIME AS OF."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from sqlglot import exp

from velostream_nb.sql.bounds import comparison_of
from velostream_nb.sql.plan import AsofJoin, Node, Source
from velostream_nb.sql.plan_join_sides import Filters, Sides, under
from velostream_nb.sql.scope import columns_of, is_column, text
from velostream_nb.sql.spread import retimed


def asof_join(sides: Sides, filters: Filters) -> Node:
    """ASOF [LEFT] JOIN: equalities, and one comparison of the event times of both sides."""
    planner, scope = sides.planner, sides.scope
    _refuse_kind(sides, "ASOF JOIN")
    for node, name in ((sides.left, sides.names[0]), (sides.right, sides.names[1])):
        if node.changes:
            planner.refuse(
                f"ASOF JOIN compares event times, and {name} is a changelog: it has none",
                f"for a table's row at a time: JOIN {name} FOR SYSTEM_TIME AS OF stream.time",
                sides.join,
            )
    left_times = {o for c, o in sides.left_pairs if c in sides.left.time}
    right_times = {o for c, o in sides.right_pairs if c in sides.right.time}
    found = None
    rest = []
    for part in sides.conditions:
        compared = comparison_of(part, left_times, right_times)
        if compared is None:
            rest.append(part)
        elif found is not None:
            planner.refuse(
                "an ASOF JOIN takes one comparison of event times",
                f"filter further in WHERE, or join within a range: JOIN {sides.names[1]} ON … BETWEEN … AND …",
                part,
            )
        else:
            found = compared
    if found is None:
        _refuse_untimed(sides, rest)
    left = retimed(sides.left, _own(sides.left_pairs, found.left))
    right = retimed(sides.right, _own(sides.right_pairs, found.right))
    if not found.at_most:
        planner.note(
            f"a row of {sides.names[0]} waits for a row of {sides.names[1]} of its key at or after it, and holds back "
            "the time of what reads the join for so long"
        )
    left, right, equal = _keys(_over(sides, left, right), rest)
    if sides.kind == "inner":
        scope.equal += [{sides.left_names[a], sides.right_names[b]} for a, b in sides.equalities(rest)]
    return _node(
        sides, filters, left, right, equal,
        strict=found.strict, forward=not found.at_most, offset_us=found.offset_us,
    )  # fmt: skip


def temporal_join(sides: Sides, at: exp.Expr, filters: Filters) -> Node:
    """JOIN t FOR SYSTEM_TIME AS OF left.time: the version of t's row that was in force then."""
    planner = sides.planner
    _refuse_kind(sides, "FOR SYSTEM_TIME AS OF")
    if sides.left.changes:
        planner.refuse(
            f"FOR SYSTEM_TIME AS OF asks for a time, and {sides.names[0]} is a changelog: it has none",
            "put the stream on the left side; leave FOR SYSTEM_TIME out for the rows of now",
            sides.join,
        )
    by = is_column(sides.scope.bind(at), {o for c, o in sides.left_pairs if c in sides.left.time})
    if by is None:
        known = next((o for c, o in sides.left_pairs if c in sides.left.time), "stream.timestamp")
        planner.refuse(
            f"FOR SYSTEM_TIME AS OF {text(at)}: that is not the event time of the left side", f"write {known}", at
        )
    left, right, equal = _keys(_over(sides, retimed(sides.left, _own(sides.left_pairs, by)), sides.right), None)
    _check_key(sides, equal)
    sides.same(sides.equalities(sides.conditions))
    return _node(sides, filters, left, right, equal, versions=_is_raw(sides.right))


def _node(
    sides: Sides,
    filters: Filters,
    left: Node,
    right: Node,
    equal: list[tuple[str, str]],
    *,
    strict: bool = False,
    forward: bool = False,
    offset_us: int = 0,
    versions: bool = False,
) -> Node:
    # a filter of the left side may be tried first; one of the right side would change which row is the nearest
    below, _ = filters.pushed(sides, (0,))
    left = sides.planner.filtered(left, below)
    names = sides.left_names
    return AsofJoin(
        inputs=(left, right),
        columns=sides.columns,
        pos=left.pos,
        time={names[c]: lag for c, lag in left.time.items() if c in names},
        equal=tuple(equal),
        strict=strict,
        outer=sides.kind == "left",
        left_columns=sides.left_pairs,
        right_columns=sides.right_pairs,
        forward=forward,
        offset_us=offset_us,
        versions=versions,
    )


def _over(sides: Sides, left: Node, right: Node) -> Sides:
    """The same join over other inputs with the same columns."""
    return replace(sides, left=left, right=right)


def _own(pairs: tuple[tuple[str, str], ...], name: str) -> str:
    return next(c for c, o in pairs if o == name)


def _keys(sides: Sides, conditions: list[exp.Expr] | None) -> tuple[Node, Node, list[tuple[str, str]]]:
    """The equalities as pairs of columns; sides that are expressions are computed into columns first."""
    equal: list[tuple[str, str]] = []
    extra: tuple[list[tuple[exp.Expr, str]], list[tuple[exp.Expr, str]]] = ([], [])
    for part in sides.conditions if conditions is None else conditions:
        pair = sides.equality(part)
        if pair is None:
            computed = _computed(sides, part)
            if computed is None:
                _refuse_condition(sides, part)
            pair = (f"__k{len(equal)}", f"__k{len(equal)}")
            for side in (0, 1):
                extra[side].append((computed[side], pair[side]))
        equal.append(pair)
    left = sides.planner.filtered(sides.left, [], extra[0])
    right = sides.planner.filtered(sides.right, [], extra[1])
    return left, right, equal


def _computed(sides: Sides, part: exp.Expr) -> tuple[exp.Expr, exp.Expr] | None:
    """(left expression, right expression), under own names, when the conjunct is an equality of one a side."""
    part = part.unnest()
    if not isinstance(part, exp.EQ):
        return None
    backs = [{o: c for c, o in pairs} for pairs in (sides.left_pairs, sides.right_pairs)]
    for one, other in ((part.left, part.right), (part.right, part.left)):
        reads = columns_of(one), columns_of(other)
        if all(names and names <= set(back) for names, back in zip(reads, backs, strict=True)):
            return under(one.copy(), backs[0]), under(other.copy(), backs[1])
    return None


# -- refusals ---------------------------------------------------------------------------------------------------------


def _refuse_kind(sides: Sides, what: str) -> None:
    if sides.kind not in ("inner", "left"):
        sides.planner.refuse(
            f"{what} as a {sides.kind.upper()} join is not supported: it asks for one row per left row",
            "use JOIN or LEFT JOIN, with the input whose rows are kept on the left",
            sides.join,
        )


def _refuse_untimed(sides: Sides, parts: list[exp.Expr]) -> NoReturn:
    planner = sides.planner
    left = next((o for c, o in sides.left_pairs if c in sides.left.time), "left.time")
    right = next((o for c, o in sides.right_pairs if c in sides.right.time), "right.time")
    for part in parts:
        if isinstance(part.unnest(), (exp.GT, exp.GTE, exp.LT, exp.LTE)):
            planner.refuse(
                "an ASOF JOIN compares the event times of its two sides, and nothing else",
                f"write {left} >= {right}, and filter further in WHERE",
                part,
            )
    planner.refuse("the ASOF JOIN compares no times", f"add {left} >= {right}", sides.join)


def _refuse_condition(sides: Sides, part: exp.Expr) -> NoReturn:
    name = sides.names[1]
    if sides.kind == "left":
        hint = f"join (SELECT * FROM {name} WHERE …) where it reads {name} alone; else use CASE WHEN in SELECT"
    else:
        hint = f"filter matches in WHERE; to choose among fewer rows, join (SELECT * FROM {name} WHERE …)"
    sides.planner.refuse("a join for the row in force takes equalities only besides the times", hint, part)


def _is_raw(node: Node) -> bool:
    """Is it a table's records, deletes as well?"""
    return isinstance(node, Source) and node.op


def _check_key(sides: Sides, equal: list[tuple[str, str]]) -> None:
    """A table's versions are those of its primary key."""
    table = sides.right
    if not _is_raw(table):
        return
    assert isinstance(table, Source)
    key = set(table.stream.schema.key)
    if {b for _, b in equal} != key:
        name = sides.names[1]
        wanted = " AND ".join(f"{name}.{k} = …" for k in sorted(key))
        sides.planner.refuse(
            f"FOR SYSTEM_TIME AS OF finds a version by the table's key ({', '.join(sorted(key))}), no more and no less",
            f"write ON {wanted}; compare other columns in WHERE",
            sides.join,
        )


def version_of(item: exp.Expr) -> exp.Expr | None:
    """The time in ``t FOR SYSTEM_TIME AS OF time`` (also FOR TIMESTAMP AS OF, AT (TIMESTAMP => time)), or None."""
    version, when = item.args.get("version"), item.args.get("when")
    if isinstance(version, exp.Version):
        found = version.args.get("expression")
    else:
        found = when.args.get("expression") if isinstance(when, exp.HistoricalData) else None
    return found if isinstance(found, exp.Expr) else None
