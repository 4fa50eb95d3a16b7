"""Engines to compare with, each in a virtual environment of its own under benchmarks/.envs/, made on first use.

What a peer needs is in ``<name>.txt`` beside its script ``<name>_five.py``, which takes the options that our own
workers take. A peer that does not install, or whose script fails, is skipped with the reason.
"""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import child

HERE = Path(__file__).resolve().parent
ENVS = HERE.parent / ".envs"


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine to compare with.

    Attributes:
        label: how the tables call it.
        forms: input formats that its script reads.
    """

    name: str
    label: str
    forms: tuple[str, ...]

    @property
    def python(self) -> Path:
        return ENVS / self.name / "bin" / "python"

    def five(self, sources: dict[str, str], out: str) -> child.Outcome:
        """The five jobs over files."""
        return child.run(HERE / f"{self.name}_five.py", {"sources": sources, "out": out}, python=self.python)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("polars", "Polars batch", ("jsonl", "parquet")),
        Peer("bytewax", "Bytewax", ("jsonl",)),
        Peer("deephaven", "Deephaven", ("jsonl", "parquet")),
        Peer("flink", "Flink SQL", ("jsonl",)),
    )
}


def prepared(names: Iterable[str], skipped: list[str], say: Callable[[str], None]) -> list[Peer]:
    """Those of the peers that are installed, after installing the others; why not, goes to `skipped`."""
    found = []
    for name in names:
        peer = PEERS[name]
        try:
            _install(peer, say)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", "") or str(error)
            skipped.append(f"{peer.label}: it does not install here ({said.strip().splitlines()[-1]})")
        else:
            found.append(peer)
    return found


def _install(peer: Peer, say: Callable[[str], None]) -> None:
    """Make its environment, or bring it to what its requirements say now; the stamp says that they are met."""
    wanted = (HERE / f"{peer.name}.txt").read_text()
    stamp = ENVS / peer.name / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing {peer.label} into an environment of its own, once")
    venv.create(ENVS / peer.name, with_pip=True, clear=True, symlinks=True)
    pip = [str(peer.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
    subprocess.run([*pip, str(HERE / f"{peer.name}.txt")], check=True, capture_output=True, text=True)
    stamp.write_text(wanted)
