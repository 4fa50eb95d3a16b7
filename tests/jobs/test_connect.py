"""The package's front door."""

from __future__ import annotations

import subprocess
import sys

import pytest

import velostream_nb as velo
from velostream_nb.core.errors import ConfigError
from velostream_nb.jobs.session import Session


def test_the_public_names_are_sorted_and_there() -> None:
    assert velo.__all__ == sorted(velo.__all__)
    assert all(hasattr(velo, name) for name in velo.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["duckdb", "pandas", "pyarrow", "sqlglot", "streamz", "IPython", "ipywidgets", "numpy", "httpx", "tornado"]
    code = f"import sys, velostream_nb; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_connect_opens_a_session_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VELO_SERVER", raising=False)
    with velo.connect() as s:
        assert isinstance(s, Session)
        assert not s.closed
    assert s.closed


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("kafka://localhost:9092", "Kafka is not in this release"),
        ("localhost:8080", "cannot connect"),
        ("ftp://x", "cannot connect"),
        ("", "cannot connect"),
    ],
)
def test_other_addresses_are_refused_with_what_to_write(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        velo.connect(url)
    assert "connect(" in (caught.value.hint or "")


def test_open_sessions_end_quietly_with_the_interpreter() -> None:
    code = """
import velostream_nb as velo
s, t = velo.connect(), velo.connect()
for session in (s, t):
    session.produce("t", [{"x": i, "timestamp": i} for i in range(10)])
    session.sql("START JOB j AS SELECT x FROM t; START JOB w AS SELECT COUNT(*) AS n FROM t "
                "GROUP BY TUMBLE(timestamp, INTERVAL '1' SECOND)")
session.job("j").stream.sink(lambda table, s=session: s.read("j"))
session.drain()
print(session.read("j").num_rows)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "10", "")
