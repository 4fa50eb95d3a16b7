"""Every error a user can meet, drawn as one tree.

VeloError
├── ConfigError            a setting, option or file that cannot be used
├── SqlError               the text of a statement
│   ├── ParseError         it is not a statement we can read
│   ├── BindError          an unknown or ambiguous name, a wrong type
│   └── UnsupportedError   readable, but refused; the hint says what to write instead
├── SchemaError            rows that do not fit a declared or inferred schema
├── BrokerError            where records live
│   └── UnknownTopicError
├── JobError               the life of a job
│   ├── UnknownJobError
│   ├── JobExistsError
│   └── JobFailedError
├── StateError             a snapshot that cannot be loaded
└── ServerError            the server refused, is unreachable, or answered nonsense
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a statement: 1-based line and column, and how many characters the caret underlines."""

    text: str
    line: int
    column: int
    length: int = 1

    def caret(self) -> str:
        """The source line with carets under the place; empty when the line is not in the text."""
        lines = self.text.splitlines()
        if not 1 <= self.line <= len(lines):
            return ""
        source = lines[self.line - 1].replace("\t", " ")
        marks = "^" * max(1, min(self.length, len(source) - self.column + 1))
        return f"  {source}\n  {' ' * (self.column - 1)}{marks}"


class VeloError(Exception):
    """Base of all our errors: what is wrong and what was got (message), what to do (hint), where (place)."""

    def __init__(self, message: str, *, hint: str | None = None, place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        parts = [self.message]
        if self.place is not None:
            parts[0] += f" (line {self.place.line}, column {self.place.column})"
            if caret := self.place.caret():
                parts.append(caret)
        if self.hint:
            parts.append(f"hint: {self.hint}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        # keyword-only arguments would be lost by the default reduce of Exception
        return (_rebuild, (type(self), self.message, self.hint, self.place))

    def _render_traceback_(self) -> list[str]:
        """IPython calls this: one clean message instead of a traceback, and "run all" still stops."""
        return [f"{type(self).__name__}: {self}"]


def _rebuild(kind: type[VeloError], message: str, hint: str | None, place: Place | None) -> VeloError:
    return kind(message, hint=hint, place=place)


class ConfigError(VeloError):
    """A setting, option or file that cannot be used."""


class SqlError(VeloError):
    """Something about the text of a statement."""


class ParseError(SqlError):
    """The text is not a statement we can read."""


class BindError(SqlError):
    """An unknown or ambiguous name, or a wrong type."""


class UnsupportedError(SqlError):
    """Readable, but refused; the hint says what to write instead."""


class SchemaError(VeloError):
    """Rows that do not fit a declared or inferred schema."""


class BrokerError(VeloError):
    """Something about the place where records live."""


class UnknownTopicError(BrokerError):
    """No topic of that name."""


class JobError(VeloError):
    """Something about the life of a job."""


class UnknownJobError(JobError):
    """No job of that name."""


class JobExistsError(JobError):
    """A job of that name runs already."""


class JobFailedError(JobError):
    """A job stopped because of an error; the cause is chained."""


class StateError(VeloError):
    """A snapshot that cannot be loaded."""


class ServerError(VeloError):
    """The server refused, is unreachable, or answered nonsense."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint with up to three near names, or all of a short list, or None when nothing is known."""
    names = sorted(set(known))
    folded = {n.lower(): n for n in names}
    near = [folded[n] for n in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if near:
        return f"did you mean {' or '.join(near)}?"
    if 0 < len(names) <= 12:
        return f"known: {', '.join(names)}"
    return None
