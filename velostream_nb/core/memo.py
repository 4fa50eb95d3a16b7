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
        self._computing: dict[Hashable, threading.Event] = {}
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
                others = self._computing.get(key)
                if others is None:
                    done = self._computing[key] = threading.Event()
                    break
            others.wait()
        try:
            value = compute()
            self._put(key, value, held, rows)
            return value
        finally:
            with self._lock:
                del self._computing[key]
            done.set()

    def _put(self, key: Hashable, value: Value, held: object, rows: int) -> None:
        if rows > self._most_rows:
            return
        with self._lock:
            self._known[key] = (value, held, rows)
            self._rows += rows
            while self._rows > self._most_rows or len(self._known) > self._entries:
                _, (_, _, gone) = self._known.popitem(last=False)
                self._rows -= gone

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._known

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._known.clear()
            self._rows = 0
