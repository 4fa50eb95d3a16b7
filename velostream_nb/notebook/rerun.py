"""Running a cell again: a job that runs with the same text is kept, one with another text is replaced.

A replacement is written as ``CREATE OR REPLACE STREAM j AS …``, which means the same as ``START JOB j AS …`` and which
the session carries out in one step: the new query is planned and certified before the old job is touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from velostream_nb.core.errors import ParseError, Place, VeloError
from velostream_nb.core.model import JobInfo, JobState
from velostream_nb.sql.lex import Token, place_at, quote, scan
from velostream_nb.sql.literals import parameter_text
from velostream_nb.sql.statements import Push, Script, StartJob, Statement

LIVE = (JobState.STARTING, JobState.RUNNING, JobState.PAUSED)
"""States of a job that holds its name."""


_HEADS = (
    ("CREATE", "OR", "REPLACE", "STREAM"), ("CREATE", "STREAM"), ("START", "OR", "REPLACE", "JOB"), ("START", "JOB"),
)  # fmt: skip
"""Beginnings that mean the same."""


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
    """Which text the jobs of one session were started with, as far as this kernel did it.

    A job that replaced another one was started by an edited text, and only who edited it knows the user's.
    """

    def __init__(self) -> None:
        self._started: dict[str, tuple[int, object]] = {}

    def note(self, job: JobInfo, statement: Statement) -> None:
        """This job has just been started by that statement."""
        self._started[job.name] = (job.started_us, _words(statement.text))

    def same(self, job: JobInfo, statement: StartJob | Push) -> bool:
        """Does the running job do what the statement says, with the values that its parameters have now?"""
        if job.params != {name: parameter_text(value) for name, value in statement.params.items()}:
            return False
        started_us, known = self._started.get(job.name, (None, None))
        return (known if started_us == job.started_us else _words(job.sql)) == _words(statement.text)


def decide(script: Script, jobs: Iterable[JobInfo], history: History, mine: Iterable[str] = ()) -> list[Step]:
    """What to do with each statement of a cell.

    Args:
        mine: jobs without a name of their own that this very cell has started before: push queries, and INSERT INTO,
            which is replaced when its text has changed.

    A name that the same text uses twice is left to the session, which refuses the second.
    """
    live = {job.name: job for job in jobs if job.state in LIVE}
    own = [live[name] for name in mine if name in live]
    steps, seen, met = [], set(), set()
    for statement in script.statements:
        job = None
        if isinstance(statement, StartJob) and statement.insert:
            job = _insert_of(statement, [j for j in live.values() if j.name not in met], own, history)
        elif isinstance(statement, StartJob) and not statement.or_replace and statement.name not in seen:
            seen.add(statement.name)
            job = live.get(statement.name)
        elif isinstance(statement, Push) and statement.query.limit is None:
            job = next((j for j in own if j.name not in met and history.same(j, statement)), None)
        if job is None:
            steps.append(Step(statement, Action.RUN))
            continue
        assert isinstance(statement, StartJob | Push)
        met.add(job.name)
        steps.append(Step(statement, Action.ATTACH if history.same(job, statement) else Action.REPLACE, job))
    return steps


def _insert_of(statement: StartJob, live: list[JobInfo], own: list[JobInfo], history: History) -> JobInfo | None:
    """The job of an INSERT INTO: one that does the same, else one that this cell has started into the same topic."""
    base = f"insert_into_{statement.output}"
    unnamed = [job for job in live if job.name == base or job.name.startswith(f"{base}_")]
    same = next((job for job in unnamed if history.same(job, statement)), None)
    names = {job.name for job in own}
    return same or next((job for job in unnamed if job.name in names), None)


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
            name = step.job.name if step.job is not None else step.statement.name
            edits += _or_replace(step.statement, name, start)
    return Edited(text, edits)


def offset(place: Place) -> int:
    """Where in its text a place begins."""
    lines = place.text.splitlines(keepends=True)
    return sum(map(len, lines[: place.line - 1])) + place.column - 1


def _or_replace(statement: StartJob, name: str, start: int) -> list[tuple[int, int, str]]:
    """The head of a statement that starts a job as CREATE OR REPLACE STREAM."""
    tokens = scan(statement.text).tokens
    first = tokens[0].word
    if first == "START":
        return [(start + tokens[0].start, start + tokens[1].end, "CREATE OR REPLACE STREAM")]
    if first == "CREATE":
        return [(start + tokens[0].start, start + tokens[0].end, "CREATE OR REPLACE")]
    # INSERT INTO t [WITH (…)] SELECT …: the target becomes an option of a named job
    head = f'CREATE OR REPLACE STREAM "{name}"'
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


def _words(text: str) -> tuple[str, ...]:
    """What makes two statements the same: their words, without comments and white space."""
    tokens = scan(text).tokens
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    for head in _HEADS:
        if tuple(t.word for t in tokens[: len(head)]) == head:
            return ("START", "JOB", *(t.text for t in tokens[len(head) :]))
    return tuple(t.text for t in tokens)
