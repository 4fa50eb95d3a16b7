"""The live line of a job under the cell that started it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets
import pyarrow as pa

from velostream_nb.core.model import Frame, JobInfo, JobState, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.jobs_strip import SHAPES
from velostream_nb.widgets.live import cell_key
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree
from velostream_nb.widgets.pump import UiPump, ui_pump

_ENDED = (JobState.STOPPED, JobState.FINISHED, JobState.FAILED)


class JobCard(Panel):
    """State, rows in and out, rate, the newest output row, and buttons to pause and stop the job.

    Raises:
        UnknownJobError: the session has no job of that name.
    """

    wants_jobs: ClassVar[bool] = True
    every: ClassVar[int] = 2

    def __init__(self, session: SessionLike, job: str, *, key: object = None, pump: UiPump | None = None) -> None:
        super().__init__(session)
        self.info = session.job_info(job)
        self.topics = (self.info.output,) if self.info.output else ()
        self._row: dict[str, Any] | None = None
        self._pump = pump or ui_pump()
        self.board = Board("velo-job-card", on_action=self._act)
        self._root = ipywidgets.VBox([self.board, self._pump.pulse])
        self._root.add_class("velo-live")
        self._pump.register(self, key=key if key is not None else cell_key("JobCard", job))

    @property
    def root(self) -> Any:
        return self._root

    def ingest(self, frame: Frame, _now_us: int) -> None:
        if frame.rows.num_rows:
            self._row = _last_row(frame.rows)

    def ingest_jobs(self, jobs: Sequence[JobInfo]) -> None:
        self.info = next((job for job in jobs if job.name == self.info.name), self.info)

    def draw(self, look: Look) -> None:
        info = self.info
        newest = "no output yet" if self._row is None else _line(self._row)
        error = f'<div class="bad" role="alert">✖ {text.escape(info.error)}</div>' if info.error else ""
        if look.away is not None:
            error += f'<div class="amber" role="status">◌ server away: {text.escape(look.away)}</div>'
        notes = "".join(f'<div class="dim">note: {text.escape(note)}</div>' for note in info.notes)
        extra = f" · late {text.compact(info.late)}" if info.late else ""
        extra += f" · rejected {text.compact(info.failed)}" if info.failed else ""
        self.board.html = (
            f'<div class="velo-live-line"><span class="state {info.state.value}">{SHAPES[info.state]} '
            f"{text.escape(info.state.value)}</span><b>{text.escape(info.name)}</b>"
            f'<span class="dim">{text.escape(", ".join(info.inputs))} → {text.escape(info.output)}</span>'
            f"<span>in {text.compact(info.rows_in)}</span><span>out {text.compact(info.rows_out)}</span>"
            f"<span>{text.compact(info.rate)} rows/s</span>"
            f'<span class="dim">lag {text.compact(info.lag_rows)}{extra}</span>'
            f'<span class="velo-buttons right">{self._buttons()}</span></div>'
            f'<div class="velo-newest" title="newest output row"><i>newest</i> {text.escape(newest)}</div>'
            f"{error}{notes}"
        )

    def fault(self, message: str | None) -> None:
        self.board.fault = message or ""

    def close(self) -> None:
        close_tree(self.root)

    def _buttons(self) -> str:
        if self.info.state in _ENDED:
            return '<button data-act="restart">↻ Restart</button>'
        paused = self.info.state is JobState.PAUSED
        turn = '<button data-act="resume">▶ Resume</button>' if paused else '<button data-act="pause">❚❚ Pause</button>'
        return f'{turn}<button data-act="stop">■ Stop</button>'

    def _act(self, act: str, _arg: str) -> None:
        if act in ("stop", "pause", "resume", "restart"):
            self.enqueue(lambda: self._control(act))

    def _control(self, act: str) -> None:
        self.info = self.session.control(self.info.name, act)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = self._root._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**(data or {}), "text/plain": repr(self)}

    def __repr__(self) -> str:
        info = self.info
        line = (
            f"job {info.name} {info.state.value}: {', '.join(info.inputs)} -> {info.output}, "
            f"{info.rows_in} rows in, {info.rows_out} rows out, {info.rate:.0f} rows/s"
        )
        if info.error:
            line += f"\n  error: {info.error}"
        return line if self._row is None else f"{line}\n  newest: {_line(self._row)}"


def _last_row(rows: pa.Table) -> dict[str, Any]:
    row: dict[str, Any] = rows.slice(rows.num_rows - 1).to_pylist()[0]
    return row


def _line(row: dict[str, Any]) -> str:
    return "  ".join(f"{name}={text.cell(value)}" for name, value in row.items())
