"""Work in processes of their own, with the operating system's figures for each.

A worker is a module (or, for peers with their own Python, a script) that gets one JSON object as its argument and prints
one as the last line of its output. CPU seconds and peak memory are what ``wait4`` says of the whole process: interpreter
start, imports and threads included. What the system says of a child's memory starts at its parent's at the fork, so
nothing heavy may be imported on this side.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 1_800.0
"""No single measurement takes half an hour; one that hangs must not hold the others up for ever."""


class WorkerError(Exception):
    """A worker failed: what it said last."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker did.

    Attributes:
        cpu_s: user and system time, over all its threads.
        wall_s: from its start to its end.
        peak_mb: the most memory it had resident, in 10^6 bytes.
        answer: what it printed.
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    answer: dict[str, Any]


def run(worker: str | Path, options: Mapping[str, object], *, python: str | Path = sys.executable) -> Outcome:
    """Run a worker to its end.

    Args:
        worker: a module's name, or the path of a script.
        options: its argument. ``cores`` is for `serve`: the worker then runs on so many.
        python: the interpreter, for peers that live in an environment of their own.

    Raises:
        WorkerError: it failed, did not answer, or was still at it after `TIMEOUT_S`.
    """
    name = [str(worker)] if isinstance(worker, Path) else ["-m", worker]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        began_s = time.perf_counter()
        process = subprocess.Popen([str(python), *name, json.dumps(options)], cwd=ROOT, stdout=out, stderr=errors)
        timer = threading.Timer(TIMEOUT_S, process.kill)
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
        wall_s = time.perf_counter() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)  # it is reaped: Popen must not look for it again
        out.seek(0)
        errors.seek(0)
        lines = out.read().strip().splitlines()
        if process.returncode or not lines:
            raise WorkerError(f"{worker} ended with status {process.returncode}: {_last_word(errors.read())}")
        answer = json.loads(lines[-1])
    peak_mb = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return Outcome(usage.ru_utime + usage.ru_stime, wall_s, peak_mb, answer)


def _last_word(text: str) -> str:
    """Of what a program said on its standard error, the line that says what is wrong."""
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "\t", "hint:"))]
    return lines[-1] if lines else "it said nothing"


def serve(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """A worker's main: its options to `work`, the answer to standard output. Call it before importing anything heavy."""
    options = json.loads(sys.argv[1])
    cores = options.pop("cores", None)
    if cores is not None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    print(json.dumps(work(options)))
