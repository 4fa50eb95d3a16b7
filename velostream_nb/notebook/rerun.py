"""Running a cell again: a job that runs with the same text is kept, one with another text is replaced.

A replacement is written as ``CREATE OR REPLACE STREAM j AS …``, which means the same as ``START JOB j AS …`` and which
the session carries out in one step: the new query is planned and certified before the old job is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from velostream_nb.core.errors import ParseError, Place, VeloError
from velostream_nb.core.model import JobInfo, JobState
from velostream_nb.sql.lex import Token, place_at, quote, scan
from velostream_nb.sql.statements import Push, Script, StartJob, Statement

LIVE = (JobState.STARTING, JobState.RUNNING, JobState.PAUSED)
"""States of a job that holds its name."""


class Action(StrEnum):
    """What becomes of one statement."""

    RUN = "run"
    ATTACH = "attach"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Step:
    """One statement and what to do with it; `job` is the running job that it meets, None for `RUN`."""

    statement: Statement
    action: Action
    job: JobInfo | None = None


class History:
    """Which text and parameters the jobs of one session were started with, as far as this kernel did it.

    Parameters count because the text alone does not tell what ``$limit`` was.
    """

    def __init__(self) -> None:
        self._started: dict[str, tuple[int, object]] = {}

    def note(self, job: JobInfo, statement: Statement, params: Mapping[str, object]) -> None:
        """This job has just been started by that statement."""
        self._started[job.name] = (job.started_us, _identity(statement.text, params))

    def same(self, job: JobInfo, statement: Statement, params: Mapping[str, object]) -> bool:
        """Does the running job do what the statement says?"""
        asked = _identity(statement.text, params)
        started_us, known = self._started.get(job.name, (None, None))
        if started_us == job.started_us:
            return known == asked
        # somebody else started it: its text is all we know, which is enough when there are no parameters
        return not asked[1] and _identity(job.sql, {}) == asked


def decide(
    script: Script, jobs: Iterable[JobInfo], history: History, params: Mapping[str, object], unnamed: Iterable[str] = ()
) -> list[Step]:
    """What to do with each statement of a cell.

    Args:
        unnamed: jobs that push queries of this very cell have started before.

    A name that the same text uses twice is left to the session, which refuses the second.
    """
    live = {job.name: job for job in jobs if job.state in LIVE}
    mine = [live[name] for name in unnamed if name in live]
    steps, seen = [], set()
    for statement in script.statements:
        job = None
        if isinstance(statement, StartJob) and not statement.or_replace and statement.name not in seen:
            seen.add(statement.name)
            job = live.get(statement.name)
        elif isinstance(statement, Push) and statement.query.limit is None:
            job = next((j for j in mine if history.same(j, statement, params)), None)
            mine = [j for j in mine if j is not job]
        if job is None:
            steps.append(Step(statement, Action.RUN))
        else:
            same = history.same(job, statement, params)
            steps.append(Step(statement, Action.ATTACH if same else Action.REPLACE, job))
    return steps


class Edited:
    """A text with some stretches replaced, and the way back for places in errors.

    Args:
        edits: (start, end, replacement), in order and apart from each other.
    """

    def __init__(self, original: str, edits: Iterable[tuple[int, int, str]]) -> None:
        self.original = original
        self._kept: list[tuple[int, int, int]] = []  # (start in the new text, start in the original, length)
        parts, size, done = [], 0, 0
        for start, end, new in [*edits, (len(original), len(original), "")]:
            self._kept.append((size, done, start - done))
            parts += [original[done:start], new]
            size += start - done + len(new)
            done = end
        self.text = "".join(parts)

    def restore(self, error: VeloError) -> None:
        """Make the error's place one of the original text, if it is one of the new text."""
        place = error.place
        if place is None or place.text != self.text:
            return
        start = self._back(offset(place))
        error.place = place_at(self.original, start, min(start + place.length, len(self.original)))

    def _back(self, at: int) -> int:
        best = 0
        for new, old, length in self._kept:
            if at >= new:
                best = old + min(at - new, length)
        return best


def edit(text: str, steps: Iterable[Step]) -> Edited:
    """The text that the session shall run: attached statements blanked out, replacing ones rewritten."""
    edits: list[tuple[int, int, str]] = []
    for step in steps:
        start = offset(step.statement.place)
        end = start + len(step.statement.text)
        if step.action is Action.ATTACH:
            edits.append((start, end, "".join(c if c in "\r\n" else " " for c in text[start:end])))
        elif step.action is Action.REPLACE and isinstance(step.statement, StartJob):
            edits += _or_replace(step.statement, start)
    return Edited(text, edits)


def offset(place: Place) -> int:
    """Where in its text a place begins."""
    lines = place.text.splitlines(keepends=True)
    return sum(map(len, lines[: place.line - 1])) + place.column - 1


def _or_replace(statement: StartJob, start: int) -> list[tuple[int, int, str]]:
    """The head of a statement that starts a job as CREATE OR REPLACE STREAM."""
    tokens = scan(statement.text).tokens
    first = tokens[0].word
    if first == "START":
        return [(start + tokens[0].start, start + tokens[1].end, "CREATE OR REPLACE STREAM")]
    if first == "CREATE":
        return [(start + tokens[0].start, start + tokens[0].end, "CREATE OR REPLACE")]
    # INSERT INTO t [WITH (…)] SELECT …: the target becomes an option of a named job
    head = f'CREATE OR REPLACE STREAM "{statement.name}"'
    option = f"'output.topic' = {quote(statement.output)}"
    target = 2
    while tokens[target + 1].text == ".":
        target += 2
    whole = (start + tokens[0].start, start + tokens[target].end)
    if tokens[target + 1].word != "WITH" or tokens[target + 2].text != "(":
        return [(*whole, f"{head} WITH ({option}) AS")]
    opened = start + tokens[target + 2].end
    closed = start + _closing(tokens, target + 2).end
    return [(*whole, head), (opened, opened, f"{option}, "), (closed, closed, " AS")]


def _closing(tokens: list[Token], opening: int) -> Token:
    depth = 0
    for token in tokens[opening:]:
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "op" else 0
        if depth == 0:
            return token
    raise ParseError("this ( is never closed")  # not reached: the statement has been parsed


def _identity(text: str, params: Mapping[str, object]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """What makes two statements the same: their words, without comments and white space, and their parameters."""
    tokens = scan(text).tokens
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    words = tuple(t.text for t in tokens)
    for head in (("CREATE", "OR", "REPLACE", "STREAM"), ("CREATE", "STREAM"), ("START", "JOB")):
        if tuple(t.word for t in tokens[: len(head)]) == head:
            words = ("START", "JOB", *words[len(head) :])
    used = sorted({t.text[1:] for t in tokens if t.kind == "param"} & set(params))
    return words, tuple((name, repr(params[name])) for name in used)
