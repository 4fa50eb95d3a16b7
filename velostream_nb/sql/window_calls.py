"""One window, whatever it was written as: its arguments read and checked, and its canonical call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from velostream_nb.core.errors import ParseError, UnsupportedError
from velostream_nb.sql.dialect import WALL, at_span, node_place, node_span, to_duckdb, whole_number
from velostream_nb.sql.durations import parse_duration_us
from velostream_nb.sql.spellings import CLAUSE_PREFIX, KEYS_CALL, SESSION_CALL

CANONICAL = {"VELO_TUMBLE": 2, "VELO_HOP": 3, "VELO_CUMULATE": 3, "VELO_SESSION": 1}
"""Canonical calls and how many numbers follow the time column."""

_WALL_CALLS = ("PROCTIME", "WALL_CLOCK", WALL)

_EXAMPLES = {
    "VELO_TUMBLE": "WINDOW TUMBLING(ts, 1m), or TUMBLE(ts, INTERVAL '1' MINUTE) in GROUP BY",
    "VELO_HOP": "WINDOW SLIDING(ts, 5m, 1m) (size, slide), or HOP(ts, 1m, 5m) (slide, size)",
    "VELO_CUMULATE": "CUMULATE(TABLE s, DESCRIPTOR(ts), 1m, 1h) (step, size)",
    "VELO_SESSION": "WINDOW SESSION(ts, 4h, key), or SESSION(ts, 4h) in GROUP BY",
}
_CLAUSES = {
    "TUMBLING": "VELO_TUMBLE", "TUMBLE": "VELO_TUMBLE", "SLIDING": "VELO_HOP", "HOPPING": "VELO_HOP",
    "HOP": "VELO_HOP", "SESSION": "VELO_SESSION", "CUMULATE": "VELO_CUMULATE", "CUMULATING": "VELO_CUMULATE",
}  # fmt: skip
_SIZE_FIRST = ("SLIDING", "HOPPING")
_NAMED = {"DATA": 0, "TIMECOL": 1, "SIZE": 3, "SLIDE": 2, "STEP": 2, "GAP": 2, "OFFSET": 4}


@dataclass(frozen=True, slots=True)
class WindowCall:
    """A window of a SELECT.

    Attributes:
        name: of the canonical call.
        time: the event-time column, or a `WALL` call (when the broker took a row in); None means the stream's own.
        numbers: what follows it in the canonical call, in microseconds; an offset is in [0, slide) for HOP, else in
            [0, size).
        keys: columns that a SESSION was given besides.
        span_of: the node it was read from, for places.
        table: whether it was written as a table function.
    """

    name: str
    time: exp.Column | exp.Anonymous | None
    numbers: tuple[int, ...]
    keys: tuple[exp.Expr, ...]
    span_of: exp.Expr
    table: bool = False


def canonical_call(window: WindowCall) -> exp.Anonymous:
    """A new ``VELO_…`` call; ``VELO_TUMBLE(NULL, …)`` when the time column is the stream's own."""
    time = window.time.copy() if window.time is not None else exp.null()
    numbers = [exp.Literal.number(number) for number in window.numbers]
    return at_span(exp.Anonymous(this=window.name, expressions=[time, *numbers]), node_span(window.span_of))


def clause_call(node: exp.Expr, source: str) -> WindowCall:
    """The window of ``WINDOW TUMBLING(…)``: [time,] size | size, slide | gap, keys."""
    kind = node.name.upper().removeprefix(CLAUSE_PREFIX) if isinstance(node, exp.Anonymous) else ""
    if kind not in _CLAUSES:
        raise UnsupportedError("CLUSTER BY is not known here", hint="write GROUP BY", place=node_place(node, source))
    args = list(node.expressions)
    time = None if not args or _is_duration(args[0]) else _time(args.pop(0), _CLAUSES[kind], source)
    return _window(node, _CLAUSES[kind], time, args, source, size_first=kind in _SIZE_FIRST)


def group_call(node: exp.Expr, source: str) -> WindowCall:
    """The window of ``TUMBLE(ts, …)`` in GROUP BY (Flink's order), or of a canonical call."""
    assert isinstance(node, exp.Anonymous)
    kind, args = node.name.upper(), list(node.expressions)
    if kind in CANONICAL:
        return _canonical(node, kind, args, source)
    name = "VELO_SESSION" if kind == SESSION_CALL else f"VELO_{kind}"
    if not args or _is_duration(args[0]):
        raise _wrong("the time column is missing", node, name, source)
    return _window(node, name, _time(args[0], name, source), args[1:], source)


def table_call(node: exp.Anonymous, source: str) -> tuple[exp.Expr, WindowCall]:
    """The table and the window of ``TUMBLE(TABLE t, DESCRIPTOR(ts), …)``, arguments in order or by name."""
    kind = node.name.upper()
    name = "VELO_SESSION" if kind == SESSION_CALL else f"VELO_{kind}"
    keys = [k for arg in node.expressions if _is_call(arg, KEYS_CALL) for k in _flat(arg.expressions)]
    args = [arg for arg in node.expressions if not _is_call(arg, KEYS_CALL)]
    if any(isinstance(arg, exp.Kwarg | exp.PropertyEQ) for arg in args):
        args = _in_order(args, node, name, source)
    if len(args) < 3:
        raise _wrong("a table, a time column and durations are needed", node, name, source)
    time = args[1].expressions[0] if _is_call(args[1], "DESCRIPTOR") and len(args[1].expressions) == 1 else args[1]
    window = _window(node, name, _time(time, name, source), [*args[2:], *keys], source, table=True)
    return args[0], window


def _window(
    node: exp.Expr,
    name: str,
    time: exp.Column | exp.Anonymous | None,
    args: Sequence[exp.Expr],
    source: str,
    *,
    size_first: bool = False,
    table: bool = False,
) -> WindowCall:
    if name == "VELO_SESSION":
        return _session(node, time, args, source, table=table)
    wanted = CANONICAL[name] - 1
    if not wanted <= len(args) <= wanted + 1:
        raise _wrong(f"{wanted} duration{'s' if wanted > 1 else ''} needed, got {len(args)}", node, name, source)
    lengths = [_positive(arg, node, name, source) for arg in args[:wanted]]
    if size_first:
        lengths.reverse()
    small, size = lengths[0], lengths[-1]
    if small > size:
        raise _wrong("the slide is longer than the window", node, name, source)
    if name == "VELO_CUMULATE" and size % small:
        raise _wrong("the size of a CUMULATE window is a whole number of steps", node, name, source)
    period = size if name == "VELO_CUMULATE" else small
    offset = _duration(args[wanted], node, name, source) % period if len(args) > wanted else 0
    return WindowCall(name, time, (*lengths, offset), (), node, table)


def _session(
    node: exp.Expr, time: exp.Column | exp.Anonymous | None, args: Sequence[exp.Expr], source: str, *, table: bool
) -> WindowCall:
    if not args:
        raise _wrong("the gap is missing", node, "VELO_SESSION", source)
    keys = tuple(key.copy() for key in _flat(args[1:]))
    for key in keys:
        if not isinstance(key, exp.Column):
            raise _wrong("the keys of a session are columns", node, "VELO_SESSION", source)
    return WindowCall("VELO_SESSION", time, (_positive(args[0], node, "VELO_SESSION", source),), keys, node, table)


def _canonical(node: exp.Anonymous, name: str, args: list[exp.Expr], source: str) -> WindowCall:
    numbers = [number for arg in args[1:] if (number := whole_number(arg)) is not None]
    if not args or len(numbers) != CANONICAL[name] or len(args) != CANONICAL[name] + 1 or numbers[0] <= 0:
        raise _wrong(f"{name} takes a column and {CANONICAL[name]} integers (microseconds)", node, name, source)
    time = None if isinstance(args[0], exp.Null) else _time(args[0], name, source)
    return WindowCall(name, time, tuple(numbers), (), node)


def _time(node: exp.Expr, name: str, source: str) -> exp.Column | exp.Anonymous:
    if isinstance(node, exp.Anonymous) and node.name.upper() in _WALL_CALLS and not node.expressions:
        return at_span(exp.Anonymous(this=WALL), node_span(node))
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        raise _wrong("the time of a window is a column, or wall_clock()", node, name, source)
    return node.copy()


def _in_order(args: list[exp.Expr], node: exp.Expr, name: str, source: str) -> list[exp.Expr]:
    """``DATA => t, TIMECOL => DESCRIPTOR(ts), SIZE => …`` in the order of the positional form."""
    placed: dict[int, exp.Expr] = {}
    for position, arg in enumerate(args):
        if not isinstance(arg, exp.Kwarg | exp.PropertyEQ):
            placed[position] = arg
            continue
        if (slot := _NAMED.get(arg.this.name.upper())) is None:
            raise _wrong(f"unknown argument {arg.this.name}", node, name, source)
        placed[slot] = arg.expression
    return [placed[slot] for slot in sorted(placed)]


def _positive(node: exp.Expr, call: exp.Expr, name: str, source: str) -> int:
    us = _duration(node, call, name, source)
    if us <= 0:
        raise _wrong("a window's durations are longer than zero", call, name, source)
    return us


def _duration(node: exp.Expr, call: exp.Expr, name: str, source: str) -> int:
    if not _is_duration(node):
        raise _wrong(
            "expected a duration such as 5m or INTERVAL '5' MINUTE", node if node_span(node) else call, name, source
        )
    # an INTERVAL's unit may be in any case; only the shorthand 5M is ambiguous
    text = node.name if isinstance(node, exp.Literal) else to_duckdb(node).lower()
    try:
        return parse_duration_us(text, place=node_place(node, source) or node_place(call, source))
    except ParseError as error:
        if "no fixed length" in error.message:
            error.hint = "for windows of the calendar write GROUP BY date_trunc('month', ts); else days, such as 30d"
        raise


def _is_duration(node: exp.Expr) -> bool:
    if isinstance(node, exp.Neg | exp.Paren):
        return _is_duration(node.this)
    return isinstance(node, exp.Interval) or (isinstance(node, exp.Literal) and node.is_string)


def _is_call(node: exp.Expr, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() == name


def _flat(nodes: Sequence[exp.Expr]) -> list[exp.Expr]:
    flat: list[exp.Expr] = []
    for node in nodes:
        if isinstance(node, exp.Tuple):
            flat += _flat(node.expressions)
        elif isinstance(node, exp.Paren):
            flat += _flat([node.this])
        else:
            flat.append(node)
    return flat


def _wrong(message: str, node: exp.Expr, name: str, source: str) -> ParseError:
    return ParseError(message, hint=f"for example {_EXAMPLES[name]}", place=node_place(node, source))
