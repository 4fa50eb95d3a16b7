"""Which windows of a query are emitted before they are final, or once more after: EMIT CHANGES and late data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from velostream_nb.core.settings import option
from velostream_nb.sql.aggregates import is_aggregate_call

if TYPE_CHECKING:
    from velostream_nb.sql.planner import Planner

_MARK = "velo_emits"
_ABOVE = ("joins", "group", "having", "qualify", "distinct", "laterals")


def late_data(settings: Mapping[str, str]) -> str:
    """What becomes of late rows: 'drop', 'dead_letter' or 'update'."""
    return (option("late.data", settings) or "drop").lower()


def emits(planner: Planner, select: exp.Select) -> tuple[bool, int] | None:
    """How a SELECT's windows are emitted: None, once, when they are final.

    Else whether early, and for how long (µs) after their end they are corrected.
    """
    if not select.meta.get(_MARK):
        return None
    early = planner.emit == "changes"
    keep_us = planner.duration_us("late.within", "1h") if late_data(planner.settings) == "update" else 0
    return (early, keep_us) if early or keep_us else None


def mark_outermost(tree: exp.Expr) -> None:
    """Mark the SELECTs whose rows are the query's own: the outermost ones, and those they only project and filter."""
    _mark(tree, {})


def _mark(tree: exp.Expr, ctes: Mapping[str, exp.Expr]) -> None:
    known = dict(ctes)
    with_ = tree.args.get("with_")
    if with_ is not None:
        known.update({cte.alias.lower(): cte.this for cte in with_.expressions})
    if isinstance(tree, exp.Subquery):
        _mark(tree.this, known)
    elif isinstance(tree, exp.Union):
        _mark(tree.left, known)
        _mark(tree.right, known)
    elif isinstance(tree, exp.Select):
        tree.meta[_MARK] = True
        from_ = tree.args.get("from_")
        if from_ is not None and _only_projects(tree):
            _mark_source(from_.this, tree, known)


def _mark_source(source: exp.Expr, reader: exp.Select, ctes: Mapping[str, exp.Expr]) -> None:
    if isinstance(source, exp.Subquery):
        _mark(source.this, ctes)
        return
    name = source.name.lower() if isinstance(source, exp.Table) and not source.db else ""
    if name in ctes:
        readers = [t for t in reader.root().find_all(exp.Table) if t.name.lower() == name]
        if len(readers) == 1:  # another reader would want its final windows
            _mark(ctes[name], {k: v for k, v in ctes.items() if k != name})


def _only_projects(tree: exp.Select) -> bool:
    if any(tree.args.get(clause) for clause in _ABOVE):
        return False
    return not any(isinstance(n, exp.Window) or is_aggregate_call(n) for e in tree.expressions for n in e.walk())
