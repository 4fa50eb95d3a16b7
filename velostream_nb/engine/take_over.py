"""One engine goes on where another one stands: the same query with other constants."""

from __future__ import annotations

from pathlib import Path

from velostream_nb.engine.job import JobEngine
from velostream_nb.engine.stateless import Source


def take_over(new: JobEngine, old: JobEngine, path: Path) -> None:
    """Carry the state, the watermarks and the counts of `old` over to `new`, by a snapshot at `path`.

    Both engines have the path's folder as their `state_dir`. `old` is unharmed, and still open.

    Raises:
        StateError: they do not keep the same kind of state.
    """
    old.save(path)
    try:
        new.load(path, same_shape=True)
    finally:
        path.unlink(missing_ok=True)
    for mine, theirs in zip(new.nodes, old.nodes, strict=True):
        mine.rows_in, mine.rows_out, mine.busy_ns = theirs.rows_in, theirs.rows_out, theirs.busy_ns
        mine.rejected = theirs.rejected
        mine.operator.seen_us = list(theirs.operator.seen_us)
        if isinstance(mine.operator, Source) and isinstance(theirs.operator, Source):
            mine.operator.expected = set(theirs.operator.expected)
