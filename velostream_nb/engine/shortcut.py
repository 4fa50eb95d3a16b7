"""Shortcut: what of Projects can be done without a statement: rows left out, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.records import no_rows
from velostream_nb.engine.duck import EvaluationError
from velostream_nb.engine.plain import Plain
from velostream_nb.engine.prefilter import Prefilter
from velostream_nb.engine.reading import OutOfReachError, Reading, nearest
from velostream_nb.engine.trial import same, trials
from velostream_nb.sql.plan import Project

Statement = Callable[[pa.Table], pa.Table]


class Shortcut:
    """Of Projects, one above another, over the rows below them.

    What has rules of its own in DuckDB is tried beside it before it is relied on: another version may have others.

    Args:
        given: the schema of the rows.
        schema: of what comes out.
        statement: the same by DuckDB.
    """

    def __init__(self, projects: Sequence[Project], given: pa.Schema, schema: pa.Schema, statement: Statement) -> None:
        self._nothing = no_rows(schema)
        self._prefilter = Prefilter.of(projects, given, tried=True)
        self._plain = Plain.of(projects, given, schema)
        if any(project.where for project in projects) and not (self._prefilter and self._prefilter.exact):
            self._plain = None
        if self._plain is not None and not self._is_true(given, statement):
            self._plain = None
        if self._plain is None and self._prefilter and self._prefilter.tried and not self._is_true(given, statement):
            self._prefilter = Prefilter.of(projects, given)

    def taken(self, rows: pa.Table) -> tuple[pa.Table, bool]:
        """(the rows that come out, True); or (those that are left for the statement, False)."""
        if not rows.num_rows:
            return self._nothing, True
        if self._plain is not None:
            try:
                return self._computed(self._plain, rows), True
            except OutOfReachError:
                return rows, False
        if self._prefilter is not None:
            rows = self._prefilter.passing(rows)
        return (rows, False) if rows.num_rows else (self._nothing, True)

    def _computed(self, plain: Plain, rows: pa.Table) -> pa.Table:
        with np.errstate(all="ignore"):
            reading = Reading(rows)
            chosen = reading if self._prefilter is None else self._prefilter.chosen(reading, plain)
            return self._nothing if chosen is None else plain.rows(chosen)

    def _is_true(self, given: pa.Schema, statement: Statement) -> bool:
        """Is what comes out what this very DuckDB gives?

        Of values within reach everything is computed here; a batch of others may be left to DuckDB, where it may fail.
        """
        reach = nearest(part.reach for part in (self._plain, self._prefilter) if part is not None)
        within, *beyond = trials(given, reach, self._prefilter.words if self._prefilter else ())
        return self._agrees(within, statement) is True and all(
            self._agrees(trial, statement) is not False for trial in beyond
        )

    def _agrees(self, trial: pa.Table, statement: Statement) -> bool | None:
        """Does the same come out of these rows? None: they are left to DuckDB."""
        try:
            if self._plain is not None:
                return same(self._computed(self._plain, trial), statement(trial))
            assert self._prefilter is not None
            found = statement(self._prefilter.those(trial))
            return found.num_rows > 0 and same(found, statement(trial))
        except OutOfReachError:
            return None
        except EvaluationError:
            return False
