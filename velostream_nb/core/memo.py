"""A small memory of what was computed last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """The values used last, each with the object it was computed from. Safe for several threads.

    A key may be an address: as long as the object at that address is held, nothing else can be there.

    Args:
        entries: so many values at most.
        rows: so many rows of all of them together at most; a value of more is not kept.
    """

    def __init__(self, *, entries: int, rows: int) -> None:
        self._entries = entries
        self._most_rows = rows
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[Value, object, int]] = OrderedDict()
        self._rows = 0

    def get(self, key: Hashable) -> Value | None:
        """The value of a key, None when it is not known (any more)."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: Value, held: object, rows: int) -> None:
        """Keep a value, and `held` with it; what was used longest ago goes."""
        if rows > self._most_rows:
            return
        with self._lock:
            if key in self._known:  # another thread has computed the same
                return
            self._known[key] = (value, held, rows)
            self._rows += rows
            while self._rows > self._most_rows or len(self._known) > self._entries:
                _, (_, _, gone) = self._known.popitem(last=False)
                self._rows -= gone

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._known.clear()
            self._rows = 0
