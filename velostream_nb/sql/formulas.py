"""Sums, products and the like of columns, and comparisons of them, apart from their SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.sql.scope import is_column, text

_COMPARISONS: dict[type[exp.Expr], str] = {exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_DIGITS = 15
"""A literal of so many digits is the same double however it is read."""


@dataclass(frozen=True, slots=True)
class Value:
    """A column of the left (0) or right (1) input of a join, or of the only one (0), by its own name."""

    side: int
    column: str


@dataclass(frozen=True, slots=True)
class Formula:
    """An operator and what it is applied to; a float is a literal.

    Attributes:
        sign: '<', '<=', '>', '>='; '+', '-', '*', '/'; 'abs', 'neg'; 'coalesce', in no comparison.
    """

    sign: str
    parts: tuple[Operand, ...]

    def values(self) -> tuple[Value, ...]:
        """The columns it reads."""
        found: list[Value] = []
        for part in self.parts:
            found += part.values() if isinstance(part, Formula) else [part] if isinstance(part, Value) else []
        return tuple(dict.fromkeys(found))


Operand = Formula | Value | float


def formula_of(tree: exp.Expr, names: tuple[Mapping[str, str], Mapping[str, str]]) -> Formula | None:
    """A bound comparison as a formula; None when anything else is in it.

    Args:
        names: of each side, own column names by output names.
    """
    sign = _COMPARISONS.get(type(tree))
    return None if sign is None or not isinstance(tree, exp.Binary) else _applied(sign, (tree.left, tree.right), names)


def arithmetic_of(sql: str, names: Mapping[str, str]) -> Formula | None:
    """A bound expression over one input as a formula, 'coalesce' allowed; None when anything else is in it."""
    tree: exp.Expr = exp.maybe_parse(sql, dialect="duckdb")
    found = _operand(tree, (names, {}), nulls=True) if text(tree) == sql else None
    return found if isinstance(found, Formula) else None


def _operand(
    tree: exp.Expr, names: tuple[Mapping[str, str], Mapping[str, str]], *, nulls: bool = False
) -> Operand | None:
    tree = tree.unnest()
    for side, own in enumerate(names):
        column = is_column(tree, own)
        if column is not None:
            return Value(side, own[column])
    if isinstance(tree, exp.Literal):
        return _literal(tree)
    if isinstance(tree, exp.Neg):
        inner = _operand(tree.this, names, nulls=nulls)
        return -inner if isinstance(inner, float) else None if inner is None else Formula("neg", (inner,))
    if isinstance(tree, exp.Abs):
        return _applied("abs", (tree.this,), names, nulls=nulls)
    if isinstance(tree, exp.Coalesce) and nulls:
        return _applied("coalesce", (tree.this, *tree.expressions), names, nulls=True)
    sign = _ARITHMETIC.get(type(tree))
    if sign is None or not isinstance(tree, exp.Binary):
        return None
    return _applied(sign, (tree.left, tree.right), names, nulls=nulls)


def _applied(
    sign: str,
    trees: tuple[exp.Expr, ...],
    names: tuple[Mapping[str, str], Mapping[str, str]],
    *,
    nulls: bool = False,
) -> Formula | None:
    parts = [part for tree in trees if (part := _operand(tree, names, nulls=nulls)) is not None]
    return Formula(sign, tuple(parts)) if len(parts) == len(trees) else None


def _literal(tree: exp.Literal) -> float | None:
    if tree.is_string or sum(c.isdigit() for c in tree.name.lower().partition("e")[0]) > _DIGITS:
        return None
    return float(tree.name)
