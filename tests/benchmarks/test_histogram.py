"""The latency histogram: exact where numbers are small, less than one per cent off where they are not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.histogram import Histogram, bucket, highest


@given(st.integers(0, 2**50))
def test_a_bucket_ends_less_than_one_per_cent_above_each_of_its_values(value):
    assert value <= highest(bucket(value)) <= value * (1 + 1 / 128)


@given(st.integers(0, 2**50))
def test_buckets_follow_one_another_as_their_values_do(value):
    end = highest(bucket(value))
    assert bucket(end) == bucket(value)
    assert bucket(end + 1) == bucket(value) + 1


def test_small_numbers_are_exact():
    histogram = Histogram()
    histogram.add(range(256))
    assert [histogram.quantile(share) for share in (1 / 256, 0.5, 1.0)] == [0, 127, 255]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999, 1.0])
def test_quantiles_are_those_of_the_sorted_values(share):
    rng = random.Random(3)
    values = [int(rng.lognormvariate(9, 1.5)) for _ in range(20_000)]
    histogram = Histogram()
    histogram.add(values)
    true = sorted(values)[max(0, round(share * len(values)) - 1)]
    assert true <= histogram.quantile(share) <= true * 1.008


def test_merging_counts_everything_once():
    left, right = Histogram(), Histogram()
    left.add([1, 1_000])
    right.add([1, 1_000_000])
    left.merge(right)
    assert left.total == 4
    assert left.quantile(0.5) == 1
    assert Histogram(left.counts).quantile(1.0) == highest(bucket(1_000_000))


def test_negative_latencies_and_empty_histograms_are_errors():
    with pytest.raises(ValueError, match="negative"):
        Histogram().add([-1])
    with pytest.raises(ValueError, match="empty"):
        Histogram().quantile(0.5)
