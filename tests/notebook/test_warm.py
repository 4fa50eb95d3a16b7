"""Loading the extension imports the engine meanwhile: once, quietly, and leaving nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys

_START = """
import sys, threading
from velostream_nb.notebook.warm import warm_up
warm_up(); warm_up()
threads = [t for t in threading.enumerate() if t.name == "velo-warm-up"]
for thread in threads: thread.join()
print(len(threads), "velostream_nb.jobs.session" in sys.modules, threading.active_count())
"""


def _run(code: str, **env: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    return done.stdout.strip(), done.stderr


def test_the_engine_is_ready_and_no_thread_is_left() -> None:
    assert _run(_START) == ("1 True 1", "")


def test_a_process_may_end_in_the_midst_of_it() -> None:
    assert _run("from velostream_nb.notebook.warm import warm_up; warm_up()") == ("", "")


def test_who_works_on_a_server_needs_no_engine() -> None:
    assert _run(_START, VELO_SERVER="http://127.0.0.1:1") == ("0 False 1", "")


def test_what_fails_is_left_to_the_first_cell() -> None:
    broken = "import sys; sys.modules['velostream_nb.jobs.session'] = None\n"
    out, errors = _run(broken + _START)
    assert (out.split()[1:], errors) == (["True", "1"], "")
