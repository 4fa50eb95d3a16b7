"""What is said of a value that does not fit its column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pyarrow as pa

Convert: TypeAlias = Callable[[Any, str], Any]
"""(value, path) -> what `pyarrow.array` takes for the type; timestamps as integer µs. Never called with None."""

_SHOWN_CHARACTERS = 40


class Misfit(Exception):  # noqa: N818  it is a verdict on a record, not an error of the program
    """A value that does not fit its column."""

    def __init__(self, reason: str, path: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


class TooNarrow(Misfit):
    """A number that its column does not hold, and the type `needs` that does."""

    def __init__(self, reason: str, path: str, needs: pa.DataType) -> None:
        super().__init__(reason, path)
        self.needs = needs


def shown(value: object) -> str:
    """The value as a reason quotes it: short, text in quotes, the rest as in JSON."""
    if isinstance(value, str):
        text = repr(value)
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, Mapping):
        return "an object"
    elif isinstance(value, (list, tuple)):
        return "a list"
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def misfit(wanted: str, value: object, path: str) -> Misfit:
    """The usual verdict: expected this at that path, got something else."""
    return Misfit(f"expected {wanted} at {path}, got {shown(value)}", path)


def out_of_range(value: object, type_name: str, path: str) -> Misfit:
    """The verdict on a number of the right kind that its type cannot hold."""
    return Misfit(f"{shown(value)} at {path} is out of range for {type_name}", path)
