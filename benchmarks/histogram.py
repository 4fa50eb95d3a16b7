"""A histogram of whole numbers with bounded relative error, after Gil Tene's HdrHistogram (log-linear buckets)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SUB_BITS = 7
"""Each power of two is cut into 2^7 = 128 buckets: a bucket is less than 0.8 % of its values wide."""
_HALF = 1 << SUB_BITS


class Histogram:
    """Counts of whole numbers that are 0 or more, latencies in microseconds for one.

    Numbers below 256 are exact; what `quantile` says of larger ones is at most 1/128 above the truth and never below
    it. Memory follows the number of powers of two between the smallest and the largest number, not how many there are.
    """

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def add(self, values: Iterable[int]) -> None:
        """Count each of them. ValueError for a negative one: time does not run backwards."""
        counts = self.counts
        for value in values:
            if value < 0:
                raise ValueError(f"a latency cannot be negative, got {value}")
            place = bucket(value)
            counts[place] = counts.get(place, 0) + 1

    def merge(self, other: Histogram) -> None:
        """Count what the other one has counted too."""
        for place, count in other.counts.items():
            self.counts[place] = self.counts.get(place, 0) + count

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> int:
        """The least number that `share` of all are not above (its bucket's highest); ValueError when there are none."""
        if not self.counts:
            raise ValueError("an empty histogram has no quantiles")
        wanted, seen = share * self.total, 0
        places = sorted(self.counts)
        for place in places:
            seen += self.counts[place]
            if seen >= wanted:
                return highest(place)
        return highest(places[-1])


def bucket(value: int) -> int:
    """Number of the bucket that holds a value; buckets are numbered in the order of their values."""
    shift = max(0, value.bit_length() - SUB_BITS - 1)
    return shift * _HALF + (value >> shift)


def highest(place: int) -> int:
    """The largest value of a bucket."""
    if place < 2 * _HALF:
        return place
    shift = place // _HALF - 1
    return ((place - shift * _HALF + 1) << shift) - 1
