"""``wall_clock()``: the wall's time as a constant of the tick, given to the engine from outside."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from velostream_nb.core.vectors import vector
from velostream_nb.engine.duck import Duck
from velostream_nb.sql.dialect import WALL

_SCHEMA = pa.schema([("us", pa.int64())])


class Wall:
    """Makes ``VELO_WALL()`` a macro over one row, so that prepared statements read the value of each tick."""

    def __init__(self, duck: Duck) -> None:
        self._feed = duck.feed(_SCHEMA)
        self.set(0)
        duck.run(f"CREATE TEMP MACRO {WALL}() AS (SELECT make_timestamp(us) FROM {self._feed.name})")

    def set(self, now_us: int) -> None:
        """The time from now on, microseconds since the epoch."""
        self._feed.rows = pa.table([vector(np.array([now_us]))], schema=_SCHEMA)


def reads_wall(texts: list[str]) -> bool:
    """Does any SQL of a plan ask for the wall's time?"""
    return any(WALL in text for text in texts)
