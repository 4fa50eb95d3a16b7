"""The one error this package raises on purpose."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MarketConfigError(ValueError):
    """A market, option or file that cannot be used: what is wrong and what was got (message), what to do (hint)."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


def near_names(name: str, known: Iterable[str]) -> str:
    """A hint with up to three near names, or the whole list when none is near."""
    names = sorted(set(known))
    folded = {known_name.lower(): known_name for known_name in names}
    near = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
