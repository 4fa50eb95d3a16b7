"""Prefilter: rows that a WHERE excludes, left out before DuckDB sees them.

A statement costs as much as a thousand rows do. Where conditions are met rarely, as those of alerts are, most small
batches need none: plain comparisons say in numpy that no row passes. DuckDB has the last word on all others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.engine.conditions import Check
from velostream_nb.sql.conditions import Every, condition_of
from velostream_nb.sql.plan import Project

_FEW = 4
"""Rows are copied when no more than one in so many passes; DuckDB leaves out the others for less."""
_USELESS = 16
"""For so many batches nothing is tried after one that was not worth it."""


class Prefilter:
    """The conditions of Projects, one above another, over the rows below them."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._rest = 0

    @classmethod
    def of(cls, projects: Sequence[Project], schema: pa.Schema) -> Prefilter | None:
        """None when their conditions say nothing that can be told beforehand.

        Args:
            schema: of the rows; the first Project reads them.
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
        check = Check.of(Every(tuple(found)), schema)
        return None if check is None else cls(check)

    @property
    def exact(self) -> bool:
        """Do the very rows pass that pass in DuckDB?"""
        return self._check.exact

    def chosen(self, rows: pa.Table) -> pa.Table:
        """The rows that pass, as far as can be told; some that do not, unless it is `exact`."""
        passes = self._check.passes(rows)
        return rows if passes.all() else rows.filter(pa.array(passes)) if passes.any() else rows.slice(0, 0)

    def passing(self, rows: pa.Table) -> pa.Table:
        """The rows that may pass, in their order; all of them when there would be little to gain."""
        if self._rest:
            self._rest -= 1
            return rows
        passes = self._check.passes(rows)
        count = int(np.count_nonzero(passes))
        if not count:
            return rows.slice(0, 0)
        if count * _FEW > rows.num_rows:
            self._rest = _USELESS if rows.num_rows > _USELESS else 0
            return rows
        return rows.filter(pa.array(passes))
