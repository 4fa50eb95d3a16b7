"""Near rows are found whatever way is taken: all against all says which they are."""

from __future__ import annotations

import numpy as np
import pytest

from velostream_nb.engine.bands import Run, Scale, candidates, gathered, joined, moved, neighbours, run_of

FAR_APART = [-(2**62), -1, 0, 5, 2**61, 2**62]


def run(seed: int, count: int, keys: int, span: int, first: int = 0) -> Run:
    """Random rows by (code, time); numbers begin with `first`."""
    rng = np.random.default_rng(seed)
    codes, times = rng.integers(-1, keys, count), rng.integers(0, span, count)
    return Run(np.arange(first, first + count), codes, times, (rng.integers(0, 2, count),)).sorted()


def near(left: Run, right: Run, low: int, high: int) -> set[tuple[int, int]]:
    """(left row, right row), all against all."""
    apart = right.times[None, :] - left.times[:, None]
    fits = (left.codes[:, None] == right.codes[None, :]) & (apart >= low) & (apart <= high) & (left.codes[:, None] >= 0)
    return {(int(left.rows[i]), int(right.rows[j])) for i, j in np.argwhere(fits)}


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (1, 1), (60, 60), (3, 200), (200, 3)])
@pytest.mark.parametrize(("low", "high"), [(-5, 5), (0, 0), (1, 9), (-9, -1), (-100, 100), (30, 31)])
def test_candidates_are_the_near_rows(sizes, low, high):
    left, right = (run(n, size, 3, 50).keyed() for n, size in enumerate(sizes))
    scale = Scale([left.times, right.times], 3)
    found = [
        (int(left.rows[i]), int(right.rows[j]))
        for one, other in candidates(left, scale.fold(right.codes, right.times), scale, low, high)
        for i, j in zip(one, other, strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == near(left, right, low, high)


@pytest.mark.parametrize("count", [0, 1, 2, 100, 700])
@pytest.mark.parametrize("reach", [0, 3, 1_000])
def test_neighbours_are_the_near_pairs_that_differ(count, reach):
    rows = run(count, count, 3, 60).keyed()
    folded = Scale([rows.times], 3, reach).fold(rows.codes, rows.times)
    (mark,) = rows.marks
    pairs = [(i, j) for one, other in neighbours(folded, reach, [mark]) for i, j in zip(one, other, strict=True)]
    fits = (folded[None, :] - folded[:, None] <= reach) & (mark[None, :] != mark[:, None])
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == {(i, j) for i, j in np.argwhere(fits) if i < j}


def test_a_crowd_among_many_lonely_rows():
    """One key has 300 rows in a moment, 20,000 others have one each: all its pairs are found, and no others."""
    times = np.concatenate((np.arange(20_000) * 100, np.full(300, 7)))
    codes = np.concatenate((np.zeros(20_000, dtype=np.int64), np.ones(300, dtype=np.int64)))
    folded = Scale([times], 2, 50).fold(codes, times)
    half = np.arange(len(folded)) % 2
    count = sum(len(one) for one, _ in neighbours(folded, 50, [half]))
    assert count == 150 * 150
    assert sum(len(one) for one, _ in neighbours(folded, 50, [])) == 300 * 299 // 2


def test_times_too_far_apart_to_fold_are_found_by_their_ranks():
    times = np.array(FAR_APART * 2)
    codes = np.repeat([0, 1], len(FAR_APART))
    rows = Run(np.arange(len(times)), codes, times).sorted()
    scale = Scale([rows.times], 1 << 20)
    assert not scale.even
    assert (np.diff(scale.fold(rows.codes, rows.times)) > 0).all()
    found = {
        (int(rows.times[i]), int(rows.times[j]))
        for one, other in candidates(rows, scale.fold(rows.codes, rows.times), scale, -6, 6)
        for i, j in zip(one, other, strict=True)
    }
    assert found == {(a, b) for a in FAR_APART for b in FAR_APART if abs(a - b) <= 6}


def test_times_move_as_far_as_they_go():
    least, most = -(2**63), 2**63 - 1
    assert moved(np.array([most, 0, least]), 5).tolist() == [most, 5, least + 5]
    assert moved(np.array([most, 0, least + 1]), -5).tolist() == [most - 5, -5, least + 1]


@pytest.mark.parametrize("most", [3, 1 << 20])
def test_few_rows_become_a_run_as_all_others_do(most):
    rng = np.random.default_rng(most)
    codes, times = rng.integers(-1, most, 200), rng.integers(0, 9, 200)
    made = run_of(codes, times, most)
    assert made.rows.tolist() == np.lexsort((times, codes)).tolist()
    assert (made.codes == codes[made.rows]).all()
    assert (made.times == times[made.rows]).all()


def test_pairs_are_gathered_in_order_and_none_is_lost():
    blocks = [(np.arange(n), np.arange(n) + 1) for n in (0, 3, 1, 5, 0, 2)]
    assert [len(one) for one, _ in gathered(blocks, 4)] == [4, 5, 2]
    one, other = joined(list(gathered(blocks, 4)))
    assert one.tolist() == np.concatenate([b[0] for b in blocks]).tolist()
    assert other.tolist() == (one + 1).tolist()
    assert list(gathered([], 4)) == []
