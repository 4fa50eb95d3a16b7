"""Window functions by name: what kind each is, and forms of them that leave no order open."""

from __future__ import annotations

import re

from sqlglot import exp

from velostream_nb.sql.scope import text

RANKS = ("ROW_NUMBER", "RANK", "DENSE_RANK")
SHIFTS = ("LAG", "LEAD")
VALUES = ("FIRST_VALUE", "LAST_VALUE", "NTH_VALUE")
WHOLE = ("PERCENT_RANK", "CUME_DIST", "NTILE", "FILL")
"""Functions that must know their whole partition."""

NUMBERED = ("ROW_NUMBER", "NTILE", "LAG", "LEAD", "FILL")
"""Functions whose answer tells peers apart."""

FOLDS = ("COUNT", "SUM", "MIN", "MAX", "AVG")
"""Aggregates whose value (for AVG, two) is all that must be remembered of what they have seen."""

HOARDERS = (
    "MEDIAN", "QUANTILE", "QUANTILE_CONT", "QUANTILE_DISC", "PERCENTILE_CONT", "PERCENTILE_DISC", "MAD", "MODE",
    "HISTOGRAM", "HISTOGRAM_EXACT", "ENTROPY",
)  # fmt: skip
"""Aggregates whose states remember every value."""

ZERO_OF_NONE = ("COUNT", "COUNT_IF", "COUNTIF", "COUNT_STAR", "APPROX_COUNT_DISTINCT", "REGR_COUNT")
"""Aggregates that are 0 over no rows; the others are NULL."""

_AS_VALUE = {"FIRST": exp.FirstValue, "ARBITRARY": exp.FirstValue, "ANY_VALUE": exp.FirstValue, "LAST": exp.LastValue}
_IN_ORDER = (
    "LIST", "ARRAY_AGG", "STRING_AGG", "LISTAGG", "GROUP_CONCAT", "MODE", "APPROX_QUANTILE", "FIRST", "LAST",
    "ANY_VALUE", "ARBITRARY", "ARG_MAX", "ARG_MIN", "ARGMAX", "ARGMIN", "MAX_BY", "MIN_BY", "ARG_MAX_NULL",
    "ARG_MIN_NULL",
)  # fmt: skip


def bare(function: exp.Expr) -> exp.Expr:
    """The function without FILTER and IGNORE NULLS."""
    while isinstance(function, exp.Filter | exp.IgnoreNulls | exp.RespectNulls):
        function = function.this
    return function


def name_of(function: exp.Expr) -> str:
    """DuckDB's name of a window function, upper case."""
    return text(bare(function)).partition("(")[0].strip().upper()


def ignores_nulls(function: exp.Expr) -> bool:
    """Does it say IGNORE NULLS?"""
    return isinstance(function, exp.IgnoreNulls)


def as_value(function: exp.Expr) -> exp.Expr:
    """FIRST, LAST and ANY_VALUE as the window functions they are; any other function as it stands."""
    name = name_of(function)
    if name not in _AS_VALUE or isinstance(function, exp.Filter) or function.find(exp.Order, exp.Distinct):
        return function
    inner = bare(function)
    argument = inner.this if isinstance(inner.this, exp.Expr) else inner.expressions[0]
    value: exp.Expr = _AS_VALUE[name](this=argument.copy())
    return exp.IgnoreNulls(this=value) if name == "ANY_VALUE" or ignores_nulls(function) else value


def in_frame_order(function: exp.Expr, order: list[exp.Expr]) -> exp.Expr:
    """The function with an order of its own, where the window's order leaves open which of its peers comes first."""
    if name_of(function) not in (*VALUES, *_IN_ORDER) or function.find(exp.Order, exp.Distinct):
        return function
    function = function.copy()
    call = bare(function)
    if isinstance(call, exp.Anonymous):
        last = call.expressions[-1]
    else:
        arguments = [call.args.get(key) for key in ("this", "expression", "offset", "separator")]
        last = [a for a in arguments if isinstance(a, exp.Expr)][-1]
    written = exp.Order(expressions=[o.copy() for o in order])
    last.replace(exp.Var(this=f"{text(last)} {text(written)}"))
    return function


def folded(function: exp.Expr) -> tuple[str, str] | None:
    """(argument, FILTER) of one of `FOLDS`, '' for rows and for none; None when it is not so plain a call."""
    inner = bare(function)
    if name_of(function) not in FOLDS or inner.find(exp.Distinct, exp.Order):
        return None
    if inner.expressions or inner.args.get("expression"):  # min(x, 3)
        return None
    argument = "" if isinstance(inner.this, exp.Star) or inner.this is None else text(inner.this)
    return argument, text(function.expression.this) if isinstance(function, exp.Filter) else ""


def filtered_values(function: exp.Expr) -> exp.Expr | None:
    """What a plain call looks at, NULL where its FILTER leaves a row out; None when it looks at rows, all of them."""
    values = bare(function).this
    values = None if isinstance(values, exp.Star) else values
    if not isinstance(function, exp.Filter):
        return values
    given = exp.Literal.number(1) if values is None else values.copy()
    return exp.Case(ifs=[exp.If(this=function.expression.this.copy(), true=given)])


def plain(tree: exp.Expr) -> str:
    """The expression as people write it: names unquoted where they need no quotes."""
    return re.sub(r'"([A-Za-z_]\w*(?:\.\w+)?)"', r"\1", text(tree))


def whole_number(tree: exp.Expr) -> int | None:
    """A whole number literal, perhaps negative; None for anything else."""
    sign, tree = (-1, tree.this) if isinstance(tree, exp.Neg) else (1, tree)
    if isinstance(tree, exp.Literal) and not tree.is_string and tree.name.isdecimal():
        return sign * int(tree.name)
    return None
