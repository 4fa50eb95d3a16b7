"""A real `velo demo`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SCREENS = Path(__file__).resolve().parents[1] / "screens"


@dataclass
class Demo:
    """A running demo: its process, the dashboard's address, and where it writes its summary."""

    process: subprocess.Popen[str]
    url: str
    summary: Path
    log: Path


def wait_for(condition, timeout: float, what: str):
    """Poll until `condition()` is true; its value. Fails with `what` after `timeout` seconds."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f"not in {timeout:g} s: {what}")


@pytest.fixture(scope="module")
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
