"""Text to tokens with exact offsets: enough of SQL's lexical rules that no word of ours is found inside a string.

sqlglot tokenises queries a second time; this pass exists because statements must be split, comments read and
streaming clauses rewritten before sqlglot can parse anything, and because its own errors have no usable place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from velostream_nb.core.errors import ParseError, Place

Kind = Literal["word", "quoted", "string", "escaped", "dollar", "param", "duration", "number", "op", "end"]

MAX_DEPTH = 60
"""Deepest nesting of brackets. sqlglot recurses about ten frames a level, Python allows a thousand in all."""

_CLOSER = {"(": ")", "[": "]", "{": "}"}

_TOKEN = re.compile(
    r"""
    (?P<space>[\s\ufeff\u200b]+)
  | (?P<comment>--[^\r\n]*)
  | (?P<block>/\*)
  | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*+')
  | (?P<broken>[eE]')
  | (?P<string>'(?:[^']|'')*+')
  | (?P<quoted>"(?:[^"]|"")*+")
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$)
  | (?P<param>\$\w+)
  | (?P<duration>(?:[0-9]+(?:\.[0-9]+)?(?:us|µs|μs|ms|sec|min|s|m|h|d|w))+(?!\w))
  | (?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<op>::|=>|->>|->|<=|>=|<>|!=|\|\||.)
    """,
    re.VERBOSE | re.DOTALL,
)

_UNTERMINATED = {
    "'": ("this string is never closed", "close it with ', and write a quote inside as ''"),
    '"': ("this quoted name is never closed", 'close it with ", and write a quote inside as ""'),
}


class Token(NamedTuple):
    """One token; `start` and `end` (exclusive) are offsets in the whole text."""

    kind: Kind
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The word in upper case; '' for everything that is not an unquoted word."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def value(self) -> str:
        """What a string or a quoted name holds; the text of any other token."""
        if self.kind == "string":
            return self.text[1:-1].replace("''", "'")
        if self.kind == "quoted":
            return self.text[1:-1].replace('""', '"')
        if self.kind == "dollar":
            tag = self.text.index("$", 1) + 1
            return self.text[tag:-tag]
        if self.kind == "escaped":
            return unescape(self.text[2:-1])
        return self.text


@dataclass(frozen=True, slots=True)
class Scan:
    """A whole text, read once.

    Attributes:
        tokens: everything but white space and comments, in order.
        comments: (start, end) of each comment.
        blanks: (start, end) of what sqlglot must see as a plain space: comments, and white space it does not know
            (no-break spaces come along with text pasted from documents).
    """

    text: str
    tokens: list[Token]
    comments: list[tuple[int, int]]
    blanks: list[tuple[int, int]]


def scan(text: str) -> Scan:
    """Split a text into tokens; ParseError with its place for strings, names and comments that are never closed."""
    out = Scan(text, [], [], [])
    at, size = 0, len(text)
    match = _TOKEN.match
    while at < size:
        found = match(text, at)
        assert found is not None  # the last alternative takes any character
        kind, end = found.lastgroup, found.end()
        if kind == "block":
            end = _block_end(text, at)
        elif kind == "dollar":
            end = _dollar_end(text, at, found.group())
        if kind in ("comment", "block"):
            out.comments.append((at, end))
            out.blanks.append((at, end))
        elif kind == "space":
            if text[at:end].strip(" \t\r\n"):
                out.blanks.append((at, end))
        else:
            if (mark := found.group()[-1] if kind == "broken" else found.group()) in _UNTERMINATED:
                message, hint = _UNTERMINATED[mark]
                raise ParseError(message, hint=hint, place=place_at(text, at, at + 1))
            out.tokens.append(Token(kind, text[at:end], at, end))  # type: ignore[arg-type]  # lastgroup is a str
        at = end
    return out


def place_at(text: str, start: int, end: int) -> Place:
    """The place of ``text[start:end]``; lines are counted as `str.splitlines` does, because `Place.caret` does."""
    head = (text[:start] + "x").splitlines()
    return Place(text, len(head), len(head[-1]), max(1, end - start))


def match_brackets(text: str, tokens: Sequence[Token]) -> dict[int, int]:
    """Index of each opening bracket to that of its closing one; ParseError when they do not pair up."""
    pairs: dict[int, int] = {}
    open_at: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind != "op":
            continue
        if token.text in _CLOSER:
            open_at.append(index)
            if len(open_at) > MAX_DEPTH:
                raise ParseError(
                    f"brackets are nested more than {MAX_DEPTH} deep",
                    hint="split the query into WITH parts",
                    place=place_at(text, token.start, token.end),
                )
        elif token.text in ")]}":
            if not open_at or _CLOSER[tokens[open_at[-1]].text] != token.text:
                raise ParseError(f"this {token.text} closes nothing", place=place_at(text, token.start, token.end))
            pairs[open_at.pop()] = index
    if open_at:
        token = tokens[open_at[-1]]
        raise ParseError(f"this {token.text} is never closed", place=place_at(text, token.start, token.end))
    return pairs


def quote(value: str) -> str:
    """A text as a SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(
    r"\\(?:x(?P<hex>[0-9a-fA-F]{1,2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<o>[0-7]{1,3})|(?P<c>.))|''",
    re.DOTALL,
)


def unescape(body: str) -> str:
    """What the inside of an ``E'…'`` string means, as in PostgreSQL and DuckDB."""

    def one(found: re.Match[str]) -> str:
        if found.group() == "''":
            return "'"
        code = found["hex"] or found["u"] or found["U"]
        number = int(code, 16) if code else int(found["o"], 8) if found["o"] else None
        if number is None:
            return _ESCAPES.get(found["c"], found["c"])
        return chr(number) if number <= 0x10FFFF else "\ufffd"

    return _ESCAPE.sub(one, body)


def _block_end(text: str, start: int) -> int:
    """End of the block comment that opens at `start`; they nest, as in PostgreSQL and DuckDB."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    raise ParseError("this comment is never closed", hint="close it with */", place=place_at(text, start, start + 2))


def _dollar_end(text: str, start: int, mark: str) -> int:
    close = text.find(mark, start + len(mark))
    if close < 0:
        raise ParseError(
            f"this {mark}-quoted string is never closed",
            hint=f"close it with {mark}",
            place=place_at(text, start, start + len(mark)),
        )
    return close + len(mark)
