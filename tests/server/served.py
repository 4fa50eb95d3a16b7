"""A real server for many tests: one `JobServer`, behind it another session for each test.

Starting Jupyter Server takes a second or two, opening a session a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from velostream_nb.client import RemoteSession
from velostream_nb.jobs.session import Session
from velostream_nb.server import JobServer

TOKEN = "let-me-in"


class Switch:
    """Passes every call on to the session of the test that runs."""

    def __init__(self) -> None:
        self.target: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


class ServedSession(RemoteSession):
    """A remote session that ends the session behind the server too, as a local one would."""

    local: Session

    def close(self) -> None:
        super().close()
        self.local.close()


class Served:
    """The server, and how to open a session behind it."""

    def __init__(self, server: JobServer, switch: Switch) -> None:
        self.server = server
        self.switch = switch
        self.token = TOKEN

    def open(self) -> ServedSession:
        """A new session behind the server, seen through it."""
        self.switch.target = local = Session()
        session = ServedSession(self.server.url, TOKEN, timeout=30.0)
        session.local = local
        return session

    def http(self, token: str | None = TOKEN) -> httpx.Client:
        """A client for plain requests."""
        headers = {"Authorization": f"token {token}"} if token else {}
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=30.0)


@contextmanager
def serve() -> Iterator[Served]:
    """Start the server on a free port; it is gone at the end."""
    switch = Switch()
    switch.target = first = Session()
    with JobServer(switch, port=0, token=TOKEN) as server:
        yield Served(server, switch)
    first.close()
