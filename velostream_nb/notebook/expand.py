"""Python values in SQL: ``{{name}}`` puts one in when the cell runs, ``$name`` passes one as a parameter."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from velostream_nb.core.errors import BindError, ParseError, Place, did_you_mean
from velostream_nb.sql.lex import Token, place_at, scan
from velostream_nb.sql.literals import literal

_BRACES = re.compile(r"\{\{(?P<inside>.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"\s*(?P<name>[^\W\d]\w*)(?P<attributes>(?:\.[^\W\d]\w*)*)\s*(?::\s*(?P<form>\w+)\s*)?")
_FORMS = ("id", "sql")
_BEFORE_NAMES = ("FROM", "JOIN", "INTO", "JOB", "STREAM", "TABLE", "VIEW", "DESCRIBE", "USING", "EXISTS")
"""Words after which a name stands, where a text would be read as the path of a file."""

_QUOTING = ("string", "quoted", "escaped", "dollar")
_STAND_IN = "\ue000"
"""Nobody writes it: stands for each character of the braces while quotes are looked for."""


def expand(text: str, namespace: Mapping[str, object], *, raw: bool = False) -> str:
    """Replace each ``{{name}}`` or ``{{name.attribute}}``; comments are left alone.

    - ``{{name}}`` is a value: numbers, text (in quotes), booleans, None, times; lists become ``(1, 2, 3)``, for IN.
    - ``'…{{name}}…'``, inside quotes, is its text, so that it cannot end them.
    - ``{{name:id}}`` is a name: of a topic, a column; a list becomes names separated by commas.
    - ``{{name:sql}}`` goes in as it is: a piece of SQL, as safe as whoever wrote it.

    Args:
        raw: not SQL: every value goes in as its text.

    Raises:
        BindError: no such variable (with near names) or attribute, or a value that has no such form.
        ParseError: something else stands between the braces.
    """
    if "{{" not in text:
        return text
    tokens, comments = _context(text)
    out, done = [], 0
    for found in _BRACES.finditer(text):
        if any(start <= found.start() < end for start, end in comments):
            continue
        hole = _Hole(text, found, tokens, raw=raw)
        out += [text[done : found.start()], hole.written(namespace)]
        done = found.end()
    return "".join([*out, text[done:]])


def parameters(text: str, namespace: Mapping[str, object]) -> dict[str, object]:
    """The values of the ``$name`` parameters of a text, with their Python types.

    Raises:
        BindError: no such variable, with near names.
        ParseError: a string, name or comment that is never closed.
    """
    found: dict[str, object] = {}
    for token in scan(text).tokens:
        name = token.text[1:]
        if token.kind != "param" or not name.isidentifier():
            continue
        if name not in namespace:
            place = place_at(text, token.start, token.end)
            raise BindError(
                f"${name} is not a variable of this notebook", hint=_near(name, namespace) or _define(name), place=place
            )
        found[name] = namespace[name]
    return found


class _Hole:
    """One pair of braces: what it says, and where it stands."""

    def __init__(self, text: str, found: re.Match[str], tokens: list[Token], *, raw: bool) -> None:
        self.place: Place = place_at(text, found.start(), found.end())
        path = _PATH.fullmatch(found["inside"])
        if path is None:
            raise ParseError(
                f"{found.group()} is not a variable",
                hint="put the value into a variable first, and write its name between the braces",
                place=self.place,
            )
        self._path = path
        self.shown = path.group().partition(":")[0].strip()
        self._form = (path["form"] or "").lower()
        if self._form and self._form not in _FORMS:
            hint = did_you_mean(self._form, _FORMS) or "write {{name}}, {{name:id}} or {{name:sql}}"
            raise ParseError(f"{self._form!r} is no form of a value", hint=hint, place=self.place)
        self._raw = raw
        at = next((i for i, t in enumerate(tokens) if t.start <= found.start() < t.end), None)
        self._inside = tokens[at] if at is not None and tokens[at].kind in _QUOTING else None
        self._after = tokens[at - 1].word if at else ""

    def written(self, namespace: Mapping[str, object]) -> str:
        """The value in the form that fits the place."""
        value = _plain(self._value(namespace))
        if self._raw or self._form == "sql":
            return self._text(value)
        if self._inside is not None:
            return self._quoted(self._text(value), self._inside)
        if self._form == "id":
            return ", ".join(self._name(part) for part in (value if isinstance(value, list) else [value]))
        if isinstance(value, str) and self._after in _BEFORE_NAMES:
            raise BindError(
                f"{self.shown} is a text, and after {self._after} stands a name",
                hint=f"write {{{{{self.shown}:id}}}} for a name, or {{{{{self.shown}:sql}}}} for a piece of SQL",
                place=self.place,
            )
        if isinstance(value, list):
            if not value:
                raise BindError(
                    f"{self.shown} is empty, and an empty list stands nowhere in SQL",
                    hint="leave the condition out when there is nothing to compare with",
                    place=self.place,
                )
            return f"({', '.join(self._literal(item) for item in value)})"
        return self._literal(value)

    def _quoted(self, text: str, inside: Token) -> str:
        """A text inside of quotes, which it cannot end."""
        if inside.kind == "dollar":
            mark = inside.text[: inside.text.index("$", 1) + 1]
            if mark in text:
                raise BindError(f"{self.shown} holds {mark}, which ends this string", place=self.place)
            return text
        if inside.kind == "escaped":
            text = text.replace("\\", "\\\\")
        return text.replace(inside.text[-1], inside.text[-1] * 2)

    def _value(self, namespace: Mapping[str, object]) -> object:
        name = self._path["name"]
        if name not in namespace:
            raise BindError(
                f"{name} is not a variable of this notebook",
                hint=_near(name, namespace) or _define(name),
                place=self.place,
            )
        value = namespace[name]
        for attribute in self._path["attributes"].split(".")[1:]:
            try:
                value = getattr(value, attribute)
            except Exception as error:  # a property of the user's may raise anything
                raise BindError(
                    f"{self.shown}: {type(error).__name__}: {error}",
                    hint=did_you_mean(attribute, [a for a in dir(value) if not a.startswith("_")]),
                    place=self.place,
                ) from error
        return value

    def _literal(self, value: object) -> str:
        try:
            return literal(value, name=self.shown, place=self.place)
        except BindError as error:
            raise BindError(
                f"{self.shown} is a {type(value).__name__}, which has no form in SQL",
                hint="braces take text, numbers, booleans, None, times and lists of these",
                place=self.place,
            ) from error

    def _text(self, value: object) -> str:
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, str | int | float | Decimal | dt.date):
            return str(value)
        raise BindError(
            f"{self.shown} is a {type(value).__name__}, which has no text in SQL",
            hint="here braces take text, numbers and times; join other values to a text first",
            place=self.place,
        )

    def _name(self, value: object) -> str:
        if not isinstance(value, str) or not value or "\0" in value:
            raise BindError(
                f"{self.shown} cannot be a name: {value!r}", hint="a name is a text that is not empty", place=self.place
            )
        return '"' + value.replace('"', '""') + '"'


def _plain(value: object) -> object:
    """Scalars of NumPy and pandas as Python's; every sequence, set, array or column as a list."""
    if isinstance(value, str | bytes | Mapping):
        return value
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    convert = getattr(value, "tolist", None) or getattr(value, "to_pylist", None)
    if callable(convert) and not isinstance(value, dt.datetime):
        value = convert()
    if isinstance(value, list | tuple | set | frozenset | range) or (
        isinstance(value, Iterable) and type(value).__name__ in ("dict_keys", "dict_values")
    ):
        items = [_plain(item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set | frozenset) else items
    return value


def _context(text: str) -> tuple[list[Token], list[tuple[int, int]]]:
    """The tokens around the braces and the comments; none where a quote is closed by what the braces hold."""
    blank = _BRACES.sub(lambda found: _STAND_IN * len(found.group()), text)
    try:
        whole = scan(blank)
    except ParseError:  # the parser judges the expanded text
        return [], []
    return whole.tokens, whole.comments


def _near(name: str, namespace: Mapping[str, object]) -> str | None:
    """Near names, but never a list of everything: a notebook's variables are no catalogue."""
    hint = did_you_mean(name, [n for n in namespace if isinstance(n, str) and not n.startswith("_")])
    return hint if hint is not None and hint.startswith("did you mean") else None


def _define(name: str) -> str:
    return f"run a cell with {name} = … first"
