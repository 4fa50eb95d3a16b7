from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest

from velostream_nb.cli.app import velo

VELO = [sys.executable, "-P", "-c", "from velostream_nb.cli import main; main()"]
"""The command as a process of its own, whatever way the package is installed."""

START_MS = 1_767_623_400_000


@pytest.fixture(autouse=True)
def no_server_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VELO_SERVER", "VELO_TOKEN", "DEMO_DURATION", "SQL_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)


Run = Callable[..., click.testing.Result]


@pytest.fixture
def cli() -> Run:
    """Run a command in this process; `stdout` and `stderr` stay apart."""

    def run(*arguments: object, env: dict[str, str] | None = None) -> click.testing.Result:
        runner = click.testing.CliRunner()
        result = runner.invoke(velo, [str(a) for a in arguments], prog_name="velo", env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def trades(count: int) -> list[dict[str, Any]]:
    return [{"symbol": "AB"[i % 2], "price": 100.0 + i, "timestamp": START_MS + i * 1_000} for i in range(count)]


@pytest.fixture
def trades_file(tmp_path: Path) -> Path:
    path = tmp_path / "trades.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in trades(100)))
    return path


def plain_env() -> dict[str, str]:
    """The environment without colours and without a terminal's width."""
    return {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")} | {"PYTHONUNBUFFERED": "1"}


def wait_until(ready: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)
