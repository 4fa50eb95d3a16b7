"""`JobServer`: a session over HTTP and its dashboards, on a thread of this process."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from velostream_nb.core.errors import ConfigError, ServerError
from velostream_nb.core.files import shipped
from velostream_nb.core.model import SessionLike
from velostream_nb.server.service import Service

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

    from velostream_nb.server.application import DashboardApp

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
MAX_BODY_BYTES = 256 * 1024 * 1024


class JobServer:
    """Serves one session: routes of `handlers.py`, dashboards under ``/voila/render/``.

    Args:
        session: what is served; stays open when the server stops.
        ip: where to listen; other than loopback needs an explicit token.
        port: 0 takes any free one.
        token: asked for everywhere but on ``/health``; None makes a new one.
        notebooks: folder of dashboards; None is the one that ships with the package.

    Raises:
        ConfigError: no such address, the port is in use, or an address without token.

    The port is taken when this is made; requests are answered between `start` and `stop`, or inside a `with`.
    """

    def __init__(
        self,
        session: SessionLike,
        *,
        ip: str = "127.0.0.1",
        port: int = 8080,
        token: str | None = None,
        notebooks: Path | None = None,
    ) -> None:
        self.ip = ip
        self.token = _checked_token(token, ip)
        self._notebooks = notebooks or shipped("notebooks")
        self._socket = _listen(ip, port)
        self.port: int = self._socket.getsockname()[1]
        self._service = Service(session)
        self._ready: Future[None] = Future()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="velo-server", daemon=True)

    @property
    def url(self) -> str:
        """The server's address as this machine reaches it, without token."""
        host = "127.0.0.1" if self.ip == "0.0.0.0" else "[::1]" if self.ip == "::" else self.ip  # noqa: S104
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        return f"http://{host}:{self.port}"

    def dashboard_url(self, notebook: str = "trading_dashboard.ipynb") -> str:
        """The page that shows a notebook as a dashboard, with the token in it."""
        return f"{self.url}/voila/render/{quote(notebook)}?{urlencode({'token': self.token})}"

    def start(self) -> JobServer:
        """Start answering; returns when it does.

        Raises:
            ServerError: it did not come up.
        """
        self._thread.start()
        try:
            self._ready.result(START_TIMEOUT_S)
        except Exception as error:
            self.stop()
            raise ServerError(f"the server did not start: {error}", hint="this is a fault of ours") from error
        return self

    def stop(self) -> None:
        """Stop answering, end the dashboards' kernels, free the port. Safe to call twice, and before `start`."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT_S)
        self._socket.close()
        self._service.close()

    def __enter__(self) -> JobServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- on the server's thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="velo-", ignore_cleanup_errors=True) as scratch, _templates():
                asyncio.run(self._serve(Path(scratch)))
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _serve(self, scratch: Path) -> None:
        from velostream_nb.server.application import make_app

        app = make_app(
            self._service,
            ip=self.ip,
            port=self.port,
            token=self.token,
            notebooks=self._notebooks,
            scratch=scratch,
            kernel_env={"VELO_SERVER": self.url, "VELO_TOKEN": self.token, "VELO_DASHBOARD": "1"},
            remote=not _is_loopback(self.ip),
        )
        asyncio.get_running_loop().set_exception_handler(_quiet_goodbyes)
        http = self._answer_requests(app)
        self._ready.set_result(None)
        await asyncio.to_thread(self._stop.wait)
        await _shut(app, http)

    def _answer_requests(self, app: DashboardApp) -> HTTPServer:
        from tornado.httpserver import HTTPServer

        http = HTTPServer(app.web_app, max_body_size=MAX_BODY_BYTES, max_buffer_size=MAX_BODY_BYTES)
        http.add_socket(self._socket)
        return http


def _quiet_goodbyes(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A message that was on its way to a tab that has just closed is no news; all else is reported as usual."""
    from tornado.iostream import StreamClosedError
    from tornado.websocket import WebSocketClosedError

    if not isinstance(context.get("exception"), (WebSocketClosedError, StreamClosedError)):
        loop.default_exception_handler(context)


async def _shut(app: DashboardApp, http: HTTPServer) -> None:
    """Kernels first, while their sockets still have a loop; then whoever is connected."""
    http.stop()
    await app.kernel_manager.shutdown_all()
    await app.kernel_websocket_connection_class.close_all()
    app.session_manager.close()
    await http.close_all_connections()


@contextmanager
def _templates() -> Iterator[None]:
    """Voila looks for page templates where ``JUPYTER_PATH`` points, also while it answers."""
    from velostream_nb.dashboards.serving import voila_environment

    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = voila_environment()["JUPYTER_PATH"]
    try:
        yield
    finally:
        if before is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = before


def _checked_token(token: str | None, ip: str) -> str:
    if token is None:
        if not _is_loopback(ip):
            raise ConfigError(
                f"listening on {ip} without a token would let the network in",
                hint="choose one with --token, or listen on 127.0.0.1",
            )
        return secrets.token_urlsafe(24)
    if not token.strip():
        raise ConfigError("the token is empty", hint="leave it out for a random one")
    return token


def _is_loopback(ip: str) -> bool:
    if ip == "localhost":
        return True
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


def _listen(ip: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port {port} does not exist", hint="choose 1 to 65535, or 0 for any free one")
    try:
        found = socket.create_server((ip, port), family=socket.AF_INET6 if ":" in ip else socket.AF_INET, backlog=128)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} on {ip} is in use",
                hint="choose another with --port (0 takes any free one), or end the program that has it",
            ) from error
        if error.errno == errno.EACCES:
            raise ConfigError(f"port {port} is reserved for administrators", hint="choose one above 1023") from error
        raise ConfigError(f"cannot listen on {ip}:{port}: {error.strerror or error}", hint="see --ip") from error
    found.setblocking(False)
    return found
