"""The magics ``%%velo_sql`` and ``%velo``: from IPython's calls to sessions, from their errors to one clean message."""

# IPython's decorators have no types
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import re
import weakref
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display
from traitlets import Bool, Int

from velostream_nb.core.errors import ConfigError, VeloError
from velostream_nb.notebook.arguments import Options, positive, variable
from velostream_nb.notebook.cell import Cells, Report
from velostream_nb.notebook.default import DefaultSession
from velostream_nb.notebook.expand import expand
from velostream_nb.notebook.rows import MAX_ROWS, to_pandas
from velostream_nb.notebook.show import Line, show
from velostream_nb.notebook.verbs import Context, run_verb, show_chart

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session

USAGE = "%%velo_sql [-o NAME] [--no-display] [--wait] [--timeout S] [--chart] [--x C] [--y C] [--by C]"

_CAPTURE = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*<<(?=\s|$)")


@magics_class
class VeloMagics(Magics):  # type: ignore[misc]
    """Streaming SQL in cells. ``%config VeloMagics`` shows the settings."""

    tracebacks = Bool(False, help="Show the full traceback of our errors, not one clean message.").tag(config=True)
    max_rows = Int(MAX_ROWS, min=1, help="Rows of a result that are shown; what is captured is whole.").tag(config=True)

    def __init__(self, shell: Any, sessions: DefaultSession) -> None:
        super().__init__(shell=shell)
        self._sessions = sessions
        self._cells: weakref.WeakKeyDictionary[Session, Cells] = weakref.WeakKeyDictionary()

    @no_var_expand
    @needs_local_scope
    @magic_arguments()
    @argument("-o", "--out", type=variable, metavar="NAME", help="Capture the last job (a handle) or rows (pandas).")
    @argument("--no-display", action="store_true", help="Show nothing but errors.")
    @argument("--wait", action="store_true", help="Return when all records there are have been processed.")
    @argument("--timeout", type=positive, metavar="SECONDS", help="With --wait: fail when it takes longer.")
    @argument("--chart", action="store_true", help="Show a live chart of what the job writes.")
    @argument("--x", metavar="COLUMN", help="With --chart: the time; inferred when not given.")
    @argument("--y", metavar="COLUMN", help="With --chart: the value; inferred when not given.")
    @argument("--by", metavar="COLUMN", help="With --chart: one line for each of its values; inferred when not given.")
    @argument("sql", nargs="*", help="SQL; the rest of the line and the body of the cell. NAME << SQL captures too.")
    @line_cell_magic
    def velo_sql(self, line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None) -> Any:
        """Run one or many statements of streaming SQL.

        A statement that starts a job returns at once: the job goes on, and its card stays live. Running a cell again
        keeps jobs whose text is the same and replaces those whose text has changed.

        ``$name`` passes a Python variable as a parameter, which ALTER JOB can change while the job runs. ``{{name}}``
        puts its value in (a list as ``(1, 2, 3)``), ``{{name:id}}`` a name, ``{{name:sql}}`` a piece of SQL.
        As a line, ``rows = %velo_sql SELECT …`` gives a pandas frame, and ``job = %velo_sql START JOB …`` a handle.
        """
        with self._clean_errors():
            return self._run_sql(line, cell, self._namespace(local_ns))

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def velo(self, line: str, cell: str | None = None, local_ns: Mapping[str, object] | None = None) -> Any:
        """Look at jobs and topics and steer them: ``%velo help`` lists the commands. ``%%velo`` is ``%%velo_sql``."""
        namespace = self._namespace(local_ns)
        with self._clean_errors():
            if cell is not None:
                return self._run_sql(line, cell, namespace)
            context = Context(
                sessions=self._sessions,
                run_sql=lambda text: self._run_sql(text, None, namespace, shown=True),
                namespace=namespace,
                max_rows=self.max_rows,
            )
            return run_verb(context, expand(line, namespace, raw=True))

    def _run_sql(self, line: str, cell: str | None, namespace: Mapping[str, object], *, shown: bool = False) -> Any:
        """Both forms; gives the value of the line form, and None for a cell, which shows everything itself.

        Args:
            shown: a line shows everything too, and has no value.
        """
        shown = shown or cell is not None
        words, rest = SQL_OPTIONS.leading(line)
        asked = SQL_OPTIONS.read(words)
        if asked.timeout is not None and not asked.wait:
            raise ConfigError("--timeout belongs to --wait", hint=SQL_OPTIONS.written)
        text = rest if cell is None else f"{rest}\n{cell}" if rest.strip() else cell
        text, name = _captured(text, asked.out)
        session = self._sessions.get()
        done: list[Report] = []
        try:
            self._cells.setdefault(session, Cells()).run(session, text, namespace, done, cell=self._cell_id(cell))
        except VeloError:
            show(done, session, max_rows=self.max_rows)
            raise
        last = next((r for r in reversed(done) if r.job is not None or r.table is not None), None)
        value = None if last is None else _value(last, session)
        if name is not None:
            self.shell.user_ns[name] = value
            if last is None:
                done.append(Report(f"{name} is None: no statement gave rows or started a job"))
        if not asked.no_display:
            show([r for r in done if shown or r is not last], session, max_rows=self.max_rows)
            if asked.chart or asked.x or asked.y or asked.by:
                _show_charts(done, session, x=asked.x, y=asked.y, by=asked.by)
        if asked.wait:
            self._drain(session, asked.timeout)
        return None if shown else value

    def _drain(self, session: Session, timeout_s: float | None) -> None:
        try:
            session.drain(timeout=timeout_s)
        except KeyboardInterrupt:
            display(Line("interrupted while waiting; the jobs go on"))
            raise

    def _namespace(self, local_ns: Mapping[str, object] | None) -> Mapping[str, object]:
        return ChainMap(dict(local_ns or {}), self.shell.user_ns)

    def _cell_id(self, cell: str | None) -> str | None:
        if cell is None or not hasattr(self.shell, "get_parent"):
            return None
        found = self.shell.get_parent().get("metadata", {}).get("cellId")
        return found if isinstance(found, str) else None

    @contextmanager
    def _clean_errors(self) -> Iterator[None]:
        """Our errors show themselves as one message (`VeloError._render_traceback_`), unless `tracebacks` is on."""
        try:
            yield
        except VeloError as error:
            if self.tracebacks:
                full = self.shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
                error._render_traceback_ = lambda: full  # type: ignore[method-assign]
            raise


def _options() -> Options:
    """The options that `velo_sql` declares, for our own parser: IPython's would print usage and keep quotes."""
    parser = Options(USAGE)
    for declared in reversed(VeloMagics.velo_sql.decorators):
        if isinstance(declared, argument) and declared.args[0].startswith("-"):
            parser.add_argument(*declared.args, **declared.kwds)
    return parser


SQL_OPTIONS = _options()


def _captured(text: str, out: str | None) -> tuple[str, str | None]:
    """Blank out ``name <<``, so that places stay, and give the name to capture in either form."""
    found = _CAPTURE.match(text)
    if found is None:
        return text, out
    if out is not None:
        raise ConfigError(f"captured twice: -o {out} and {found['name']} <<", hint="keep one of the two")
    blank = "".join(c if c in "\r\n" else " " for c in found.group())
    return blank + text[found.end() :], found["name"]


def _value(report: Report, session: Session) -> Any:
    """What is captured: a handle on the job, or the rows as a pandas frame."""
    if report.job is not None:
        return session.job(report.job)
    return to_pandas(report.table)


def _show_charts(done: list[Report], session: Session, **columns: str | None) -> None:
    jobs = [report.job for report in done if report.job is not None]
    if not jobs:
        display(Line("--chart shows what a job writes, and no statement here starts one"))
    for job in jobs:
        show_chart(session, session.job_info(job).output, **columns)
