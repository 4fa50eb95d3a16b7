"""Requests to a server: one pool of connections, our errors out of its answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx

from velostream_nb.core.errors import ConfigError, ServerError, VeloError
from velostream_nb.core.wire import error_from_json

CONNECT_TIMEOUT_S = 5.0
_HINT = "is it running there? start one with: velo server"


def split_url(url: str) -> tuple[str, str | None]:
    """A server's address and the token in its ``?token=``, if there is one.

    Paths below a page of the server (such as the printed ``/voila/…``) are cut off.

    Raises:
        ConfigError: it is no http address.
    """
    parts = urlsplit(url)
    try:
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ConfigError(f"{url!r} is not the address of a server", hint="write it like http://127.0.0.1:8080")
    base_path = parts.path.split("/voila/")[0].rstrip("/")
    token = parse_qs(parts.query).get("token", [None])[0]
    return urlunsplit((parts.scheme, parts.netloc, base_path, "", "")), token


class Http:
    """Keep-alive requests to one server; safe to share between threads.

    Args:
        timeout: seconds that any one answer may take; None waits as long as it takes.
    """

    def __init__(self, base: str, token: str | None, timeout: float | None) -> None:
        self.base = base
        headers = {"Authorization": f"token {token}"} if token else {}
        self._client = httpx.Client(
            base_url=base,
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=8),
            transport=httpx.HTTPTransport(retries=1),  # of the connection only: nothing is ever sent twice
            trust_env=False,  # a proxy between us and loopback would be a mistake
        )

    def get(self, path: str, *, accept: str, params: dict[str, str] | None = None) -> httpx.Response:
        """GET; raises our errors."""
        return self._send("GET", path, headers={"Accept": accept}, params=params)

    def post(
        self,
        path: str,
        *,
        accept: str,
        json: Any = None,
        content: bytes | None = None,
        kind: str | None = None,
        params: dict[str, str] | None = None,
        timeout: float | httpx._client.UseClientDefault | None = httpx.USE_CLIENT_DEFAULT,
    ) -> httpx.Response:
        """POST JSON, or `content` of the media type `kind`; raises our errors."""
        headers = {"Accept": accept, **({"Content-Type": kind} if kind else {})}
        return self._send("POST", path, headers=headers, json=json, content=content, params=params, timeout=timeout)

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        self._client.close()

    @property
    def closed(self) -> bool:
        return self._client.is_closed

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        if self.closed:
            raise ServerError("the session is closed", hint="open a new one with velo.connect(url)")
        try:
            response = self._client.request(method, path, **request)
        except httpx.ConnectError as error:
            raise ServerError(f"no server answers at {self.base}", hint=_HINT) from error
        except httpx.TimeoutException as error:
            raise ServerError(
                f"the server at {self.base} did not answer in time ({method} {path})",
                hint="give connect() a longer timeout=, in seconds",
            ) from error
        except httpx.HTTPError as error:
            raise ServerError(f"the connection to {self.base} broke: {error}", hint=_HINT) from error
        if response.is_success:
            return response
        raise self._error(response)

    def _error(self, response: httpx.Response) -> VeloError:
        if response.status_code in (401, 403):
            return ServerError(
                f"the server at {self.base} refused the token",
                hint="give the token it printed: velo.connect(url, token=…), or the whole URL with ?token=…",
            )
        if not response.headers.get("Content-Type", "").startswith("application/json"):
            return ServerError(
                f"{self.base} answered {response.status_code} {response.reason_phrase}, and not as our server does",
                hint="check the address and the port",
            )
        return error_from_json(read_json(response))


def read_json(response: httpx.Response) -> Any:
    """The answer's JSON; ServerError when it is none."""
    try:
        return response.json()
    except ValueError as error:
        raise ServerError(
            f"the answer to {response.request.url.path} is not JSON: {response.text[:80]!r}",
            hint="is this address a velo server?",
        ) from error
