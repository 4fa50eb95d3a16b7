"""Conditions over the columns of one relation, as far as they are comparisons that need no DuckDB; apart from SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.sql.formulas import Formula, formula_of
from velostream_nb.sql.scope import conjuncts, is_column, text

_SWAPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SIGNS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_WHOLE = re.compile(r"-?\d{1,18}")


@dataclass(frozen=True, slots=True)
class Compared:
    """A column beside a literal.

    Attributes:
        sign: '=', '<>', '<', '<=', '>', '>='.
        formula: the same as arithmetic, where it may be read so.
    """

    column: str
    sign: str
    literal: str | int
    formula: Formula | None = None


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column is NULL, or is not."""

    column: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Every:
    """AND; None stands for a part that only DuckDB can say."""

    parts: tuple[Condition | None, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """OR, likewise."""

    parts: tuple[Condition | None, ...]


Condition = Formula | Compared | IsNull | Every | Some


def columns_of(condition: Condition) -> tuple[str, ...]:
    """The columns that a condition reads, as far as it is known."""
    if isinstance(condition, Formula):
        return tuple(value.column for value in condition.values())
    if isinstance(condition, Compared | IsNull):
        return (condition.column,)
    return tuple(dict.fromkeys(name for part in condition.parts if part is not None for name in columns_of(part)))


def words_of(condition: Condition) -> tuple[str, ...]:
    """The texts that a condition compares with."""
    if isinstance(condition, Every | Some):
        return tuple(word for part in condition.parts if part is not None for word in words_of(part))
    return (condition.literal,) if isinstance(condition, Compared) and isinstance(condition.literal, str) else ()


def condition_of(sql: str, names: Mapping[str, str]) -> Condition | None:
    """A bound condition; None when nothing is known of it.

    Args:
        names: own column names by those that the condition uses.
    """
    tree: exp.Expr = exp.maybe_parse(sql, dialect="duckdb")
    # what was read is not surely what was written, but for parentheses around it
    return condition_in(tree, names) if text(tree) == sql else None


def condition_in(tree: exp.Expr, names: Mapping[str, str]) -> Condition | None:
    """The same for SQL that is read already."""
    parts = conjuncts(tree)
    if len(parts) > 1:
        return _known(Every(tuple(condition_in(part, names) for part in parts)))
    (tree,) = parts
    if isinstance(tree, exp.Or):
        return _known(Some(tuple(condition_in(side, names) for side in (tree.left, tree.right))))
    if isinstance(tree, exp.Between) and not tree.args.get("symmetric"):
        low = exp.GTE(this=tree.this.copy(), expression=tree.args["low"].copy())
        high = exp.LTE(this=tree.this.copy(), expression=tree.args["high"].copy())
        return _known(Every((condition_in(low, names), condition_in(high, names))))
    if isinstance(tree, exp.In):
        return _listed(tree, names)
    if isinstance(tree, exp.Not) and isinstance(tree.this, exp.Is):
        return _is_null(tree.this, names, negated=True)
    if isinstance(tree, exp.Is):
        return _is_null(tree, names, negated=False)
    return _compared(tree, names)


def _known(condition: Every | Some) -> Condition | None:
    """Is anything known of it? Of an OR, all of it must be."""
    there = [part is not None for part in condition.parts]
    known = any(there) if isinstance(condition, Every) else all(there)
    return condition if known else None


def _listed(tree: exp.In, names: Mapping[str, str]) -> Condition | None:
    if not tree.expressions:  # a subquery, or a column of lists
        return None
    found = [_compared(exp.EQ(this=tree.this.copy(), expression=e.copy()), names) for e in tree.expressions]
    return _known(Some(tuple(found)))


def _is_null(tree: exp.Is, names: Mapping[str, str], *, negated: bool) -> Condition | None:
    column = is_column(tree.this, names)
    if column is None or not isinstance(tree.expression, exp.Null):
        return None
    return IsNull(names[column], negated)


def _compared(tree: exp.Expr, names: Mapping[str, str]) -> Condition | None:
    sign = _SIGNS.get(type(tree))
    if sign is None or not isinstance(tree, exp.Binary):
        return None
    formula = formula_of(tree, (names, {}), strict=False)
    for one, other, read in ((tree.left, tree.right, sign), (tree.right, tree.left, _SWAPPED[sign])):
        column, literal = is_column(one, names), _literal(other)
        if column is not None and literal is not None:
            return Compared(names[column], read, literal, formula)
    return formula


def _literal(tree: exp.Expr) -> str | int | None:
    tree = tree.unnest()
    negative = isinstance(tree, exp.Neg)
    inner = tree.this.unnest() if negative else tree
    if not isinstance(inner, exp.Literal) or (negative and inner.is_string):
        return None
    if inner.is_string:
        return str(inner.name)
    written = f"{'-' if negative else ''}{inner.name}"
    return int(written) if _WHOLE.fullmatch(written) else None
