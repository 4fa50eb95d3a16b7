"""Prefilter: rows that a WHERE excludes, left out before DuckDB sees them.

A statement costs as much as a thousand rows do. Where conditions are met rarely, as those of alerts are, most small
batches need none: plain comparisons say in numpy that no row passes. DuckDB has the last word on all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from velostream_nb.core.vectors import vector
from velostream_nb.engine.conditions import Check
from velostream_nb.engine.plain import Plain
from velostream_nb.engine.reading import OutOfReachError, Reading
from velostream_nb.sql.conditions import Every, condition_of, words_of
from velostream_nb.sql.plan import Project

_FEW = 4
"""Rows are copied when no more than one in so many passes; DuckDB leaves out the others for less."""
_USELESS = 16
"""For so many batches nothing is tried after one that was not worth it."""


class Prefilter:
    """The conditions of Projects, one above another, over the rows below them.

    Attributes:
        words: texts that they compare with.
    """

    def __init__(self, check: Check, words: Sequence[str] = ()) -> None:
        self._check = check
        self._rest = 0
        self.words = tuple(words)

    @classmethod
    def of(cls, projects: Sequence[Project], schema: pa.Schema, *, tried: bool = False) -> Prefilter | None:
        """None when their conditions say nothing that can be told beforehand.

        Args:
            schema: of the rows; the first Project reads them.
            tried: see `Check.of`.
        """
        names = {name: name for name in schema.names}
        found = []
        for project in projects:
            if project.joined or project.row is not None:
                break  # a row may become several, or none
            if project.where:
                found.append(condition_of(project.where, names))
            plain = {f'"{name}"': own for name, own in names.items()}
            names = {name: plain[sql] for sql, name in project.items if sql in plain}
        if not found:
            return None
        every = Every(tuple(found))
        check = Check.of(every, schema, tried=tried)
        return None if check is None else cls(check, words_of(every))

    @property
    def exact(self) -> bool:
        """Do the very rows pass that pass in DuckDB?"""
        return self._check.exact

    @property
    def tried(self) -> bool:
        """Must it be tried beside DuckDB?"""
        return self._check.tried

    @property
    def reach(self) -> Mapping[str, int]:
        """How far from 0 the values of a column may be, where that matters."""
        return self._check.reach

    def chosen(self, rows: Reading, plain: Plain) -> Reading | None:
        """The rows that pass, as far as can be told; some that do not, unless it is `exact`. None: no row passes.

        Args:
            plain: what reads them: columns that it does not need may be missing.
        """
        passes = self._check.test(rows)
        places = passes.nonzero()[0]
        if not len(places):
            return None
        return rows if len(places) == len(passes) else rows.chosen(places, plain.kept, plain.computed)

    def those(self, rows: pa.Table) -> pa.Table:
        """The same of a table, with all its columns."""
        return rows.take(vector(self._check.passes(rows).nonzero()[0]))

    def passing(self, rows: pa.Table) -> pa.Table:
        """The rows that may pass, in their order; all of them when there would be little to gain."""
        if self._rest:
            self._rest -= 1
            return rows
        try:
            places = self._check.passes(rows).nonzero()[0]
        except OutOfReachError:
            return rows
        count = len(places)
        if not count:
            return rows.slice(0, 0)
        if count * _FEW > rows.num_rows:
            self._rest = _USELESS if rows.num_rows > _USELESS else 0
            return rows
        return rows.take(vector(places))
