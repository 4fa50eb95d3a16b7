"""Extended: a tick's rows behind those that are kept of their partitions, as places in pools."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.engine.arrays import Scalar, ranges, scattered
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.frames import Values
from velostream_nb.engine.pools import Numbers, Others


class _Parts(Protocol):
    """Rows by partition, as `slots.Parts` and `codes.Parted` give them."""

    @property
    def order(self) -> Int64s: ...
    @property
    def starts(self) -> Int64s: ...
    @property
    def sizes(self) -> Int64s: ...


class Extended:
    """The rows of a tick, each behind the one before it in event-time order of its partition.

    The rows of a partition stand in one run of places. What is said of partitions is parallel to them; what is said of
    rows, to these in the order in which they were given, unless it says otherwise.

    Attributes:
        order: the rows partition by partition.
        slots: of the partitions.
        starts, sizes: of the partitions, where the rows given begin in `order`, and how many there are.
        first, stop: of the partitions, where their rows begin and end (exclusive), kept ones included.
        fresh: of the partitions, where the rows given begin.
        places: of the rows.
    """

    def __init__(
        self,
        parts: _Parts,
        slots: Int64s,
        first: Int64s,
        fresh: Int64s,
        pools: Mapping[str, Numbers | Others],
    ) -> None:
        self.order, self.starts, self.sizes = parts.order, parts.starts, parts.sizes
        self.slots = slots
        self.first, self.fresh = first, fresh
        self.stop = fresh + self.sizes
        self._pools = pools
        ordered = np.arange(len(self.order))
        ordered += (fresh - parts.starts).repeat(self.sizes)
        self.places = np.empty_like(ordered)
        self.places[self.order] = ordered
        self._dense: dict[str, Values] = {}

    def at(self, name: str, places: Int64s) -> Values | pa.Array:
        """Values of a column at some places."""
        return self._pools[name].take(places)

    def spread(self, numbers: Int64s) -> Int64s:
        """One number a partition, for each of its rows."""
        return numbers.take(self.part)

    def has_before(self, rows: int) -> bool:
        """Are there so many rows before each of those given?"""
        return not np.count_nonzero(self.fresh - rows < self.first)

    @cached_property
    def part(self) -> Int64s:
        """Of the rows: the number of their partition."""
        found = np.empty_like(self.places)
        found[self.order] = np.arange(len(self.sizes)).repeat(self.sizes)
        return found

    # -- without gaps -----------------------------------------------------------------------------------------------

    @cached_property
    def dense_first(self) -> Int64s:
        """Of the partitions: where they begin when all runs are put together, one behind another."""
        sizes = self.stop - self.first
        found: Int64s = sizes.cumsum() - sizes
        return found

    @cached_property
    def dense_places(self) -> Int64s:
        """Of the rows, partition by partition: where they are when all runs are put together."""
        found = np.arange(len(self.order))
        found += (self.dense_first + (self.fresh - self.first) - self.starts).repeat(self.sizes)
        return found

    @cached_property
    def _runs(self) -> Int64s:
        return ranges(self.first, self.stop - self.first)

    def dense(self, name: str) -> Values:
        """A column's values, all runs put together; of a column that is none of numbers, which are NULL."""
        found = self._dense.get(name)
        if found is None:
            found = self._dense[name] = self._pools[name].known(self._runs)
        return found

    def given(self, numbers: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Numbers of rows, partition by partition, in the order in which those were given."""
        return scattered(numbers, self.order)
