"""The one session behind a server's routes, and the threads that call it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import TypeVar

from velostream_nb.core.model import SessionLike

T = TypeVar("T")

SETTING = "velo_service"
"""Key of the `Service` in a web application's settings."""


class Pool(StrEnum):
    """Which threads a call runs on: apart, so that slow calls of one kind do not keep the others waiting."""

    LOOK = "look"
    """Frames, jobs, topics: milliseconds each, many a second."""
    ACT = "act"
    """SQL, rows, control: up to seconds."""
    WAIT = "wait"
    """Drains and queries over streams: as long as it takes."""


_THREADS = {Pool.LOOK: 4, Pool.ACT: 8, Pool.WAIT: 32}


class Service:
    """A session whose blocking calls run on threads, so that the event loop stays free.

    Args:
        session: stays open when the service is closed.
    """

    def __init__(self, session: SessionLike) -> None:
        self.session = session
        self._pools = {
            pool: ThreadPoolExecutor(threads, thread_name_prefix=f"velo-{pool.value}")
            for pool, threads in _THREADS.items()
        }

    async def call(self, pool: Pool, action: Callable[[], T]) -> T:
        """What `action` gives or raises, from a thread of `pool`."""
        return await asyncio.get_running_loop().run_in_executor(self._pools[pool], action)

    def close(self) -> None:
        """Let the threads end. Calls that wait for a session end when the session is closed."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
