"""Sums of whole numbers of 128 bits, such as sums of sums, exact in any order and when numbers are taken back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.errors import JobFailedError
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.finals import Final
from velostream_nb.engine.frames import Values, Wide, whole_averages
from velostream_nb.engine.tallies import Chosen, LimbSum, Tally, furthest

_BITS = 32
_LOW = (1 << _BITS) - 1
_LIMBS = ("part0", "part1", "part2", "part3")
_ROOM = 1 << 62
"""Limbs are carried over before one of them can get there."""


class HugeSum(LimbSum):
    """SUM or AVG of HUGEINT: four limbs of 32 bits, lowest first, each added up in 64 bits."""

    def __init__(self, *, average: bool) -> None:
        super().__init__(_LIMBS, average=average)

    def add(self, rows: Chosen) -> None:
        assert isinstance(rows.numbers, pa.Array)
        if not len(rows.groups):
            return
        np.add.at(self.parts["n"], rows.groups, rows.once)
        heaviest = 1 if rows.weights is None else max(1, int(np.abs(rows.weights).max()))
        self._add(rows.groups, [limb * rows.once for limb in _limbs(rows.numbers)], heaviest * len(rows.groups))

    def _add(self, groups: Int64s, limbs: list[Int64s], most: int) -> None:
        """Add limbs of 32 bits, `most` of them to one of ours."""
        most <<= _BITS
        if self._most + most >= _ROOM:
            carried = _carried([self.parts[name] for name in _LIMBS])
            self.parts |= dict(zip(_LIMBS, carried, strict=True))
            self._measure()
        self._most += most
        for name, limb in zip(_LIMBS, limbs, strict=True):
            np.add.at(self.parts[name], groups, limb)

    def join(self, groups: Int64s, other: Tally, places: Int64s) -> None:
        np.add.at(self.parts["n"], groups, other.parts["n"][places])
        self._add(groups, _carried([other.parts[name][places] for name in _LIMBS]), len(places))

    def _measure(self) -> None:
        self._most = max(furthest(self.parts[name]) for name in _LIMBS)

    def final(self, groups: Int64s) -> Final:
        count = self.parts["n"][groups]
        lowest, low, high, highest = _carried([self.parts[name][groups] for name in _LIMBS])
        if len(highest) and not -(1 << _BITS - 1) <= int(highest.min()) <= int(highest.max()) < 1 << _BITS - 1:
            raise JobFailedError("a sum does not fit into HUGEINT", hint="sum doubles: SUM(CAST(x AS DOUBLE))")
        sums = Wide((highest << _BITS) | high, ((low << _BITS) | lowest).view(np.uint64), count != 0)
        return Values(whole_averages(sums, np.maximum(count, 1)), count != 0) if self._average else sums


def _limbs(numbers: pa.Array) -> list[Int64s]:
    words = np.frombuffer(numbers.buffers()[1], dtype=np.uint32).reshape(-1, len(_LIMBS))
    mine = words[numbers.offset : numbers.offset + len(numbers)]
    top: npt.NDArray[np.int32] = mine[:, -1].view(np.int32)
    return [*(mine[:, place].astype(np.int64) for place in range(len(_LIMBS) - 1)), top.astype(np.int64)]


def _carried(limbs: list[Int64s]) -> list[Int64s]:
    """The same number with all limbs but the highest in [0, 2^32)."""
    found, carry = [], np.zeros_like(limbs[0])
    for limb in limbs[:-1]:
        limb = limb + carry
        found.append(limb & _LOW)
        carry = limb >> _BITS
    return [*found, limbs[-1] + carry]
