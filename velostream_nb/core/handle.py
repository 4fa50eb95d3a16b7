"""A job to look at and to steer, whichever session it runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from velostream_nb.core.model import JobInfo, SessionLike

if TYPE_CHECKING:
    import pandas as pd

NEWEST_ROWS = 1_000
"""Output rows that `df` shows unless told otherwise."""


class JobHandle:
    """A job of a session, by name: after ``OR REPLACE`` the same handle shows the new one."""

    def __init__(self, session: SessionLike, name: str) -> None:
        self._session = session
        self.name = name

    def info(self) -> JobInfo:
        """One look; UnknownJobError once it was dropped."""
        return self._session.job_info(self.name)

    @property
    def stream(self) -> Any:
        """Only where the job runs in this process; see `jobs.handle.Job`.

        Raises:
            AttributeError: it runs in another one.
        """
        raise AttributeError(f"job {self.name} runs in another process; read its output with latest() or frames()")

    def latest(self, n: int = 20) -> pa.Table:
        """The newest `n` retained output rows, oldest first."""
        output = self.info().output
        return self._session.frames({output: None}, limit=n)[output].rows

    def df(self, n: int = NEWEST_ROWS) -> pd.DataFrame:
        """The newest `n` retained output rows as a pandas frame."""
        frame: pd.DataFrame = self.latest(n).to_pandas()
        return frame

    def stop(self) -> JobInfo:
        """End it; its state is given up."""
        return self._session.control(self.name, "stop")

    def pause(self) -> JobInfo:
        """Stop reading, keep state and position."""
        return self._session.control(self.name, "pause")

    def resume(self) -> JobInfo:
        """Go on where it was paused."""
        return self._session.control(self.name, "resume")

    def restart(self) -> JobInfo:
        """Begin anew: fresh state, from its start. Its output topic keeps what is there."""
        return self._session.control(self.name, "restart")

    def drop(self) -> None:
        """Stop it and forget it. Its output topic stays."""
        self._session.control(self.name, "drop")

    def __repr__(self) -> str:
        info = self.info()
        counts = f"{info.rows_in:,} rows in, {info.rows_out:,} out, {info.rate:,.0f} rows/s"
        faults = "".join(f", {n:,} {what}" for n, what in ((info.late, "late"), (info.failed, "failed")) if n)
        lines = [f"Job {info.name}: {info.state.value}, {', '.join(info.inputs)} -> {info.output}", counts + faults]
        lines += [f"error: {info.error}"] if info.error else []
        return "\n  ".join(lines + [f"note: {note}" for note in info.notes])
