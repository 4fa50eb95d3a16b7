"""What `session.job(name)` gives: a job to look at, to steer, and to hang streamz code on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from velostream_nb.core.handle import JobHandle
from velostream_nb.core.model import SessionLike

if TYPE_CHECKING:
    from streamz import Stream


class Job(JobHandle):
    """A job of a session in this process.

    Args:
        stream: finds the job's streamz stream.
    """

    def __init__(self, session: SessionLike, name: str, stream: Callable[[], Stream]) -> None:
        super().__init__(session, name)
        self._stream = stream

    @property
    def stream(self) -> Stream:
        """A plain streamz stream: one `pyarrow.Table` of output rows per tick that has any, after they are published.

        What is hung on it runs on the engine's thread, so it should be quick. What it raises is counted in the job's
        notes and stops nothing. Sinks live as long as the job, or until they are destroyed.
        """
        return self._stream()


def stream_of(find: Callable[[str], Any], name: str) -> Callable[[], Any]:
    """Looks the stream up at each use, because a replaced job has a new one."""
    return lambda: find(name).stream.stream
