"""What may differ between two plans of one query with other constants, so that one goes on with the other's state.

A constant in a stateless step over facts (a filter, a projection) counts from the next row on. One that says how long
something is kept, by what it is grouped, or what of a changelog is shown cannot change under a running job: what it
holds, or what it has written, would belong to neither value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import sqlglot
from sqlglot import exp

from velostream_nb.sql import plan as plans
from velostream_nb.sql.plan import JobPlan, Node, walk

_STRUCTURE = ("inputs", "tallies")
"""Fields that are compared by the walk itself, or that say in parts what another one says."""

_FREE: Mapping[type[Node], tuple[str, ...]] = {
    plans.Project: ("items", "where", "joined"),
    plans.Over: ("calls",),
    plans.TableJoin: ("condition",),
    plans.IntervalJoin: ("condition",),
}
"""Fields whose constants count from the next row on, of nodes whose rows are facts."""

_WHAT = {  # those that say most come first
    "window": "the size of a window",
    "gap_us": "the gap of a session window",
    "keys": "what rows are grouped by",
    "partition": "what rows are partitioned by",
    "reaches": "how far a frame reaches",
    "keep_us": "how long a window takes late rows",
    "windows": "what a window function has computed",
    "ends": "when a partition ends",
    "low_us": "the bound of a join",
    "high_us": "the bound of a join",
    "equal": "what a join compares",
    "condition": "what an outer join has matched",
    "offset_us": "the bound of a join",
    "rank": "the order of a Top-N",
    "sql": "what the changelog holds already",
    "delay_us": "how far the watermark stays behind",
    "idle_us": "when a partition counts as idle",
    "ttl_us": "how long state is kept",
    "calls": "what a running aggregate has summed up",
    "aggregates": "how an aggregate is computed",
    "items": "what the changelog has shown already",
    "where": "what the changelog has shown already",
    "stream": "what is read",
}


def difference(old: JobPlan, new: JobPlan) -> str | None:
    """What keeps `new` from going on with the state of `old`, for people; None when it can."""
    before, after = walk(old.root), walk(new.root)
    if len(before) != len(after):
        return "the steps of the query"
    numbers = ({id(n): i for i, n in enumerate(before)}, {id(n): i for i, n in enumerate(after)})
    found: list[str] = []
    retimed = any(isinstance(node, plans.Project) and node.retime for node in before)
    for one, other in zip(before, after, strict=True):
        places = [[index[id(i)] for i in node.inputs] for index, node in zip(numbers, (one, other), strict=True)]
        if type(one) is not type(other) or places[0] != places[1]:
            return "the steps of the query"
        # how far a column lags behind event time matters to who windows or orders by it
        skipped = _STRUCTURE if retimed else (*_STRUCTURE, "time")
        names = [item.name for item in fields(one) if item.name not in skipped]
        found += [name for name in names if not _may_differ(one, name, getattr(other, name))]
    if found:
        # a window's size also moves how far its columns lag behind event time: say what the user has changed
        return next((what for name, what in _WHAT.items() if name in found), "what the job keeps")
    if (old.key, old.changelog, old.late) != (new.key, new.changelog, new.late):
        return "how the output is written"
    return None


def _may_differ(node: Node, name: str, new: object) -> bool:
    old = getattr(node, name)
    if old == new:
        return True
    if name == "condition" and isinstance(node, plans.IntervalJoin) and node.kind != "inner":
        return False
    if name in _FREE.get(type(node), ()) and not node.changes:
        return name != "items" or _names(old) == _names(new)
    if name == "aggregates" and isinstance(old, tuple) and isinstance(new, tuple):
        return _names(old) == _names(new) and all(_same_call(a, b) for (a, _), (b, _) in zip(old, new, strict=True))
    if name == "calls" and isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(_same_running, old, new))
    return False


def _names(items: object) -> list[str]:
    assert isinstance(items, tuple)
    return [name for _, name in items]


def _same_running(old: plans.RunningCall, new: plans.RunningCall) -> bool:
    if replace(old, call="", argument="", where="") != replace(new, call="", argument="", where=""):
        return False
    texts = ((old.call, new.call), (old.argument, new.argument), (old.where, new.where))
    return all(bool(one) == bool(other) and (not one or _same_call(one, other)) for one, other in texts)


def _same_call(old: str, new: str) -> bool:
    """Whether two aggregates differ only in constants of what each row adds, and not in one of the function's own.

    ``sum(CASE WHEN price > 5 …)`` may become ``… > 7``: each row adds what the value says when it comes.
    ``quantile_cont(price, 0.5)`` may not become ``…, 0.9)``.
    """
    return _outline(old) == _outline(new)


def _outline(call: str) -> str:
    """The SQL with a mark for every constant that is none of an aggregate's own arguments."""
    tree = sqlglot.parse_one(call, dialect="duckdb")
    own: set[int] = set()
    for function in tree.find_all(exp.AggFunc, exp.Anonymous, exp.AnonymousAggFunc):
        parts = [part for value in function.args.values() for part in (value if isinstance(value, list) else [value])]
        direct = [part for part in parts if isinstance(part, exp.Literal | exp.Array)]
        own |= {id(literal) for part in direct for literal in part.find_all(exp.Literal)}

    def blank(node: exp.Expr) -> exp.Expr:
        return exp.Placeholder() if isinstance(node, exp.Literal) and id(node) not in own else node

    return str(tree.transform(blank, copy=False).sql(dialect="duckdb"))
