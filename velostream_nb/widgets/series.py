"""Points per series of any stream, bounded, in float64."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from velostream_nb.widgets.columns import NO_TIME, Floats, Ints, labels, numbers, times_us
from velostream_nb.widgets.shape import Shape


@dataclass(slots=True)
class Series:
    """One line.

    Attributes:
        times_us: ascending (equal times keep their order of arrival), shape (points,).
        values: float64, NaN where a record had none, shape (points,).
        count: records ever taken in.
    """

    name: str
    times_us: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    values: Floats = field(default_factory=lambda: np.empty(0))
    count: int = 0


class SeriesBook:
    """All series of one stream; the newest `keep` points of each."""

    def __init__(self, shape: Shape, *, keep: int) -> None:
        self._shape = shape
        self._keep = keep
        self.series: dict[str, Series] = {}
        self.newest_us: int | None = None

    def ingest(self, rows: pa.Table) -> None:
        """Take in rows; those without a time are left out."""
        assert self._shape.x is not None
        times = times_us(rows, self._shape.x)
        values = numbers(rows, self._shape.y[0])
        codes, names = labels(rows, self._shape.by) if self._shape.by else (np.zeros(len(times), dtype=np.int64), [""])
        usable = (times != NO_TIME) & (codes >= 0)
        for code in np.unique(codes[usable]):
            at = usable & (codes == code)
            self._append(self.series.setdefault(names[code], Series(names[code])), times[at], values[at])
        if usable.any():
            newest = int(times[usable].max())
            self.newest_us = newest if self.newest_us is None else max(newest, self.newest_us)

    def _append(self, series: Series, times: Ints, values: Floats) -> None:
        all_times = np.concatenate([series.times_us, times])
        all_values = np.concatenate([series.values, values])
        if len(all_times) > 1 and (np.diff(all_times[-len(times) - 1 :]) < 0).any():
            order = np.argsort(all_times, kind="stable")
            all_times, all_values = all_times[order], all_values[order]
        series.times_us = all_times[-self._keep :].copy()
        series.values = all_values[-self._keep :].copy()
        series.count += len(times)
