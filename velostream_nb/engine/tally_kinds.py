"""Which tally an aggregate is."""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.arrays import number_type
from velostream_nb.engine.huge_sums import HugeSum
from velostream_nb.engine.tallies import Count, Extreme, ExtremeText, RealSum, Tally, WholeSum
from velostream_nb.sql import plan


def tally_for(asked: plan.Tally, argument: pa.DataType | None, result: pa.DataType) -> Tally | None:
    """The tally of an aggregate without DISTINCT; None when numbers cannot say what it gives.

    Args:
        argument: type of the argument, None for rows.
        result: type of what DuckDB gives.
    """
    if asked.kind == "count":
        return Count() if result == pa.int64() else None
    if argument is None:
        return None
    number = number_type(argument)
    if asked.kind in ("min", "max"):
        if argument != result or (number is None and not pa.types.is_string(argument)):
            return None
        greatest = asked.kind == "max"
        return ExtremeText(greatest=greatest) if number is None else Extreme(number, greatest=greatest)
    average = asked.kind == "avg"
    if argument == HUGEINT and result == (pa.float64() if average else HUGEINT):
        return HugeSum(average=average)
    whole = pa.types.is_integer(argument) and argument != pa.uint64()
    if whole and result == (pa.float64() if average else HUGEINT):
        return WholeSum(average=average)
    if pa.types.is_floating(argument) and result == pa.float64():
        return RealSum(average=average)
    return None
