"""A small memory of what was computed last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
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
        # what is being computed, with the event for those who wait: the first of them makes it
        self._computing: dict[Hashable, threading.Event | None] = {}
        self._rows = 0

    def of(self, key: Hashable, compute: Callable[[], Value], held: object, rows: int) -> Value:
        """The value of a key, computed when it is not known, or known no more.

        Threads that ask for one key at once wait for the first of them; what `compute` raises, each gets on its own.

        Args:
            held: kept as long as the value is.
            rows: how much the value counts for.
        """
        while True:
            with self._lock:
                found = self._known.get(key)
                if found is not None:
                    self._known.move_to_end(key)
                    return found[0]
                if key not in self._computing:
                    self._computing[key] = None
                    break
                others = self._computing[key] = self._computing[key] or threading.Event()
            others.wait()
        kept: tuple[Value, object, int] | None = None
        try:
            value = compute()
            kept = (value, held, rows) if rows <= self._most_rows else None
            return value
        finally:
            self._done(key, kept)

    def _done(self, key: Hashable, kept: tuple[Value, object, int] | None) -> None:
        with self._lock:
            waited_for = self._computing.pop(key)
            if kept is not None:
                self._known[key] = kept
                self._rows += kept[2]
                while self._rows > self._most_rows or len(self._known) > self._entries:
                    _, (_, _, gone) = self._known.popitem(last=False)
                    self._rows -= gone
        if waited_for is not None:
            waited_for.set()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._known

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._known.clear()
            self._rows = 0
