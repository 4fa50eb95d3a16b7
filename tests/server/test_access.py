"""Who gets in: the token everywhere but on /health, nothing of the machine through SQL, loopback unless told otherwise."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.server.served import Served, ServedSession
from velostream_nb.core.errors import ConfigError, ServerError, VeloError
from velostream_nb.jobs.session import Session
from velostream_nb.server import JobServer
from velostream_nb.server.handlers import ROUTES

REQUESTS = [
    ("GET", "/jobs"),
    ("GET", "/jobs/x"),
    ("POST", "/jobs/x/stop"),
    ("POST", "/sql"),
    ("POST", "/query"),
    ("GET", "/topics"),
    ("GET", "/topics/t/records"),
    ("POST", "/topics/t/records"),
    ("POST", "/frames"),
    ("POST", "/drain"),
]


def test_every_route_is_in_the_matrix() -> None:
    from re import fullmatch

    listed = {pattern for pattern, _ in ROUTES if any(fullmatch(pattern, path) for _, path in REQUESTS)}
    assert listed == {pattern for pattern, _ in ROUTES} - {"/health"}


@pytest.mark.parametrize(("method", "path"), REQUESTS)
@pytest.mark.parametrize("token", [None, "wrong", "let-me-in "])
def test_without_the_token_nothing_is_answered(
    served: Served, remote: ServedSession, method: str, path: str, token: str | None
) -> None:
    remote.produce("t", [{"x": 1}])
    headers = {} if token is None else {"Authorization": f"token {token.strip()}x"}
    answer = httpx.request(method, served.server.url + path, headers=headers, json={"text": "DROP STREAM t"})
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["error"] == "ServerError"
    assert [topic.name for topic in remote.topics()] == ["t"]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_with_the_token_every_route_answers_as_itself(
    served: Served, http: httpx.Client, method: str, path: str
) -> None:
    answer = http.request(method, path, json={"text": "SHOW JOBS"})
    assert answer.status_code in (200, 404)
    assert answer.headers["Content-Type"] in ("application/json", "application/vnd.apache.arrow.stream",
                                              "application/vnd.velo.bundle")  # fmt: skip


def test_the_token_may_stand_in_the_url(served: Served) -> None:
    assert httpx.get(f"{served.server.url}/jobs?token={served.token}").status_code == 200
    assert httpx.get(f"{served.server.url}/jobs?token=x").status_code == 403


def test_health_needs_no_token_and_tells_no_more_than_that(served: Served, remote: ServedSession) -> None:
    with served.http(token=None) as anybody:
        answer = anybody.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert set(answer.json()) == {"status", "version"}
        remote.local.close()
        answer = anybody.get("/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "closed")


def test_pages_ask_for_the_token(served: Served) -> None:
    page = f"{served.server.url}/voila/render/trading_dashboard.ipynb"
    answer = httpx.get(page)
    assert answer.status_code == 302
    assert "/login" in answer.headers["Location"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/contents",
        "/api/contents/trading_dashboard.ipynb",
        "/api/terminals",
        "/api/config/x",
        "/api/sessions",
        "/api/shutdown",
        "/nbconvert/html/trading_dashboard.ipynb",
    ],
)
def test_what_no_page_needs_is_not_there(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


@pytest.mark.parametrize("path", ["trading_dashboard.ipynb", "%2e%2e/pyproject.toml", "..%2f..%2fetc%2fpasswd"])
def test_voila_hands_out_no_files(http: httpx.Client, path: str) -> None:
    assert http.get(f"/voila/files/{path}").status_code in (403, 404)


def test_a_foreign_host_header_is_refused(served: Served) -> None:
    headers = {"Host": "evil.example:80", "Authorization": f"token {served.token}"}
    assert httpx.get(f"{served.server.url}/jobs", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT getenv('HOME')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET enable_external_access = true",
        "CREATE TABLE t AS SELECT * FROM read_csv('{file}')",
        "CREATE STREAM s (a VARCHAR) WITH ('path' = '{file}')",
        "START JOB j AS SELECT * FROM read_csv('{file}')",
    ],
)
def test_sql_cannot_reach_the_machine(remote: ServedSession, tmp_path: Path, text: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\nnobody-may-see-this\n")
    with pytest.raises(VeloError) as caught:
        remote.sql(text.format(file=secret, folder=tmp_path))
    assert "nobody-may-see-this" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_a_port_in_use_is_an_error_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, Session() as session:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is in use") as caught:
            JobServer(session, port=port)
        assert "--port" in (caught.value.hint or "")


@pytest.mark.parametrize("ip", ["0.0.0.0", "::", "192.0.2.1"])
def test_the_network_is_let_in_only_with_a_token_of_ones_own(ip: str) -> None:
    with Session() as session, pytest.raises(ConfigError, match="without a token"):
        JobServer(session, ip=ip, port=0)


def test_an_empty_token_is_none() -> None:
    with Session() as session, pytest.raises(ConfigError, match="token is empty"):
        JobServer(session, port=0, token="  ")


def test_each_server_makes_its_own_token() -> None:
    with Session() as session:
        servers = [JobServer(session, port=0) for _ in range(2)]
        for server in servers:
            server.stop()
    assert len({server.token for server in servers}) == 2
    assert all(len(server.token) >= 24 for server in servers)


def test_a_user_s_jupyter_setup_is_left_alone(tmp_path: Path) -> None:
    """No file is written to the home folder or the current one, and no configuration of theirs is run."""
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    (home / ".jupyter").mkdir(parents=True)
    cwd.mkdir()
    trap = "raise SystemExit('the configuration of the user was run')"
    for path in (home / ".jupyter/jupyter_server_config.py", home / ".jupyter/voila.py", cwd / "voila.py"):
        path.write_text(trap)
    code = """
from velostream_nb.jobs.session import Session
from velostream_nb.server import JobServer
import httpx
with Session() as session, JobServer(session, port=0) as server:
    print(httpx.get(server.url + "/health").status_code)
"""
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],  # as a console script: the current folder is not imported from
        cwd=cwd,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "200", "")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_wrong_token_is_told_when_connecting(served: Served) -> None:
    with pytest.raises(ServerError, match="refused the token") as caught:
        ServedSession(served.server.url, "wrong")
    assert "token" in (caught.value.hint or "")
