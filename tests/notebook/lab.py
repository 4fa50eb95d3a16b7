"""A real JupyterLab on loopback, with nothing of the user's configuration."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"
T = TypeVar("T")


@dataclass
class Lab:
    url: str
    token: str
    folder: Path

    def page(self, notebook: str) -> str:
        return f"{self.url}/lab/tree/{notebook}?token={self.token}"


def wait_for(condition: Callable[[], T], timeout_s: float, what: str) -> T:
    """Poll until `condition()` is true and give its value; fails with `what` otherwise."""
    end = time.monotonic() + timeout_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            pytest.fail(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.1)


def start_lab(folder: Path) -> tuple[subprocess.Popen[bytes], Lab]:
    """Start a server over a copy of the quickstart; returns when it answers."""
    token = secrets.token_hex(8)
    own = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
    env = {**os.environ, **{f"JUPYTER_{name}": str(folder / part) for name, part in own.items()}}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "spaces")}
    for name in ("VELO_SERVER", "VELO_TOKEN", "VELO_DASHBOARD"):
        env.pop(name, None)
    books = folder / "books"
    books.mkdir()
    shutil.copy(QUICKSTART, books)
    log = (folder / "lab.log").open("wb")
    options = ["--no-browser", "--ip=127.0.0.1", "--port=0", "--allow-root", f"--IdentityProvider.token={token}"]
    command = [sys.executable, "-m", "jupyterlab", *options, f"--ServerApp.root_dir={books}"]
    process = subprocess.Popen(command, env=env, cwd=books, stdout=log, stderr=subprocess.STDOUT)
    log.close()

    def address() -> str | None:
        assert process.poll() is None, (folder / "lab.log").read_text()
        text = (folder / "lab.log").read_text()
        at = text.find("http://127.0.0.1:")
        return text[at:].split("/lab")[0].split("/?")[0].split()[0] if at >= 0 else None

    url = wait_for(address, 60, "JupyterLab's address in its log")

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/api?token={token}", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    wait_for(answers, 60, "JupyterLab answers")
    return process, Lab(url, token, books)


def stop_lab(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
