from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.server.served import Served, ServedSession, serve


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serve() as running:
        yield running


@pytest.fixture
def remote(served: Served) -> Iterator[ServedSession]:
    session = served.open()
    yield session
    session.close()


@pytest.fixture
def http(served: Served, remote: ServedSession) -> Iterator[httpx.Client]:
    """Plain requests with the token, to the session that `remote` sees."""
    with served.http() as client:
        yield client
