"""Sums, averages and extremes over frames, against plain Python."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest

from velostream_nb.engine import frames
from velostream_nb.engine.frames import Values, Wide

BIG = [2**63 - 1, -(2**63), 2**62, 0, 1, -1]


def whole(wide: Wide) -> list[int]:
    return [int(high) * 2**64 + int(low) for high, low in zip(wide.high, wide.low, strict=True)]


def made(rng: random.Random, numbers: list[float]) -> tuple[Values, list[float | None], np.ndarray, np.ndarray]:
    """Values, the same with None, and frames: some empty, some of one row, some of all."""
    count = rng.choice([1, 2, 17, 70])
    chosen = [rng.choice(numbers) for _ in range(count)]
    valid = [rng.random() < 0.8 for _ in chosen]
    ends = [sorted((rng.randrange(count + 1), rng.randrange(count + 1))) for _ in range(40)] + [[0, count], [0, 0]]
    dtype = np.float64 if isinstance(numbers[0], float) else np.int64
    values = Values(np.array(chosen, dtype=dtype), np.array(valid) if rng.random() < 0.7 else None)
    known = [c if v or values.valid is None else None for c, v in zip(chosen, valid, strict=True)]
    return values, known, np.array([e[0] for e in ends]), np.array([e[1] for e in ends])


def inside(known: list[float | None], low: np.ndarray, high: np.ndarray) -> list[list[float]]:
    return [[v for v in known[a:b] if v is not None] for a, b in zip(low, high, strict=True)]


@pytest.mark.parametrize("numbers", [BIG, [3, -4, 5]], ids=["big", "small"])
@pytest.mark.parametrize("seed", range(5))
def test_whole_numbers_are_exact(numbers, seed):
    values, known, low, high = made(random.Random(seed), numbers)
    expected = inside(known, low, high)
    assert whole(frames.whole_sums(values, low, high)) == [sum(map(int, e)) for e in expected]
    assert frames.counted(values, low, high).tolist() == [len(e) for e in expected]
    assert frames.counted(None, low, high).tolist() == (high - low).tolist()
    count = frames.counted(values, low, high)
    average = frames.averages(values, low, high, count)
    for got, e in zip(average.tolist(), expected, strict=True):
        if e:
            exact = float(Fraction(sum(map(int, e)), len(e)))
            assert math.isclose(got, exact, rel_tol=2**-52)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("greatest", [True, False])
def test_extremes(seed, greatest):
    for numbers in (BIG, [1.5, -2.0, math.inf, -math.inf], [math.nan, 1.0, math.inf]):
        values, known, low, high = made(random.Random(seed), numbers)
        found = frames.extremes(values, low, high, greatest=greatest).tolist()
        for got, e in zip(found, inside(known, low, high), strict=True):
            if e:  # NaN is the greatest
                key = lambda v: (math.isnan(v), v)  # noqa: E731
                want = (max if greatest else min)(e, key=key)
                assert got == want or (math.isnan(got) and math.isnan(want))


@pytest.mark.parametrize("seed", range(5))
def test_sums_of_doubles_depend_on_their_own_rows_alone(seed):
    rng = random.Random(seed)
    values, known, low, high = made(rng, [0.1, 1e9, -3.7, 2.5])
    found = frames.real_sums(values, low, high)
    for got, e in zip(found.tolist(), inside(known, low, high), strict=True):
        assert math.isclose(got, math.fsum(e), rel_tol=1e-12, abs_tol=1e-6)
    before = np.array([math.nan, math.inf, 7.0])
    moved = Values(
        np.concatenate([before, values.numbers, before]),
        None if values.valid is None else np.concatenate([[True] * 3, values.valid, [True] * 3]),
    )
    assert frames.real_sums(moved, low + 3, high + 3).tobytes() == found.tobytes()


def test_128_bits_travel_as_they_are():
    numbers = [0, 1, -1, 2**64, -(2**64), 2**63, 10**37, -(10**37) + 7]
    wide = Wide(np.array([n >> 64 for n in numbers]), np.array([n & (2**64 - 1) for n in numbers], dtype=np.uint64))
    assert [int(v) for v in wide.array().to_pylist()] == numbers
    assert [int(v) for v in wide.longdoubles()] == [int(np.longdouble(str(n))) for n in numbers]
    high, low = frames.limbs(np.array(BIG))
    assert whole(Wide.of_limbs(high, low)) == BIG
    assert whole(Wide.of(np.array(BIG))) == BIG
