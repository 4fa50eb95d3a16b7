"""Aggregate calls: which functions they are, and forms of them whose answer no order of arrival changes.

DuckDB leaves it to the order in which rows come what ``first``, ``list`` or a tie in ``arg_max`` give. Here that order
is event time, then position: such calls are rewritten so that they say it, and their states merge where they can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from velostream_nb.core.errors import UnsupportedError, did_you_mean
from velostream_nb.core.records import TS

_AGGREGATES = """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last
    arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bitstring_agg
    bool_and bool_or corr count count_if count_star countif covar_pop covar_samp decimal_average entropy favg first
    fsum group_concat histogram histogram_exact kahan_sum kurtosis kurtosis_pop last list listagg lttb mad max
    max_by mean median min min_by mode product quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop
    stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance
"""
AGGREGATES = frozenset(_AGGREGATES.split())
"""Every aggregate that DuckDB has and that can be asked for here; a test compares the list with DuckDB's."""

REFUSED = {
    "combine_aggr": "aggregate the values themselves",
    "variant_group_object": "build a map: map_from_entries(list((key, value)))",
    "variant_group_array": "build a list: list(value)",
}
"""Aggregates of DuckDB that are refused: internal ones, and those of a type that cannot leave DuckDB."""

_JSON_OF = "CASE WHEN {0} IS NULL THEN CAST('null' AS JSON) ELSE to_json({0}) END"
MACROS = {
    "geomean": "exp(avg(ln({0})))",
    "geometric_mean": "exp(avg(ln({0})))",
    "weighted_avg": "(sum({0} * {1}) / sum(CASE WHEN {0} IS NOT NULL THEN {1} ELSE 0 END))",
    "wavg": "(sum({0} * {1}) / sum(CASE WHEN {0} IS NOT NULL THEN {1} ELSE 0 END))",
    "json_group_array": f"CAST('[' || string_agg({_JSON_OF}, ',') || ']' AS JSON)",
    "json_group_object": (
        "CAST('{{' || string_agg(CASE WHEN {0} IS NULL THEN error('json_group_object key cannot be NULL') "
        "ELSE to_json(CAST({0} AS VARCHAR)) END || ':' || "
        "CASE WHEN {1} IS NULL THEN CAST('null' AS JSON) ELSE to_json({1}) END, ',') || '}}' AS JSON)"
    ),
    "json_group_structure": "(json_structure(json_group_array({0})) -> 0)",
}
"""What DuckDB itself makes of its aggregate macros; as written they would take no FILTER and give no state."""

_SELF_ORDERED = frozenset(
    {
        *("list", "array_agg", "string_agg", "listagg", "group_concat", "mode", "lttb"),
        *("approx_quantile", "approx_top_k", "reservoir_quantile"),
    }
)
"""Aggregates that see their rows one after another: they need all of them, in order."""
_NOT_AGGREGATES = (exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue, exp.RowNumber, exp.Grouping)
_WRAPPERS = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
_BY_TIME = {
    "first": ("ARG_MIN_NULL", exp.Anonymous),
    "arbitrary": ("ARG_MIN_NULL", exp.Anonymous),
    "last": ("ARG_MAX_NULL", exp.Anonymous),
    "any_value": ("ARG_MIN", exp.Anonymous),
}


def is_aggregate_call(node: exp.Expr) -> bool:
    """Is this node an aggregate call (with its FILTER and WITHIN GROUP), not a window function?"""
    if isinstance(node, _WRAPPERS):
        return is_aggregate_call(node.this)
    if isinstance(node, _NOT_AGGREGATES):
        return False
    if isinstance(node, exp.AggFunc):
        return True
    name = node.name.lower() if isinstance(node, exp.Anonymous) else ""
    return name in AGGREGATES or name in MACROS or name in REFUSED


def is_wrapped(node: exp.Expr) -> bool:
    """Is the node the inside of an aggregate call that was met as a whole already?"""
    return isinstance(node.parent, (*_WRAPPERS, exp.Window))


def expanded(call: exp.Expr, parse: Callable[[str], exp.Expr]) -> exp.Expr | None:
    """A macro call as the expression over aggregates that it stands for, its FILTER on each; None for any other call.

    Args:
        parse: reads an expression of DuckDB's.
    """
    inner = call.this if isinstance(call, exp.Filter) else call
    template = MACROS.get(inner.name.lower()) if isinstance(inner, exp.Anonymous) else None
    if template is None:
        return None
    arguments = [f"({_sql(a)})" for a in inner.expressions]
    try:
        body = parse(template.format(*arguments))
    except IndexError:
        raise UnsupportedError(f"{inner.name} needs more arguments", hint="see SHOW FUNCTIONS") from None
    if not isinstance(call, exp.Filter):
        return body

    def filtered(node: exp.Expr) -> exp.Expr:
        if is_aggregate_call(node) and not is_wrapped(node):
            return exp.Filter(this=node.copy(), expression=call.expression.copy())
        return node

    return body.transform(filtered)


def ordered_call(call: exp.Expr, pos: Sequence[str] | None) -> tuple[exp.Expr, bool]:
    """The call in a form that no order of arrival changes, and whether states of that form merge.

    Args:
        call: an aggregate call, bound.
        pos: position columns of the input, which break ties in event time; None when the rows have no order (those of
            a changelog): then values take the place of time.

    Raises:
        UnsupportedError: an aggregate that cannot work here, or that asks for an order where rows have none.
    """
    if isinstance(call, exp.Filter):
        inner, mergeable = ordered_call(call.this, pos)
        return exp.Filter(this=inner, expression=call.expression.copy()), mergeable
    if isinstance(call, exp.WithinGroup):
        return ordered_call(_without_group(call), pos)
    call = call.copy()
    name = name_of(call)
    if name in REFUSED:
        raise UnsupportedError(f"{name} cannot be computed here", hint=REFUSED[name])
    if name == "bitstring_agg" and len(call.expressions) < 3:
        raise UnsupportedError(
            "bitstring_agg needs its bounds: rows to come may lie anywhere", hint="write bitstring_agg(x, min, max)"
        )
    if call.find(exp.Order) is not None:
        _break_ties(call, pos)
        return call, False
    if call.find(exp.Distinct) is not None:
        return _distinct(call, name), False
    if name in _BY_TIME:
        return _by_time(call, name, pos), True
    if name.startswith("arg_m") and len(_arguments(call)) == 2:
        return _tie_broken(call, name, pos), True
    if name in _SELF_ORDERED or name.startswith("arg_m"):
        return _in_order(call, pos), False
    return call, True


def name_of(call: exp.Expr) -> str:
    """DuckDB's name of the function, lower case, without aliases of arg_min and arg_max."""
    name = call.name.lower() if isinstance(call, exp.Anonymous) else _sql(call).partition("(")[0].strip().lower()
    return {"argmax": "arg_max", "argmin": "arg_min", "max_by": "arg_max", "min_by": "arg_min"}.get(name, name)


def _sql(tree: exp.Expr) -> str:
    return str(tree.sql(dialect="duckdb"))


def _arguments(call: exp.Expr) -> list[exp.Expr]:
    inner = call.this if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)) else call
    if isinstance(inner, exp.Anonymous):
        return list(inner.expressions)
    values = (inner.args.get(key) for key in inner.arg_types)
    return [v for value in values for v in (value if isinstance(value, list) else [value]) if isinstance(v, exp.Expr)]


def _columns(names: Sequence[str]) -> list[exp.Expr]:
    return [exp.Column(this=exp.Identifier(this=n, quoted=True)) for n in names]


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[a.copy() for a in arguments])


def _without_group(call: exp.WithinGroup) -> exp.Expr:
    """``quantile_cont(0.5) WITHIN GROUP (ORDER BY x DESC)`` as the plain call ``quantile_cont(x, -0.5)``."""
    ordered = call.expression.expressions[0]
    name = name_of(call.this)
    if name == "mode":
        return _call("mode", ordered.this)
    if name not in ("quantile_cont", "quantile_disc"):
        raise UnsupportedError(f"{name} takes no WITHIN GROUP", hint=f"write {name}(x ORDER BY y)")
    (fraction,) = _arguments(call.this)[:1]
    if ordered.args.get("desc"):  # DuckDB counts a negative fraction from the end
        parts = fraction.expressions if isinstance(fraction, exp.Array) else [fraction]
        negated: list[exp.Expr] = [exp.Neg(this=exp.paren(p.copy())) for p in parts]
        fraction = exp.Array(expressions=negated) if isinstance(fraction, exp.Array) else negated[0]
    return _call(name, ordered.this, fraction)


def _break_ties(call: exp.Expr, pos: Sequence[str] | None) -> None:
    order = call.find(exp.Order)
    assert order is not None
    if call.find(exp.Distinct) is None and pos is not None:  # with DISTINCT, equal values are one
        for column in _columns((TS, *pos)):
            order.append("expressions", exp.Ordered(this=column))


def _distinct(call: exp.Expr, name: str) -> exp.Expr:
    """``list(DISTINCT x)`` in the order of its values: which of several equal ones came first does not matter."""
    distinct = call.find(exp.Distinct)
    assert distinct is not None
    if (name not in _SELF_ORDERED and name not in _BY_TIME) or len(distinct.expressions) != 1:
        return call
    order = exp.Order(this=distinct.copy(), expressions=[exp.Ordered(this=distinct.expressions[0].copy())])
    distinct.replace(order)
    return call


def _by_time(call: exp.Expr, name: str, pos: Sequence[str] | None) -> exp.Expr:
    """``first(x)`` as ``arg_min_null(x, (time, position))``, whose states merge in any order."""
    argument = _arguments(call)[0]
    if pos is not None:
        return _call(_BY_TIME[name][0], argument, _row(*_columns((TS, *pos))))
    if name == "any_value":
        return _call("min", argument)
    raise UnsupportedError(
        f"{name}({_sql(argument)}) of a changelog: its rows have no order",
        hint=f"say which one: {name}({_sql(argument)} ORDER BY …), or take any_value({_sql(argument)})",
    )


def _tie_broken(call: exp.Expr, name: str, pos: Sequence[str] | None) -> exp.Expr:
    """``arg_max(x, y)`` that takes the earliest of several rows with the greatest y, whatever came first."""
    value, by = _arguments(call)
    ties = _columns((TS, *pos)) if pos is not None else [value]
    if name.startswith("arg_max") and pos is not None:
        ties = [exp.Neg(this=t) for t in ties]
    row = _row(by, *ties)
    known = exp.Not(this=exp.Is(this=exp.paren(by.copy()), expression=exp.null()))
    return _call(name, value, exp.Case().when(known, row))


def _row(*parts: exp.Expr) -> exp.Anonymous:
    return _call("row", *parts)


def _in_order(call: exp.Expr, pos: Sequence[str] | None) -> exp.Expr:
    """``list(x ORDER BY time, position)``."""
    arguments = _arguments(call)
    by = _columns((TS, *pos)) if pos is not None else arguments[:1]
    order = "ORDER BY " + ", ".join(_sql(b) for b in by)
    written = ", ".join(_sql(a) for a in arguments)
    name = name_of(call)
    # one argument that holds the ORDER BY: the generator writes it as it stands
    return exp.Anonymous(this=name, expressions=[exp.Var(this=f"{written} {order}")])


def ungrouped(column: exp.Column) -> tuple[str, str]:
    """What is wrong with a column that is neither grouped by nor aggregated, and what to do."""
    call = column.find_ancestor(exp.Anonymous)
    near = None if call is None else did_you_mean(call.name, AGGREGATES)
    if call is not None and near is not None:
        return f"column {column.name!r} is in {call.name}(), which is no aggregate", near
    return (
        f"column {column.name!r} must be in GROUP BY or inside an aggregate",
        f"add it to GROUP BY, or take any_value({column.name}) or arg_max({column.name}, time)",
    )
