"""Totals: what a running call carries from tick to tick, a few numbers a partition."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.engine import frames
from velostream_nb.engine.arrays import array_of, number_type, scale_of, validity_of, values_of
from velostream_nb.engine.codes import Int64s
from velostream_nb.engine.frames import Mask, Numbers, Values, Wide
from velostream_nb.engine.run import Run
from velostream_nb.sql import plan


class Totals:
    """A call over the rows of a tick, in the order of a `Run`, each value up to and with its row.

    Attributes:
        count: how many rows, or values, were counted; of 'dense_rank', times.
        valid: which values are not NULL; None: all of them.
        value: a sum of doubles, or an extreme.
        limbs: (high, low) of a sum of integers: ``high * 2^32 + low``.
    """

    __slots__ = ("count", "limbs", "valid", "value")

    def __init__(
        self,
        count: Int64s,
        valid: Mask | None = None,
        *,
        value: Numbers | None = None,
        limbs: tuple[Int64s, Int64s] | None = None,
    ) -> None:
        self.count, self.valid, self.value, self.limbs = count, valid, value, limbs

    def parts(self) -> dict[str, Numbers]:
        """What is carried on, by the names of `Carrying.parts`."""
        if self.limbs is not None:
            return {"n": self.count, "high": self.limbs[0], "low": self.limbs[1]}
        return {"n": self.count} if self.value is None else {"n": self.count, "x": self.value}


class Carrying:
    """One call.

    Attributes:
        parts: numbers by slot, perhaps with room for more: 'n' counts; 'x' is a sum of doubles or an extreme, 'high'
            and 'low' a sum of integers.
    """

    def __init__(self, call: plan.RunningCall, schema: pa.Schema) -> None:
        self._call = call
        self.parts: dict[str, Numbers] = {"n": np.empty(0, dtype=np.int64)}
        if call.column is None or call.kind == "count":
            return
        self._scale = scale_of(schema.field(call.column).type)
        dtype = number_type(schema.field(call.column).type)
        assert dtype is not None
        if call.kind in ("min", "max"):
            self.parts["x"] = np.empty(0, dtype=dtype)
        elif dtype.kind == "f":
            self.parts["x"] = np.empty(0, dtype=np.float64)
        else:
            self.parts |= {"high": np.empty(0, dtype=np.int64), "low": np.empty(0, dtype=np.int64)}

    def know(self, slots: int) -> None:
        """Have room for so many slots; new ones carry what a partition begins with."""
        if slots <= len(self.parts["n"]):
            return
        for name, part in self.parts.items():
            least = self._call.kind in ("min", "max") and name == "x"
            first = frames.worst(part.dtype, greatest=self._call.kind == "max") if least else part.dtype.type(0)
            more = np.full(max(slots - len(part), len(part)), first, dtype=part.dtype)
            self.parts[name] = np.concatenate((part, more))

    def over(self, rows: pa.Table, run: Run) -> Totals:
        """The values over a tick's rows."""
        before = self._before("n", run)
        column = self._call.column
        if self._call.kind == "dense_rank":
            return Totals(run.spread(before) + run.peer_number + 1)
        if column is None:
            return Totals(run.spread(before) + run.rank + 1)
        values = (validity_of if self._call.kind == "count" else values_of)(rows.column(column))
        if values.valid is None:
            count, valid = run.spread(before) + run.rank + 1, None
        else:
            count = run.summed(values.valid[run.order].astype(np.int64), before)
            valid = count > 0
        if "high" in self.parts:
            return Totals(count, valid, limbs=self._whole_sums(values, run))
        if "x" not in self.parts:
            return Totals(count)
        numbers, fold = self._to_fold(values)
        return Totals(count, valid, value=run.folded(fold, numbers[run.order], self.parts["x"].take(run.slots)))

    def _before(self, part: str, run: Run) -> Int64s:
        found: Int64s = self.parts[part].take(run.slots).astype(np.int64, copy=False)
        return found

    def _to_fold(self, values: Values) -> tuple[Numbers, np.ufunc]:
        if self._call.kind in ("min", "max"):
            return frames.folded_extremes(values, greatest=self._call.kind == "max")
        numbers = values.numbers.astype(np.float64, copy=False)
        return (numbers if values.valid is None else np.where(values.valid, numbers, np.float64(0.0))), np.add

    def _whole_sums(self, values: Values, run: Run) -> tuple[Int64s, Int64s]:
        numbers = values.numbers.astype(np.int64, copy=False)[run.order]
        if values.valid is not None:
            numbers = np.where(values.valid[run.order], numbers, 0)
        high, low = self._before("high", run), self._before("low", run)
        if frames.largest(high) < 1 << 30 and frames.fits(numbers, 2 * len(numbers)):
            sums = run.summed(numbers, (high << 32) + low)  # both terms stay below 2^62
            return frames.limbs(sums)
        upper, lower = frames.limbs(numbers)
        uppers, lowers = run.summed(upper, high), run.summed(lower, low)
        carry, rest = frames.limbs(lowers)
        return uppers + carry, rest

    def array(self, totals: Totals, run: Run, result: pa.DataType) -> pa.Array:
        """The call's column, in the order of the rows given; peers share the value of the last of them."""
        kind = self._call.kind
        count, valid, shared = totals.count, totals.valid, None
        if kind == "rank":
            count = count - (np.arange(len(count)) - run.peer_first)
        elif self._call.peers and kind != "dense_rank" and (shared := run.peer_last) is not None:
            count = count.take(shared)
            valid = None if valid is None else valid.take(shared)
        if totals.value is None and totals.limbs is None:
            return array_of(Values(run.given(count)), result)
        valid = None if valid is None else run.given(valid)
        if totals.limbs is not None:
            wide = Wide.of_limbs(*totals.limbs)
            wide = wide if shared is None else wide.take(shared)
            if kind == "sum":
                return Wide(run.given(wide.high), run.given(wide.low), valid).array(result)
            made: Numbers = frames.whole_averages(wide, np.maximum(count, 1), self._scale)
        else:
            assert totals.value is not None
            made = totals.value if shared is None else totals.value.take(shared)
            made = made.astype(np.float64) / np.maximum(count, 1) if kind == "avg" else made
        return array_of(Values(run.given(made), valid), result)

    def keep(self, totals: Totals, slots: Int64s, places: Int64s) -> None:
        """Carry the values at places of the run, one a slot."""
        for name, numbers in totals.parts().items():
            self.parts[name][slots] = numbers[places]
