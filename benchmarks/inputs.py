"""Input files under benchmarks/data/, made on first use by velostream_generator and kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks import child
from benchmarks.five import ROWS

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
SPARE_BYTES = 4_000_000_000
"""Left free on the disk, whatever is asked for."""
BYTES_A_ROW = {"jsonl": 160, "parquet": 20}


def rows_at(scale: float) -> dict[str, int]:
    """Input rows by topic."""
    return {topic: int(count * scale) for topic, count in ROWS.items()}


def trading(scale: float, form: str) -> dict[str, str]:
    """The five jobs' input files by topic ('jsonl' or 'parquet'); makes those that are missing.

    Raises:
        WorkerError: they cannot be made; before anything is written if the disk has no room for them.
    """
    folder = DATA / f"trading5-{scale:g}"
    files = {topic: folder / f"{topic}.{form}" for topic in ROWS}
    if not all(path.exists() for path in files.values()):
        rows = rows_at(scale)
        _require_room(sum(rows.values()) * BYTES_A_ROW[form])
        child.run("benchmarks.workers.make", {"what": "trading", "folder": str(folder), "form": form, "rows": rows})
    return {topic: str(path) for topic, path in files.items()}


def nexmark(events: int) -> dict[str, str]:
    """Nexmark's input files by topic, JSON lines; makes those that are missing. Raises as `trading`."""
    folder = DATA / f"nexmark-{events}"
    files = {topic: folder / f"{topic}.jsonl" for topic in ("person", "auction", "bid")}
    if not all(path.exists() for path in files.values()):
        _require_room(events * BYTES_A_ROW["jsonl"])
        child.run("benchmarks.workers.make", {"what": "nexmark", "folder": str(folder), "events": events})
    return {topic: str(path) for topic, path in files.items()}


def _require_room(wanted_bytes: int) -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(DATA).free
    if free_bytes < wanted_bytes + SPARE_BYTES:
        raise child.WorkerError(
            f"input files of about {wanted_bytes / 1e9:.1f} GB do not fit: {free_bytes / 1e9:.1f} GB are free and "
            f"{SPARE_BYTES / 1e9:.0f} GB of them stay so; choose a smaller BENCH_SCALE"
        )
