"""Reading: the columns of a batch as numbers, each read once however many conditions and formulas ask for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from velostream_nb.core.types import HUGEINT
from velostream_nb.core.vectors import vector
from velostream_nb.engine.arrays import values_of, whole, wide_of
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.frames import Mask, Numbers

Found = tuple[Numbers, Mask | None]
"""Numbers and where they are not NULL (None: nowhere); where they are NULL, anything."""
Wholes = tuple[Int64s, Mask | None, int, int]
"""Whole numbers, 0 where they are NULL, where they are not NULL, and bounds of all of them."""


class OutOfReachError(Exception):
    """A value is too large for what is known to be the same here as in DuckDB: the batch is DuckDB's."""


class Reading:
    """The rows of a batch, read column by column.

    Attributes:
        rows: the batch.
    """

    def __init__(self, rows: pa.Table | pa.RecordBatch) -> None:
        self.rows = rows
        self._numbers: dict[str, Found] = {}
        self._doubles: dict[str, Found] = {}
        self._wholes: dict[str, Wholes] = {}

    def array(self, name: str) -> pa.Array:
        """A column as Arrow has it."""
        return whole(self.rows.column(name))

    def numbers(self, name: str) -> Found:
        """A column of a type that `number_type` knows, as it is."""
        found = self._numbers.get(name)
        if found is None:
            values = values_of(self.rows.column(name))
            found = self._numbers[name] = values.numbers, values.valid
        return found

    def doubles(self, name: str) -> Found:
        """The same as doubles."""
        found = self._doubles.get(name)
        if found is None:
            numbers, valid = self.numbers(name)
            found = self._doubles[name] = numbers.astype(np.float64, copy=False), valid
        return found

    def wholes(self, name: str) -> Wholes:
        """A column of integers of any width, or of decimals in units of their last place.

        Raises:
            OutOfReachError: one of them does not fit into 64 bits.
        """
        found = self._wholes.get(name)
        if found is None:
            found = self._wholes[name] = self._read_wholes(name)
        return found

    def _read_wholes(self, name: str) -> Wholes:
        if name not in self._numbers and self.rows.schema.field(name).type == HUGEINT:
            wide = wide_of(self.rows.column(name))
            numbers, valid = wide.low.view(np.int64), wide.valid
            within = wide.high == numbers >> 63
            if not (within if valid is None else within | ~valid).all():
                raise OutOfReachError
        else:
            given, valid = self.numbers(name)
            if given.dtype == np.uint64:
                some = given if valid is None else given[valid]
                if int(some.max(initial=0)) >> 63:
                    raise OutOfReachError
            numbers = given.astype(np.int64, copy=False)
        if valid is not None:
            numbers = np.where(valid, numbers, 0)
        return numbers, valid, int(numbers.min(initial=0)), int(numbers.max(initial=0))

    def chosen(self, places: Int64s, kept: Sequence[str], computed: Sequence[str]) -> Reading:
        """Some of the rows.

        Args:
            kept: columns that are needed as they are.
            computed: columns that are needed as numbers.
        """
        taken = [*kept, *(n for n in computed if not (n in kept or n in self._numbers or n in self._wholes))]
        found = Reading(_taken(self.rows.select(taken), places))
        for mine, own in ((self._numbers, found._numbers), (self._doubles, found._doubles)):
            for name, (numbers, valid) in mine.items():
                own[name] = numbers[places], None if valid is None else valid[places]
        for name, (wholes, valid, low, high) in self._wholes.items():
            found._wholes[name] = wholes[places], None if valid is None else valid[places], low, high
        return found


def _taken(rows: pa.Table | pa.RecordBatch, places: Int64s) -> pa.Table | pa.RecordBatch:
    batches = rows.to_batches() if isinstance(rows, pa.Table) else [rows]
    # of one piece it takes two thirds of the time
    return (batches[0] if len(batches) == 1 else rows).take(vector(places))


def nearest(reaches: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """How far from 0 columns may be for all that read them."""
    found: dict[str, int] = {}
    for reach in reaches:
        found |= {name: min(most, found.get(name, most)) for name, most in reach.items()}
    return found
