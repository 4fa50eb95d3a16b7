"""Checks of options: each says which option, what was got and what would do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from velostream_generator.errors import MarketConfigError


def require_names(what: str, names: Sequence[object]) -> None:
    """At least one, each a text that is not blank, each given once."""
    if not names:
        raise MarketConfigError(f"no {what}s", hint=f"name at least one {what}")
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise MarketConfigError(f"{name!r} is no name for a {what}", hint='write it as text, like "AAPL"')
        if names.count(name) > 1:
            raise MarketConfigError(f"{what} {name!r} is given {names.count(name)} times", hint="give each one once")


def require_integer(name: str, value: object, lowest: int, highest: int) -> None:
    """A whole number in the closed range; booleans are not numbers."""
    if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
        raise MarketConfigError(f"{name} is {value!r}", hint=f"give a whole number from {lowest:,} to {highest:,}")


def require_number(name: str, value: object, lowest: float, highest: float, meaning: str) -> None:
    """A finite number in the closed range; booleans are not numbers."""
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not math.isfinite(value)
        or not lowest <= value <= highest
    ):
        raise MarketConfigError(
            f"{name} is {value!r}", hint=f"give a number from {lowest:g} to {highest:g} ({meaning})"
        )
