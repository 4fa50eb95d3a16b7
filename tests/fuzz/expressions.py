"""Random expressions by type, over columns that are there. All of them compute on every row: nothing overflows or casts badly."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fuzz.draw import Draw

INT, FLOAT, TEXT, BOOL, DEC, TIME = "int", "float", "text", "bool", "dec", "time"

Columns = Mapping[str, str]
"""Column (as it is written) to its type."""

_LITERALS = {
    INT: ("0", "1", "-2", "100"),
    FLOAT: ("0.5::DOUBLE", "-1.25::DOUBLE", "'nan'::DOUBLE"),
    TEXT: ("'a'", "''", "'é✓'"),
    BOOL: ("true", "false", "NULL::BOOLEAN"),
    DEC: ("0.10", "-2.50"),
    TIME: ("TIMESTAMP '2024-01-01 00:00:05'",),
}

_PATTERNS = ("'%a%'", "'_'", "''")


def of_type(columns: Columns, kind: str) -> list[str]:
    return [name for name, k in columns.items() if k == kind]


def expression(draw: Draw, columns: Columns, kind: str, depth: int = 2) -> str:
    """An expression of a type: a column where there is one and nothing else is drawn."""
    names = of_type(columns, kind)
    if not depth or draw.below(100) < 45:
        return draw.pick(names) if names and not draw.chance(15) else draw.pick(_LITERALS[kind])
    general = draw.below(8)
    if general == 0:
        return f"COALESCE({_sub(draw, columns, kind, depth)}, {draw.pick(_LITERALS[kind])})"
    if general == 1:
        yes, no = _sub(draw, columns, kind, depth), _sub(draw, columns, kind, depth)
        return f"CASE WHEN {condition(draw, columns, depth - 1)} THEN {yes} ELSE {no} END"
    if general == 2 and kind != BOOL:
        return f"NULLIF({_sub(draw, columns, kind, depth)}, {draw.pick(_LITERALS[kind])})"
    return _SHAPES[kind](draw, columns, depth - 1)


def condition(draw: Draw, columns: Columns, depth: int = 2) -> str:
    """A condition; of the kind that keeps some rows and not others."""
    shape = draw.below(9)
    kinds = sorted(set(columns.values()) - {BOOL}) or [INT]
    kind = draw.pick(kinds)
    one = expression(draw, columns, kind, max(depth - 1, 0))
    if shape == 0:
        return f"{one} {draw.pick(['>', '<=', '=', '<>', '>=', '<'])} {expression(draw, columns, kind, 0)}"
    if shape == 1:
        return f"{one} IS {draw.pick(['NOT ', ''])}NULL"
    if shape == 2:
        return f"{one} IS {draw.pick(['NOT ', ''])}DISTINCT FROM {expression(draw, columns, kind, 0)}"
    if shape == 3:
        literals = ", ".join(_LITERALS[kind])
        return f"{one} {draw.pick(['', 'NOT '])}IN ({literals})"
    if shape == 4:
        return f"{one} BETWEEN {expression(draw, columns, kind, 0)} AND {expression(draw, columns, kind, 0)}"
    if shape == 5 and of_type(columns, BOOL):
        return draw.pick(of_type(columns, BOOL))
    if shape == 6 and of_type(columns, TEXT):
        return f"{draw.pick(of_type(columns, TEXT))} {draw.pick(['LIKE', 'NOT LIKE'])} {draw.pick(_PATTERNS)}"
    if depth <= 0 or shape in (5, 6):
        return f"{one} IS NOT NULL"
    if shape == 7:
        return f"NOT ({condition(draw, columns, depth - 1)})"
    joined = draw.pick(["AND", "OR"])
    return f"({condition(draw, columns, depth - 1)} {joined} {condition(draw, columns, depth - 1)})"


def _sub(draw: Draw, columns: Columns, kind: str, depth: int) -> str:
    return expression(draw, columns, kind, depth - 1)


def _int(draw: Draw, columns: Columns, depth: int) -> str:
    shape = draw.below(7)
    a = expression(draw, columns, INT, depth)
    if shape == 0:
        return f"{a} {draw.pick(['+', '-'])} {expression(draw, columns, INT, depth)}"
    if shape == 1:
        return f"({a}) * {draw.pick(['2', '-1', '3'])}"
    if shape == 2:
        return f"length({expression(draw, columns, TEXT, depth)})"
    if shape == 3:
        return f"abs({a})"
    if shape == 4:
        return f"({a}) % {draw.pick(['3', '2'])}"
    if shape == 5:
        return f"CAST({expression(draw, columns, BOOL, depth)} AS BIGINT)"
    return f"greatest({a}, {expression(draw, columns, INT, depth)})"


def _float(draw: Draw, columns: Columns, depth: int) -> str:
    shape = draw.below(4)
    a = expression(draw, columns, FLOAT, depth)
    if shape == 0:
        return f"{a} {draw.pick(['+', '-'])} {expression(draw, columns, FLOAT, depth)}"
    if shape == 1:
        return f"({a}) * 0.5::DOUBLE"
    if shape == 2:
        return f"({expression(draw, columns, INT, depth)}) / {draw.pick(['4', '-2'])}"
    return f"CAST({expression(draw, columns, INT, depth)} AS DOUBLE)"


def _text(draw: Draw, columns: Columns, depth: int) -> str:
    shape = draw.below(4)
    a = expression(draw, columns, TEXT, depth)
    if shape == 0:
        return f"upper({a})"
    if shape == 1:
        return f"{a} || {expression(draw, columns, TEXT, depth)}"
    if shape == 2:
        return f"substr({a}, 1, 1)"
    return f"CAST({expression(draw, columns, INT, depth)} AS VARCHAR)"


def _dec(draw: Draw, columns: Columns, depth: int) -> str:
    a = expression(draw, columns, DEC, 0)
    return f"{a} {draw.pick(['+', '-'])} {expression(draw, columns, DEC, 0)}" if draw.below(2) else f"abs({a})"


def _time(draw: Draw, columns: Columns, depth: int) -> str:
    return f"{expression(draw, columns, TIME, 0)} + INTERVAL 1 SECOND"


def _bool(draw: Draw, columns: Columns, depth: int) -> str:
    return f"({condition(draw, columns, max(depth, 0))})"


_SHAPES = {INT: _int, FLOAT: _float, TEXT: _text, BOOL: _bool, DEC: _dec, TIME: _time}


def aggregate(draw: Draw, columns: Columns, unique: str | None) -> tuple[str, str]:
    """(an aggregate call, the type it gives). `unique`: a column that orders rows totally, for those that need it."""
    shape = draw.below(17)
    kind = draw.pick([INT, INT, FLOAT, TEXT, DEC, TIME])
    arg = expression(draw, columns, kind, 1)
    number = expression(draw, columns, INT, 1)
    call, gives = "COUNT(*)", INT
    if shape == 1:
        call = f"SUM({number})"
    elif shape == 2:
        call = f"COUNT({arg})"
    elif shape == 3:
        call, gives = f"MIN({arg})", kind
    elif shape == 4:
        call, gives = f"MAX({arg})", kind
    elif shape == 5:
        call, gives = f"AVG({number})", FLOAT
    elif shape == 6:
        call = f"COUNT(DISTINCT {arg})"
    elif shape == 7:
        call = f"SUM(DISTINCT {number})"
    elif shape == 8:
        call, gives = f"SUM({expression(draw, columns, DEC, 0)})", "other"
    elif shape == 9:
        call, gives = f"{draw.pick(['BOOL_OR', 'BOOL_AND'])}({condition(draw, columns, 1)})", BOOL
    elif shape == 10 and unique:
        call, gives = f"{draw.pick(['ARG_MAX', 'ARG_MIN'])}({arg}, {unique})", kind
    elif shape == 11 and unique:
        call, gives = f"STRING_AGG({expression(draw, columns, TEXT, 0)}, ',' ORDER BY {unique})", TEXT
    elif shape == 12 and unique:
        call, gives = f"LIST({arg} ORDER BY {unique} {draw.pick(['ASC', 'DESC'])})", "other"
    elif shape == 13 and unique:
        call, gives = f"{draw.pick(['FIRST', 'LAST'])}({arg} ORDER BY {unique})", kind
    elif shape == 14:
        # as DOUBLE: the median of a DECIMAL is cut to its scale
        call, gives = f"MEDIAN(CAST({number} AS DOUBLE))", FLOAT
    elif shape == 15:
        call, gives = f"ROUND(STDDEV({expression(draw, columns, INT, 0)}), 3)", FLOAT
    elif shape == 16:
        call, gives = f"{draw.pick(['SUM', 'AVG'])}({draw.pick(of_type(columns, FLOAT) or ['0.5::DOUBLE'])})", FLOAT
    if draw.chance(20):
        inside = f"FILTER (WHERE {condition(draw, columns, 1)})"
        call = call[:-4] + f" {inside}, 3)" if call.startswith("ROUND") else f"{call} {inside}"
    return call, gives
