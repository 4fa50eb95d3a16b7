"""How long it takes to begin: the import, the command, the first row of a job in a notebook."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import child
from benchmarks.plan import Plan
from benchmarks.report import Section

NOISE = 0.1
VELO = Path(sys.executable).with_name("velo")


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """Processes `plan.starts` times, after one that fills the file cache; a kernel `plan.runs` times."""
    section = Section("startup", "To begin")
    section.notes = [
        "Wall time of whole processes, after a first one that is not counted; a bare interpreter stands beside. In a "
        "real kernel: from sending the cell that starts a job over 1,000 retained rows to the moment its first row can "
        "be read, for the first job of the kernel (nothing but %load_ext and s.produce came before it: no SQL) and for those "
        "that follow."
    ]
    commands = {
        "import velostream_nb": [sys.executable, "-c", "import velostream_nb"],
        "velo --help": [str(VELO), "--help"],
        "a bare interpreter": [sys.executable, "-c", "pass"],
    }
    if not VELO.exists():
        section.skipped.append(f"velo --help: there is no {VELO.name} beside the interpreter")
        del commands["velo --help"]
    runs: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(plan.starts + 1):
        say(f"process starts, {turn} of {plan.starts}")
        for name, command in commands.items():
            took_s = _wall_s(command)
            if turn:
                runs[name].append(took_s)
    for name, times in runs.items():
        section.add(name, times, "s", more=False, least_change=NOISE)
    _kernels(plan, section, say)
    return section


def _wall_s(command: list[str]) -> float:
    began_s = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=child.ROOT)
    return time.perf_counter() - began_s


def _kernels(plan: Plan, section: Section, say: Callable[[str], None]) -> None:
    first, later = [], []
    for turn in range(plan.runs):
        say(f"jobs in a kernel, run {turn + 1} of {plan.runs}")
        try:
            took_ms = child.run("benchmarks.workers.kernel", {"jobs": plan.starts + 1}).answer["first_row_ms"]
        except child.WorkerError as error:
            section.skipped.append(f"jobs in a kernel: {error}")
            return
        first.append(took_ms[0])
        later += took_ms[1:]
    section.add("cell to first row, first job", first, "ms", more=False, least_change=NOISE)
    section.add("cell to first row, later jobs", later, "ms", more=False, least_change=NOISE)
