"""velo demo, server and the commands that look at one: as processes of their own, ended as people end them."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.cli.conftest import VELO, Run, plain_env, trades, wait_until
from velostream_nb.client import RemoteSession

pytestmark = pytest.mark.timeout(90)

ALERTS = ["price_alerts", "volume_spikes", "risk_alerts", "order_imbalance_alerts", "arbitrage_opportunities"]


class Process:
    """A command that runs: its lines as they come, and its end."""

    def __init__(self, arguments: tuple[object, ...], cwd: Path) -> None:
        self.cwd = cwd
        self.err = cwd / "stderr.txt"
        with self.err.open("w") as err:
            self.popen = subprocess.Popen(
                [*VELO, *map(str, arguments)], stdout=subprocess.PIPE, stderr=err, text=True, env=plain_env(), cwd=cwd
            )
        self.lines: list[str] = []

    def until(self, pattern: str) -> str:
        """Read lines up to one that matches; gives its first group."""
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.lines.append(line.rstrip())
            if match := re.search(pattern, line):
                return match[1]
        raise AssertionError(f"ended without {pattern!r}: {self.lines}\n{self.err.read_text()}")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)

    def end(self, how: int, timeout: float = 20.0) -> int:
        """Send a signal, read the rest, give the exit code."""
        self.popen.send_signal(how)
        rest, _ = self.popen.communicate(timeout=timeout)
        self.lines += rest.splitlines()
        return self.popen.returncode


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Process] = []

    def begin(*arguments: object) -> Process:
        cwd = tmp_path / f"cwd{len(running)}"
        cwd.mkdir()
        running.append(Process(arguments, cwd))
        return running[-1]

    yield begin
    for process in running:
        if process.popen.poll() is None:
            process.popen.kill()
        process.popen.communicate()


def test_all_five_alerts_come_and_none_floods(cli: Run, tmp_path: Path) -> None:
    """Two minutes of the market in twelve seconds, without browser or Jupyter."""
    summary = tmp_path / "summary.json"
    result = cli("demo", "--no-dashboard", "--minutes", 0.2, "--speed", 10, "--summary", summary)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(summary.read_text())
    assert list(found["topics"]) == ALERTS
    assert all(rows > 0 for rows in found["topics"].values())
    assert found["alerts_per_second"]["median"] < 2
    assert {job["state"] for job in found["jobs"]} == {"running"}
    assert all((job["late"], job["failed"]) == (0, 0) for job in found["jobs"])
    assert found["drained"] is True
    assert found["jobs"][0]["rows_in"] == found["produced"]["market_data"]
    lines = [f"{topic}: {rows:,} rows" for topic, rows in found["topics"].items()]
    assert result.stdout.splitlines()[-5:] == lines


def test_without_dashboard_nothing_of_jupyter_is_loaded(start: Start) -> None:
    process = start("demo", "--no-dashboard", "--minutes", 0)
    process.until("Running (5) jobs until Ctrl-C")
    maps = {Path(m.path).name for m in psutil.Process(process.popen.pid).memory_maps()}
    assert not any("zmq" in name for name in maps)
    assert process.end(signal.SIGTERM) == 0
    assert [line.split(":")[0] for line in process.lines[-5:]] == ALERTS
    assert process.err.read_text() == ""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_with_a_viewer_ends_within_seconds_and_leaves_nothing(start: Start, how: int) -> None:
    process = start("demo", "--port", 0, "--minutes", 5, "--summary", "summary.json")
    url = httpx.URL(process.until(r"Dashboard: (\S+)"))
    assert url.path == "/voila/render/trading_dashboard.ipynb"
    # Voila renders the page while the notebook runs in a kernel; a viewer is there from the first bytes on
    with httpx.Client(timeout=60, follow_redirects=True) as browser:
        page = browser.get(url)
        assert page.status_code == 200
        assert "VELO" in page.text
        kernels = process.children()
        assert len(kernels) == 1
        with RemoteSession(str(url)) as session:
            wait_until(lambda: {t.name: t.rows for t in session.topics()}.get("market_data", 0) > 0)
    assert process.end(how, timeout=15) == 0
    assert [line.split(":")[0] for line in process.lines[-5:]] == ALERTS
    _, alive = psutil.wait_procs(kernels, timeout=5)
    assert alive == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{url.port}/health")
    assert json.loads((process.cwd / "summary.json").read_text())["dashboard"] is True
    assert {path.name for path in process.cwd.iterdir()} == {"summary.json", "stderr.txt"}
    assert process.err.read_text() == ""


def test_ctrl_c_twice_is_still_a_clean_end(start: Start) -> None:
    process = start("demo", "--no-dashboard", "--minutes", 0)
    process.until("Running (5) jobs")
    process.popen.send_signal(signal.SIGINT)
    assert process.end(signal.SIGINT) == 0
    assert [line.split(":")[0] for line in process.lines[-5:]] == ALERTS


@pytest.mark.parametrize("command", ["demo", "server"])
def test_a_port_in_use_is_told_at_once(start: Start, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(command, "--port", port)
        out, _ = process.popen.communicate(timeout=20)
    assert (process.popen.returncode, out) == (1, "")
    error, hint = process.err.read_text().splitlines()
    assert error == f"error: port {port} on 127.0.0.1 is in use"
    assert "--port" in hint


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--sql", "none.sql"], 1, "no such file: none.sql"),
        (["--sql", "{tmp}/bad.sql"], 1, "nowhere"),
        (["--minutes", "-1"], 2, "-1.0 is not in the range"),
        (["--scenario", "x"], 2, "'x' is not one of"),
        (["--minutes", "0.01", "--summary", "{tmp}/no/such/folder.json"], 1, "cannot write"),
    ],
)
def test_what_demo_refuses(cli: Run, tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    (tmp_path / "bad.sql").write_text("START JOB j AS SELECT x FROM nowhere")
    result = cli("demo", "--no-dashboard", *(a.format(tmp=tmp_path) for a in arguments))
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_the_environment_is_heard(cli: Run, tmp_path: Path) -> None:
    app = tmp_path / "app.sql"
    app.write_text("""CREATE STREAM market_data (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP);
                      START JOB quotes AS SELECT symbol, price FROM market_data""")
    result = cli("demo", "--no-dashboard", "--sql", app, env={"DEMO_DURATION": "0.01"})
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Running 1 job for 0.01 minutes, or until Ctrl-C."
    assert re.fullmatch(r"quotes: \d+ rows", result.stdout.splitlines()[1])


def test_a_server_and_the_commands_that_look_at_it(start: Start, cli: Run, tmp_path: Path) -> None:
    app = tmp_path / "app.sql"
    app.write_text("""CREATE STREAM trades (symbol VARCHAR, price DOUBLE, timestamp TIMESTAMP);
                      START JOB dear AS SELECT symbol, price FROM trades WHERE price >= 150""")
    process = start("server", "--port", 0, "--token", "secret", "--sql", app)
    url = process.until(r"Server: (\S+)")
    assert url.endswith("/?token=secret")
    with RemoteSession(url) as session:
        session.produce("trades", trades(100))
        session.drain()
    there = ("--server", url)
    header, row = (line.split() for line in cli("jobs", *there).stdout.splitlines())
    assert (header[0], row[:4]) == ("job", ["dear", "running", "trades", "dear"])
    listed = {line.split()[0]: line.split()[1] for line in cli("topics", *there).stdout.splitlines()}
    assert (listed["trades"], listed["dear"]) == ("100", "50")
    tail = [json.loads(line) for line in cli("tail", "dear", "-n", 3, *there).stdout.splitlines()]
    assert [row["price"] for row in tail] == [197.0, 198.0, 199.0]
    counted = cli("sql", *there, "--format", "json", "SELECT count(*) AS n FROM dear")
    assert json.loads(counted.stdout) == {"n": 50}
    made = cli("generate", "--to", url, "--minutes", 0.02, "--speed", 10, "--rate", 500)
    assert made.exit_code == 0
    assert "market_data: " in made.stdout
    assert cli("stop", "dear", *there).stdout == "job dear is stopped\n"
    env = {"VELO_SERVER": url.partition("/?")[0], "VELO_TOKEN": "secret"}
    assert "stopped" in cli("jobs", env=env).stdout
    assert cli("stop", "deer", *there).stderr.splitlines() == ["error: unknown job 'deer'", "hint: did you mean dear?"]
    assert "did you mean dear" in cli("tail", "deer", *there).stderr
    assert "refused the token" in cli("jobs", "--server", url.replace("secret", "x")).stderr
    assert process.end(signal.SIGINT) == 0
    assert process.err.read_text() == ""


def test_following_a_topic_ends_with_ctrl_c(start: Start) -> None:
    server = start("server", "--port", 0)
    url = server.until(r"Server: (\S+)")
    with RemoteSession(url) as session:
        session.produce("t", [{"x": 1, "timestamp": 1}])
        tail = start("tail", "t", "--follow", "--server", url)
        assert tail.until(r'"x": (\d)') == "1"
        session.produce("t", [{"x": 2, "timestamp": 2}])
        assert tail.until(r'"x": (\d)') == "2"
    assert tail.end(signal.SIGINT) == 0
    assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("command", [["jobs"], ["topics"], ["stop", "j"], ["tail", "t"]])
def test_commands_that_look_at_a_server_need_one(cli: Run, command: list[str]) -> None:
    result = cli(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "--server URL" in result.stderr
