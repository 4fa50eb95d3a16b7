"""What stands under a cell: lines, tables, cards of jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import display

from velostream_nb.core.model import JobInfo, SessionLike
from velostream_nb.notebook.cell import Report
from velostream_nb.notebook.plan import Plan
from velostream_nb.notebook.rows import STYLE, Rows
from velostream_nb.widgets.job_card import JobCard
from velostream_nb.widgets.text import escape

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session


class Line:
    """One line of text; further lines are details."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _repr_html_(self) -> str:
        return f'{STYLE}<div class="velo-rows"><div class="line">{_broken(self.text)}</div></div>'

    def __repr__(self) -> str:
        return self.text


def show(reports: Iterable[Report], session: Session, *, max_rows: int) -> None:
    """Display what the statements of a cell did, in order; messages that follow each other are one block."""
    messages: list[str] = []

    def flush() -> None:
        if messages:
            display(Line("\n".join(messages)))
            messages.clear()

    for report in reports:
        if report.table is None and report.news:
            messages.append(report.message)
        if report.table is not None:
            flush()
            caption = None if report.message.split(" ")[0].isdigit() else report.message
            if Plan.fits(report.table) and report.plan:
                display(Plan(report.table, report.message, limit=report.table.num_rows))
            else:
                display(Rows(report.table, caption, limit=max_rows))
        elif report.job is not None:
            flush()
            show_job(session, report.job)
    flush()


def show_job(session: Session, name: str) -> None:
    """Display the live card of a job; its text where no widget can live."""
    display(job_bundle(session, name, repr(session.job(name))), raw=True)


def job_bundle(session: SessionLike, name: str, text: str) -> dict[str, Any]:
    """A card as a MIME bundle: the widget, and the same in HTML and text for viewers without a kernel.

    Args:
        text: the job in words, for where no widget can live.
    """
    if not in_kernel():
        return {"text/plain": text}
    card = JobCard(session, name)
    bundle: dict[str, Any] = dict(card._repr_mimebundle_())
    return {**bundle, "text/html": Line(_in_words(card.info))._repr_html_()}


def in_kernel() -> bool:
    """Is there a front end that can show widgets? A terminal's IPython has none."""
    return getattr(get_ipython(), "kernel", None) is not None


def _in_words(info: JobInfo) -> str:
    line = f"job {info.name} {info.state.value}: {', '.join(info.inputs)} → {info.output}"
    return f"{line}\nerror: {info.error}" if info.error else line


def _broken(text: str) -> str:
    return escape(text).replace("\n", "<br>")
