"""A reader over the tokens of one statement: words, names, option lists, and errors that point at a token."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from velostream_nb.core.errors import ParseError, Place
from velostream_nb.sql.lex import Token, match_brackets, place_at
from velostream_nb.sql.literals import option_text, param_value
from velostream_nb.sql.split import Piece

OPTIONS_EXAMPLE = "write options as WITH ('output.topic' = 'alerts', 'emit.every' = '1s')"

# Kafka's rule for topics; jobs follow it because a job names a topic (its output, its dead letters)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
_NOT_NAMES = frozenset({"AS", "WITH", "SELECT", "FROM", "INTO", "IF", "VALUES", "WHERE"})


class Cursor:
    """Reads forward over one statement.

    Attributes:
        text: the whole script; tokens hold offsets in it.
        tokens: the statement's tokens, then one of kind 'end'.
        at: index of the next token.
        pairs: index of each opening bracket to that of its closing one.
    """

    def __init__(self, piece: Piece, params: Mapping[str, object] | None) -> None:
        self.text = piece.scan.text
        self.blanks = piece.scan.blanks
        self.params = params
        end = piece.tokens[-1].end
        self.pairs = match_brackets(self.text, piece.tokens)
        self.tokens = [*piece.tokens, Token("end", "", end, end)]
        self.at = 0

    @property
    def size(self) -> int:
        """Number of tokens without the closing 'end'."""
        return len(self.tokens) - 1

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one after it; 'end' for ever past the last one."""
        return self.tokens[min(self.at + ahead, self.size)]

    def next(self) -> Token:
        """The next token, which is then behind the cursor."""
        token = self.peek()
        self.at = min(self.at + 1, self.size)
        return token

    def sees(self, *words: str) -> bool:
        """Whether these words (or marks) come next."""
        return all(is_word(self.tokens, self.at + i, word) for i, word in enumerate(words))

    def sees_any(self, words: Sequence[str]) -> bool:
        """Whether one of these words (or marks) comes next."""
        return is_word(self.tokens, self.at, *words)

    def accept(self, *words: str) -> bool:
        """Step over these words if they come next."""
        if not self.sees(*words):
            return False
        self.at += len(words)
        return True

    def expect(self, *words: str, hint: str | None = None) -> None:
        """Step over these words, or ParseError."""
        for word in words:
            if not self.accept(word):
                raise self.error(f"expected {word}", hint=hint)

    def expect_end(self, hint: str | None = None) -> None:
        """ParseError unless the statement is over."""
        if self.peek().kind != "end":
            token = self.peek()
            raise ParseError(f"did not expect {token.text!r} here", hint=hint, place=self.place(token))

    def place(self, token: Token | None = None) -> Place:
        """Where a token stands; the end of a statement is the last character of its last token."""
        token = token or self.peek()
        if token.kind == "end":
            return place_at(self.text, max(0, token.end - 1), token.end)
        return place_at(self.text, token.start, token.end)

    def error(self, message: str, *, hint: str | None = None, token: Token | None = None) -> ParseError:
        """``message, got …`` at a token (the next one by default)."""
        token = token or self.peek()
        got = "the end" if token.kind == "end" else token.text if len(token.text) <= 40 else token.text[:39] + "…"
        return ParseError(f"{message}, got {got}", hint=hint, place=self.place(token))

    def name(self, what: str, *, example: str) -> str:
        """A job, stream or topic name: a word, words joined by dots, or a quoted name; case is kept.

        Raises:
            ParseError: none comes next, or it has characters that a topic's name cannot have.
        """
        first = self.next()
        if first.kind not in ("word", "quoted") or first.word in _NOT_NAMES:
            raise self.error(f"expected the name of {what}", hint=f"for example {example}", token=first)
        name, last = first.value, first
        while first.kind == "word" and self.sees(".") and self.peek(1).kind == "word":
            self.next()
            last = self.next()
            name += f".{last.value}"
        joined = self.peek()
        if joined.text == "-" and joined.start == last.end:
            raise self.error(f'a name with a dash must be quoted: "{name}-…"', token=joined)
        if not _NAME.match(name) or name in (".", ".."):
            raise ParseError(
                f"{name!r} cannot be the name of {what}",
                hint="use up to 249 letters, digits, underscores, dots and dashes",
                place=self.place(first),
            )
        return name

    def names(self, *, example: str) -> tuple[tuple[str, Place], ...]:
        """``(a, "b", …)``: the names of columns, each with its place; ParseError when one stands twice."""
        self.expect("(", hint=f"for example {example}")
        found: dict[str, tuple[str, Place]] = {}
        while not self.accept(")"):
            token = self.next()
            if token.kind not in ("word", "quoted") or not token.value:
                raise self.error("expected a column's name", hint=f"for example {example}", token=token)
            if token.value.lower() in found:
                raise ParseError(f"the column {token.value!r} is named twice", place=self.place(token))
            found[token.value.lower()] = token.value, self.place(token)
            if not self.sees(")"):
                self.expect(",", hint=f"for example {example}")
        return tuple(found.values())

    def follows(self, word: str) -> bool:
        """Whether the bracket that comes next has this word (or mark) behind it."""
        return is_word(self.tokens, self.pairs.get(self.at, self.size) + 1, word)

    def given(self) -> dict[str, object]:
        """The values of the statement's ``$name`` parameters."""
        names = {token.text[1:] for token in self.tokens if token.kind == "param"}
        return {name: value for name, value in (self.params or {}).items() if name in names}

    def options(self) -> dict[str, str]:
        """The bracketed list of a WITH clause; keys lower-cased, values as text.

        A value is a string, a number, a word, a duration or a ``$name``; a comma after the last pair is let through.

        Raises:
            ParseError: anything else, or a key given twice.
        """
        self.expect("(", hint=OPTIONS_EXAMPLE)
        found: dict[str, str] = {}
        while not self.accept(")"):
            start = self.peek()
            key = self._option_key().lower()
            if key in found:
                raise ParseError(f"the option '{key}' is given twice", place=self.place(start))
            self.expect("=", hint=OPTIONS_EXAMPLE)
            found[key] = self.option_value()
            if not self.sees(")"):
                self.expect(",", hint=OPTIONS_EXAMPLE)
        return found

    def dotted_key(self, *, example: str) -> str:
        """An option's key: a string, or words joined by dots."""
        token = self.next()
        if token.kind in ("string", "quoted", "escaped", "dollar"):
            return token.value
        if token.kind != "word":
            raise self.error("expected the name of an option", hint=example, token=token)
        key = token.text
        while self.accept("."):
            part = self.next()
            if part.kind != "word":
                raise self.error("expected the rest of the option's name", hint=example, token=part)
            key += f".{part.text}"
        return key

    def option_value(self) -> str:
        """An option's value as text."""
        sign = self.next().text if self.sees("-") and self.peek(1).kind in ("number", "duration") else ""
        token = self.next()
        if token.kind == "param":
            return option_text(param_value(token.text[1:], self.params, self.place(token)))
        if token.word == "INTERVAL":
            return self._interval(token)
        if token.kind in ("op", "end"):
            raise self.error("expected a value", hint=OPTIONS_EXAMPLE, token=token)
        return sign + token.value

    def _option_key(self) -> str:
        return self.dotted_key(example=OPTIONS_EXAMPLE)

    def _interval(self, first: Token) -> str:
        """``INTERVAL '5' SECOND`` as it is written: whoever reads the option reads durations too."""
        last = self.next()
        if self.peek().kind == "word":
            last = self.next()
        return self.text[first.start : last.end]


def is_word(tokens: Sequence[Token], index: int, *words: str) -> bool:
    """Whether the token at this index is one of these unquoted words (or marks)."""
    if not 0 <= index < len(tokens):
        return False
    token = tokens[index]
    return token.word in words if token.kind == "word" else token.kind == "op" and token.text in words
