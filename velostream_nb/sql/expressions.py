"""The items of a SELECT list, as far as they need no DuckDB; apart from SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.sql.conditions import Condition, condition_in
from velostream_nb.sql.formulas import Operand, Value, arithmetic_of
from velostream_nb.sql.scope import text


@dataclass(frozen=True, slots=True)
class Case:
    """CASE WHEN … THEN text.

    Attributes:
        branches: (condition, text), the first that is true counts.
        otherwise: None: NULL.
    """

    branches: tuple[tuple[Condition, str], ...]
    otherwise: str | None


Expression = Operand | Case


def expressions_of(items: Sequence[tuple[str, str]], columns: Sequence[str]) -> dict[str, Expression] | None:
    """What each name of a SELECT list stands for; None when one of them needs DuckDB.

    Args:
        items: (bound SQL, name). An item may use the names of those before it.
        columns: of the rows it reads.
    """
    names = {name: name for name in columns}
    plain = {f'"{name}"': name for name in columns if '"' not in name}
    found: dict[str, Expression] = {}
    aliases: dict[str, Operand] = {}
    for sql, name in items:
        if sql in plain:  # most are columns, and to read SQL takes its time
            found[name] = aliases[name] = Value(0, plain[sql])
            continue
        tree: exp.Expr = exp.maybe_parse(sql, dialect="duckdb")
        if text(tree) != sql:  # what was read is not surely what was written
            return None
        expression = _case(tree, names) if isinstance(tree, exp.Case) else arithmetic_of(tree, names, aliases)
        if expression is None:
            return None
        found[name] = expression
        if not isinstance(expression, Case):
            aliases[name] = expression
    return found


def _case(tree: exp.Case, names: Mapping[str, str]) -> Case | None:
    if tree.this is not None:
        return None
    branches = []
    for branch in tree.args["ifs"]:
        condition, result = condition_in(branch.this, names), _text(branch.args["true"])
        if condition is None or result is None:
            return None
        branches.append((condition, result))
    default = tree.args.get("default")
    otherwise = None if default is None else _text(default)
    return None if default is not None and otherwise is None else Case(tuple(branches), otherwise)


def _text(tree: exp.Expr) -> str | None:
    return str(tree.name) if isinstance(tree, exp.Literal) and tree.is_string else None
