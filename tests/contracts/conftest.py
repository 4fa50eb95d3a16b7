"""The forms of a session: in this process, and behind a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.server.served import Served, serve
from velostream_nb.core.model import SessionLike
from velostream_nb.jobs.session import Session


@pytest.fixture(scope="module")
def forms() -> Iterator[Callable[[str], SessionLike]]:
    """Opens a session of a form; the server behind the remote ones starts with the first of them."""
    with ExitStack() as stack:
        servers: list[Served] = []

        def opened(form: str) -> SessionLike:
            if form == "local":
                return Session()
            if not servers:
                servers.append(stack.enter_context(serve()))
            return servers[0].open()

        yield opened


@pytest.fixture(params=["local", "remote"])
def s(request: pytest.FixtureRequest, forms: Callable[[str], SessionLike]) -> Iterator[SessionLike]:
    session = forms(request.param)
    yield session
    session.close()
