"""A real Chromium and a real `velo demo`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SCREENS = Path(__file__).resolve().parents[1] / "screens"


@dataclass
class Demo:
    """A running demo: its process, the dashboard's address, and where it writes its summary."""

    process: subprocess.Popen[str]
    url: str
    summary: Path
    log: Path


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        message = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def wait_for(condition, timeout: float, what: str):
    """Poll until `condition()` is true; its value. Fails with `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f"not in {timeout:g} s: {what}")


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("velo")),
                "demo",
                "--minutes",
                "15",
                "--port",
                "0",
                "--summary",
                str(folder / "summary.json"),
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
        )

    def address() -> str | None:
        assert process.poll() is None, log.read_text()
        found = re.search(r"http://127\.0\.0\.1:\d+/voila/\S+", log.read_text())
        return found[0] if found else None

    try:
        yield Demo(process, wait_for(address, 60, "the dashboard's address"), folder / "summary.json", log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
