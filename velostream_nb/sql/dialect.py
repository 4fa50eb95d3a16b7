"""The door to sqlglot: an edited query text to a tree whose places are true to what the user wrote, and back."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.errors import ParseError as GlotParseError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token as GlotToken

from velostream_nb.core.errors import ParseError, Place, SqlError, UnsupportedError
from velostream_nb.sql.lex import place_at

Node = TypeVar("Node", bound=exp.Expr)

NOW = "VELO_NOW"
"""The stream's time: a call without arguments."""

WALL = "VELO_WALL"
"""The wall's time, one value a tick: a call without arguments."""

_CRASHES = (AttributeError, TypeError, ValueError, KeyError, IndexError, AssertionError, NotImplementedError)
"""What sqlglot raises, besides its own errors, on texts its authors did not foresee (``timestamp()`` is one)."""


class _MisreadError(GlotParseError):
    """sqlglot's parse error, with offsets; it must be one of its own, because its parser backtracks by catching it."""

    def __init__(self, message: str, start: int, end: int, text: str) -> None:
        super().__init__(message)
        self.start, self.end, self.text = start, end, text


class VeloDialect(DuckDB):
    """DuckDB's dialect; the streaming words are gone from the text, or plain calls, before it sees them."""

    class Parser(DuckDBParser):
        """DuckDB's parser, whose errors carry offsets."""

        def raise_error(self, message: str, token: GlotToken | None = None) -> None:
            """Raise at the token, or at the one being read."""
            at = token or self._curr or self._prev
            start, end, text = (at.start, at.end + 1, at.text) if at else (0, 1, "")
            raise _MisreadError(message, start, end, text if at and self._curr else "")


@dataclass(slots=True)
class Edits:
    """Changes to ``text[start:end]`` of a whole script, made before sqlglot reads it.

    Attributes:
        changes: (start, end, replacement), offsets in the whole text; one inside of another is void.
    """

    text: str
    start: int
    end: int
    changes: list[tuple[int, int, str]] = field(default_factory=list)

    def replace(self, start: int, end: int, by: str) -> None:
        """Put `by` in the place of ``text[start:end]``; spaces keep it apart from its neighbours."""
        self.changes.append((start, end, f" {by} " if by else " "))

    def apply(self) -> tuple[str, list[tuple[int, int, int, bool]]]:
        """The edited text, and its segments as (offset in it, original start, original end, unchanged)."""
        parts: list[str] = []
        segments: list[tuple[int, int, int, bool]] = []
        at, made = self.start, 0
        for start, end, by in [*sorted(self.changes), (self.end, self.end, "")]:
            if start < at:  # a comment inside of what is replaced already
                continue
            for piece, low, high, kept in ((self.text[at:start], at, start, True), (by, start, end, False)):
                if piece:
                    segments.append((made, low, high, kept))
                    parts.append(piece)
                    made += len(piece)
            at = end
        return "".join(parts), segments


def parse_edited(edits: Edits) -> exp.Expr:
    """The tree of one edited statement; ParseError with the place in the user's text."""
    text, segments = edits.apply()
    place = place_at(edits.text, edits.start, edits.start + 1)
    try:
        tokens = VeloDialect().tokenize(text)
        _restore_places(tokens, segments)
        trees = VeloDialect().parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, edits.text)
    except _MisreadError as error:
        raise _translated(error, edits.text, edits.end) from error
    except RecursionError as error:
        raise ParseError("the query is nested too deeply", hint="split it into WITH parts", place=place) from error
    except SqlglotError as error:
        raise ParseError("this cannot be read as SQL", hint=_first_line(error), place=place) from error
    except _CRASHES as error:
        raise ParseError("this cannot be read as SQL", place=place) from error
    if len(trees) != 1 or trees[0] is None:
        raise ParseError("expected one query", place=place)
    return trees[0]


def node_place(node: exp.Expr, source: str) -> Place | None:
    """Where a node of a tree stands in `source` (a `Query.source`); None for a node that nobody wrote.

    The place spans every token below the node that kept its position: names, calls, stars. Nodes that the parser
    puts in the place of others (`VELO_TUMBLE`) stand where those stood.
    """
    span = node_span(node)
    if span is None or not 0 <= span[0] < span[1] <= len(source):
        return None
    start, end = span
    missing = source.count("(", start, end) - source.count(")", start, end)
    while missing > 0 and source.startswith(")", end):  # sqlglot keeps no position of a closing bracket
        end, missing = end + 1, missing - 1
    return place_at(source, start, end)


def node_span(node: exp.Expr) -> tuple[int, int] | None:
    """(start, end) offsets of a node's tokens in the text it was parsed from; None when it has none."""
    spans = [(n.meta["start"], n.meta["end"] + 1) for n in node.walk() if n._meta and "start" in n._meta]
    if not spans:
        return None
    return min(start for start, _ in spans), max(end for _, end in spans)


def at_span(node: Node, span: tuple[int, int] | None) -> Node:
    """The node, placed at these offsets."""
    if span is not None:
        node.meta["start"], node.meta["end"] = span[0], span[1] - 1
    return node


def to_duckdb(tree: exp.Expr) -> str:
    """The SQL text of a tree for DuckDB, on one line, without comments.

    Streaming calls stay as they are (`VELO_NOW()`, `VELO_TUMBLE(…)`): the planner replaces them first, and `parse`
    reads them again.

    Raises:
        UnsupportedError: DuckDB has no way to say it.
        SqlError: the tree is nested too deeply to be written.
    """
    try:
        return tree.sql(dialect=VeloDialect, comments=False, unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise UnsupportedError(f"DuckDB cannot express this: {_first_line(error)}") from error
    except RecursionError as error:
        raise SqlError("the query is nested too deeply", hint="split it into WITH parts") from error


def whole_number(node: exp.Expr | None) -> int | None:
    """The value of an integer literal; None for anything else, and past 18 digits (Python refuses to read 4,301)."""
    if isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal() and len(node.name) <= 18:
        return int(node.name)
    return None


def own_nodes(select: exp.Expr) -> Iterable[exp.Expr]:
    """The nodes of one SELECT without those of the queries nested in it (the nested query node itself is given)."""
    return select.walk(prune=lambda node: node is not select and isinstance(node, exp.Query | exp.With))


def _restore_places(tokens: list[GlotToken], segments: list[tuple[int, int, int, bool]]) -> None:
    """Give sqlglot's tokens the offsets they have in the user's text."""
    starts = [segment[0] for segment in segments]
    for token in tokens:
        made, low, high, kept = segments[bisect.bisect_right(starts, token.start) - 1]
        length = token.end - token.start
        token.start = token.start - made + low if kept else low
        token.end = token.start + length if kept else max(low, high - 1)


def _translated(error: _MisreadError, text: str, end: int) -> ParseError:
    """What sqlglot says, in plain words."""
    message, at_end = str(error), not error.text
    place = place_at(text, max(0, end - 1), end) if at_end else place_at(text, error.start, error.end)
    got = "at the end" if at_end else f"at {_shown(text[error.start : error.end])}"
    if found := re.match(r"Expect(?:ed|ing) (an? )?(.+?)(?: but got .*)?$", message):
        return ParseError(f"expected {found[2]} {got}", place=place)
    if message.startswith("Required "):  # … keyword: 'this' missing for <class 'sqlglot.expressions.query.Where'>
        return ParseError(f"something is missing {got if at_end else got.replace('at', 'before', 1)}", place=place)
    if "Unexpected token" in message:
        return ParseError(f"did not expect {_shown(text[error.start : error.end])} here", place=place)
    return ParseError(f"{message[:1].lower()}{_first_line(message)[1:]} {got}", place=place)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _first_line(error: object) -> str:
    return str(error).split("\n", 1)[0][:200]
