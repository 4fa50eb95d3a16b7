"""What the first job needs is imported, and done once, while its user still types."""

from __future__ import annotations

import logging
import os
import threading

_log = logging.getLogger(__name__)
_begun = threading.Lock()


def warm_up() -> None:
    """Begin, in a thread of its own, once a process; 0.5 s of one core that the first cell does not wait for.

    Not for a kernel whose jobs run on a server (`VELO_SERVER`).
    """
    if not os.environ.get("VELO_SERVER") and _begun.acquire(blocking=False):
        # no daemon: in the midst of an import is no place to be when the interpreter ends
        threading.Thread(target=_warm, name="velo-warm-up").start()


def _warm() -> None:
    """A job in a session of its own, from its text to its first row."""
    try:
        from velostream_nb.jobs.session import Session

        with Session(threads=1) as session:
            session.sql(
                "CREATE STREAM s (k VARCHAR, x DOUBLE, ts TIMESTAMP);"
                "INSERT INTO s VALUES ('a', 1.0, TIMESTAMP '2026-01-01');"
                "START JOB j AS SELECT k, x - LAG(x) OVER (PARTITION BY k ORDER BY ts) AS d FROM s WHERE x > 0"
            )
            session.drain(timeout=10)
            session.read("j")
    except Exception:  # noqa: BLE001 (whatever it is, the first cell meets it too, and shows it to the user)
        _log.debug("warming up failed", exc_info=True)
