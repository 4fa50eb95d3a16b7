"""Commands that go on until they are told to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

LOOK_EVERY_S = 0.1


class Stopped:
    """Whether Ctrl-C or SIGTERM has come.

    A plain flag, looked at ten times a second: a signal handler that sets a `threading.Event` waits for ever when the
    signal comes while its own thread holds the event's lock.
    """

    def __init__(self) -> None:
        self._flag = False

    def set(self) -> None:
        self._flag = True

    def __bool__(self) -> bool:
        return self._flag

    def wait(
        self,
        seconds: float | None,
        *,
        or_when: threading.Event | None = None,
        every_s: float = 1.0,
        look: Callable[[], object] | None = None,
    ) -> None:
        """Return after `seconds` (None: never), at a signal, or when `or_when` is set; calls `look` `every_s`."""
        began_s = looked_s = time.monotonic()
        while not self and not (or_when is not None and or_when.is_set()):
            now_s = time.monotonic()
            if seconds is not None and now_s - began_s >= seconds:
                return
            if look is not None and now_s - looked_s >= every_s:
                looked_s += every_s
                look()
            left_s = LOOK_EVERY_S if seconds is None else min(LOOK_EVERY_S, began_s + seconds - now_s)
            time.sleep(max(0.001, left_s))


@contextmanager
def until_signalled() -> Iterator[Stopped]:
    """Inside, Ctrl-C and SIGTERM only set the flag, however often they come: the way out is a clean stop."""
    stopped = Stopped()

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        stopped.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
