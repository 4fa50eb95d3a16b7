"""The server's life: it comes up, it ends whatever goes on, and it fits into a Jupyter Server of one's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from tests.cli.conftest import plain_env, wait_until
from velostream_nb.client import RemoteSession
from velostream_nb.core.errors import ConfigError, ServerError
from velostream_nb.jobs.session import Session
from velostream_nb.server import JobServer, serving


def test_it_ends_while_somebody_waits_for_rows_that_never_come() -> None:
    before = {thread.name for thread in threading.enumerate()}
    failures: list[Exception] = []
    with Session() as session:
        session.produce("t", [{"x": 1, "timestamp": 1}])
        server = JobServer(session, port=0).start()

        def wait() -> None:
            with RemoteSession(server.url, server.token) as remote:
                try:
                    remote.query("SELECT x FROM t WHERE x > 1000 EMIT CHANGES LIMIT 1")
                except ServerError as error:
                    failures.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(lambda: len(session.jobs()) == 1)
        server.stop()
        waiting.join(10)
        assert len(failures) == 1
        assert "broke" in str(failures[0])
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("velo") and t.name not in before])


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    with Session() as session:
        server = JobServer(session, port=0)
        server.stop()
        server.stop()
        with JobServer(session, port=server.port) as again:  # the port is free again
            assert httpx.get(f"{again.url}/health").status_code == 200
        again.stop()
        assert session.topics() == []  # the session stays open


def test_its_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "/somewhere"):
        if value is None:
            monkeypatch.delenv("JUPYTER_PATH", raising=False)
        else:
            monkeypatch.setenv("JUPYTER_PATH", value)
        before = dict(os.environ)
        with Session() as session, JobServer(session, port=0):
            pass
        assert dict(os.environ) == before


@pytest.mark.parametrize(("port", "says"), [(-1, "does not exist"), (65_536, "does not exist")])
def test_ports_that_cannot_be(port: int, says: str) -> None:
    with Session() as session, pytest.raises(ConfigError, match=says):
        JobServer(session, port=port)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with Session() as session, pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1"):
        JobServer(session, ip="192.0.2.1", port=0, token="x")


def test_a_folder_of_ones_own_dashboards(tmp_path: Path) -> None:
    with Session() as session, JobServer(session, port=0, notebooks=tmp_path) as server:
        assert "token=" in server.dashboard_url("my desk.ipynb")
        assert "/voila/render/my%20desk.ipynb?" in server.dashboard_url("my desk.ipynb")


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "http://", "http://x:99999", "http://x:y"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a server"):
        RemoteSession(url)


def test_the_printed_address_of_a_dashboard_connects_too() -> None:
    with Session() as session, JobServer(session, port=0) as server:
        with RemoteSession(server.dashboard_url()) as remote:
            assert (remote.url, remote.topics()) == (server.url, [])
        with pytest.raises(ServerError, match="the session is closed"):
            remote.topics()


def test_something_else_at_the_address_is_told() -> None:
    """A plain web server that answers everything with the same page."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            peer, _ = listening.accept()
            with peer:
                peer.recv(65_536)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ServerError, match="is not JSON: 'hello'"):
            RemoteSession(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread.join()


def test_as_an_extension_of_a_jupyter_server_of_ones_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable, "-P", "-m", "jupyter_server", "--allow-root", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=mine", f"--ServerApp.root_dir={tmp_path}",
        "--ServerApp.open_browser=False", "--ServerApp.jpserver_extensions={'velostream_nb.server': True}",
    ]  # fmt: skip
    env = {**plain_env(), "HOME": str(tmp_path), "JUPYTER_NO_CONFIG": "1"}
    log = tmp_path / "log.txt"
    with log.open("w") as err:
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=err, stderr=err)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return httpx.get(f"{url}/health").status_code == 200
        except httpx.ConnectError:
            return False

    try:
        wait_until(answers)
        with RemoteSession(url, "mine") as remote:
            remote.produce("t", [{"x": 1, "timestamp": 1}, {"x": 2, "timestamp": 2}])
            assert remote.query("SELECT sum(x)::BIGINT AS s FROM t").to_pylist() == [{"s": 3}]
    finally:
        process.terminate()
        process.wait(20)


def test_only_messages_to_closed_tabs_go_unreported():
    reported = []

    class Loop:
        def default_exception_handler(self, context):
            reported.append(context)

    serving._quiet_goodbyes(Loop(), {"exception": WebSocketClosedError()})
    serving._quiet_goodbyes(Loop(), {"exception": StreamClosedError()})
    assert reported == []
    other = {"exception": RuntimeError("news")}
    serving._quiet_goodbyes(Loop(), other)
    serving._quiet_goodbyes(Loop(), {"message": "no exception at all"})
    assert reported == [other, {"message": "no exception at all"}]
