"""Sums, products and the like of columns, and comparisons of them, apart from their SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.sql.scope import is_column

_COMPARISONS: dict[type[exp.Expr], str] = {exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
_EXTREMES: dict[type[exp.Expr], str] = {exp.Least: "least", exp.Greatest: "greatest"}
_DIGITS = 15
"""A literal of so many digits is the same double however it is read."""
_LITERAL = re.compile(r"(\d*)(?:\.(\d+))?(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """A column of the left (0) or right (1) input of a join, or of the only one (0), by its own name."""

    side: int
    column: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A number as it is written.

    Attributes:
        digits: all of them, as one whole number.
        places: how many of them stand behind the point; None: an exponent makes a DOUBLE of it.
        double: the number itself.
    """

    digits: int
    places: int | None
    double: float

    def negated(self) -> Literal:
        # only a DOUBLE has a zero below zero
        return Literal(-self.digits, self.places, -self.double if self.digits or self.places is None else 0.0)


@dataclass(frozen=True, slots=True)
class Formula:
    """An operator and what it is applied to.

    Attributes:
        sign: '<', '<=', '>', '>='; '+', '-', '*', '/'; 'abs', 'neg'; 'round' (to so many digits). They are NULL where
            one of the parts is. Others are not: 'coalesce', 'least', 'greatest'.
    """

    sign: str
    parts: tuple[Operand, ...]

    def values(self) -> tuple[Value, ...]:
        """The columns it reads."""
        found: list[Value] = []
        for part in self.parts:
            found += part.values() if isinstance(part, Formula) else [part] if isinstance(part, Value) else []
        return tuple(dict.fromkeys(found))


Operand = Formula | Value | Literal
Names = tuple[Mapping[str, str], Mapping[str, str]]


def formula_of(tree: exp.Expr, names: Names, *, strict: bool = True) -> Formula | None:
    """A bound comparison as a formula; None when anything else is in it.

    Args:
        names: of each side, own column names by output names.
        strict: it is NULL wherever one of its columns is.
    """
    sign = _COMPARISONS.get(type(tree))
    if sign is None or not isinstance(tree, exp.Binary):
        return None
    return _Reader(names, None if strict else {}).applied(sign, *_sides(tree))


def arithmetic_of(tree: exp.Expr, names: Mapping[str, str], aliases: Mapping[str, Operand]) -> Operand | None:
    """A bound expression over one input; None when anything else is in it.

    Args:
        names: own column names by output names.
        aliases: what further names stand for.
    """
    return _Reader((names, {}), aliases).operand(tree)


class _Reader:
    """Reads trees.

    Args:
        aliases: what further names stand for; None where only what is NULL with its arguments is read.
    """

    def __init__(self, names: Names, aliases: Mapping[str, Operand] | None = None) -> None:
        self._names = names
        self._aliases = aliases

    def operand(self, tree: exp.Expr) -> Operand | None:
        tree = tree.unnest()
        for side, own in enumerate(self._names):
            column = is_column(tree, own)
            if column is not None:
                return Value(side, own[column])
        if isinstance(tree, exp.Literal):
            return _literal(tree)
        if isinstance(tree, exp.Neg):
            inner = self.operand(tree.this)
            return (
                inner.negated() if isinstance(inner, Literal) else None if inner is None else Formula("neg", (inner,))
            )
        if isinstance(tree, exp.Abs):
            return self.applied("abs", tree.this)
        sign = _ARITHMETIC.get(type(tree))
        if sign is not None and isinstance(tree, exp.Binary):
            return self.applied(sign, *_sides(tree))
        return None if self._aliases is None else self._more(tree, self._aliases)

    def _more(self, tree: exp.Expr, aliases: Mapping[str, Operand]) -> Operand | None:
        """What does not treat NULL as arithmetic does, or is no arithmetic."""
        alias = is_column(tree, aliases)
        if alias is not None:
            return aliases[alias]
        if isinstance(tree, exp.Coalesce):
            return self.applied("coalesce", tree.this, *tree.expressions)
        if isinstance(tree, exp.Round) and isinstance(tree.args.get("decimals"), exp.Literal):
            return self.applied("round", tree.this, tree.args["decimals"])
        extreme = _EXTREMES.get(type(tree))
        return None if extreme is None else self.applied(extreme, tree.this, *tree.expressions)

    def applied(self, sign: str, *trees: exp.Expr) -> Formula | None:
        parts = [part for tree in trees if (part := self.operand(tree)) is not None]
        return Formula(sign, tuple(parts)) if len(parts) == len(trees) else None


def _sides(tree: exp.Binary) -> tuple[exp.Expr, exp.Expr]:
    return tree.left, tree.right


def _literal(tree: exp.Literal) -> Literal | None:
    written = _LITERAL.fullmatch(tree.name)
    if tree.is_string or written is None:
        return None
    whole, fraction, exponent = written.groups(default="")
    if not 0 < len(whole + fraction) <= _DIGITS:
        return None
    return Literal(int(whole + fraction), None if exponent else len(fraction), float(tree.name))
