"""Python values in SQL: ``{{name}}`` puts text in, ``$name`` passes a value safely."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from velostream_nb.core.errors import BindError, ParseError, did_you_mean
from velostream_nb.sql.lex import place_at, scan

_BRACES = re.compile(r"\{\{(?P<inside>.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"\s*(?P<name>[^\W\d]\w*)(?P<attributes>(?:\.[^\W\d]\w*)*)\s*")


def expand(text: str, namespace: Mapping[str, object]) -> str:
    """Replace each ``{{name}}`` or ``{{name.attribute}}`` by its text; comments are left alone.

    Text goes in as it is, so it can be a table name or a piece of SQL, and is not safe for values that others chose:
    those are what ``$name`` is for. Numbers are written in full; anything else is refused.

    Raises:
        BindError: no such variable (with near names) or attribute, or a value that is no text and no number.
        ParseError: something else stands between the braces.
    """
    if "{{" not in text:
        return text
    comments = _comments(text)
    out, done = [], 0
    for found in _BRACES.finditer(text):
        if any(start <= found.start() < end for start, end in comments):
            continue
        out += [text[done : found.start()], _value(text, found, namespace)]
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


def _value(text: str, found: re.Match[str], namespace: Mapping[str, object]) -> str:
    place = place_at(text, found.start(), found.end())
    path = _PATH.fullmatch(found["inside"])
    if path is None:
        raise ParseError(
            f"{found.group()} is not a variable",
            hint="put the value into a variable first, and write its name between the braces",
            place=place,
        )
    name = path["name"]
    if name not in namespace:
        raise BindError(
            f"{name} is not a variable of this notebook", hint=_near(name, namespace) or _define(name), place=place
        )
    value = namespace[name]
    for attribute in path["attributes"].split(".")[1:]:
        try:
            value = getattr(value, attribute)
        except Exception as error:  # a property of the user's may raise anything
            raise BindError(
                f"{path.group().strip()}: {type(error).__name__}: {error}",
                hint=did_you_mean(attribute, [a for a in dir(value) if not a.startswith("_")]),
                place=place,
            ) from error
    return _written(value, path.group().strip(), found, text)


def _written(value: object, name: str, found: re.Match[str], text: str) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return str(value)
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", None) == 0:  # a NumPy scalar
        return _written(item(), name, found, text)
    raise BindError(
        f"{name} is a {type(value).__name__}, which has no text in SQL",
        hint=f"braces take text and numbers; pass other values as ${name.split('.')[0]}, or join them to a text first",
        place=place_at(text, found.start(), found.end()),
    )


def _comments(text: str) -> list[tuple[int, int]]:
    try:
        return scan(text).comments
    except ParseError:  # a quote may be closed by what the braces hold; the parser judges the expanded text
        return []


def _near(name: str, namespace: Mapping[str, object]) -> str | None:
    """Near names, but never a list of everything: a notebook's variables are no catalogue."""
    hint = did_you_mean(name, [n for n in namespace if isinstance(n, str) and not n.startswith("_")])
    return hint if hint is not None and hint.startswith("did you mean") else None


def _define(name: str) -> str:
    return f"run a cell with {name} = … first"
