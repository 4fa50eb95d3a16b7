"""Python functions and servers: code of a client does not travel."""

from __future__ import annotations

import pytest

from velostream_nb.client import RemoteSession
from velostream_nb.core.errors import UnsupportedError


def test_a_client_cannot_give_the_server_a_function(remote: RemoteSession) -> None:
    with pytest.raises(UnsupportedError, match="cannot run in the server at http") as caught:

        @remote.function(returns="DOUBLE")
        def half(x: float) -> float:
            return x / 2

    assert caught.value.hint is not None
    assert "velo.connect() without a URL" in caught.value.hint
