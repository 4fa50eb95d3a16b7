"""Makes input files; beside the others first, so that what was interrupted is not taken for whole."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from benchmarks.child import serve


def work(options: dict[str, Any]) -> dict[str, Any]:
    from velostream_generator import MarketConfig, NexmarkConfig, write, write_nexmark

    folder = Path(options["folder"])
    part = folder / "part"
    if options["what"] == "trading":
        write(MarketConfig(seed=7), part, format=options["form"], rows=options["rows"])
    else:
        write_nexmark(NexmarkConfig(seed=7, events=options["events"], disorder_ms=2_000), part, format="jsonl")
    for path in part.iterdir():
        path.replace(folder / path.name)
    shutil.rmtree(part)
    return {}


if __name__ == "__main__":
    serve(work)
