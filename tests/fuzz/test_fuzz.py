"""Random queries over random rows, in random batches with restarts, equal DuckDB in batch.

The first seeds are always the same. As many follow from a seed of the moment, which is printed; with
``--fuzz-minutes n`` (and ``--fuzz-seed s`` to repeat) it goes on for so long. A failure is shrunk and comes as a golden file.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.fuzz.check import judge, random_case
from tests.fuzz.shrink import Shrinker, report

FIXED = 12
PER_TEST = 25
"""Cases of one test, so that a failure names its seeds and the others run on."""
MOVING = 4

REFUSED_AT_MOST = 0.1
"""More refusals than this, and the fuzzer tests the planner's manners only."""


def fuzz(seeds: range, until_s: float | None = None) -> Counter[str]:
    """Judge the cases of some seeds; the first failure is shrunk and fails the test."""
    kinds: Counter[str] = Counter()
    for seed in seeds:
        if until_s is not None and time.monotonic() > until_s:
            break
        case = random_case(seed)
        verdict = judge(case)
        kinds[verdict.kind] += 1
        if verdict.kind == "failed":
            shrinker = Shrinker(case, verdict)
            small = shrinker.run()
            pytest.fail(f"seed {seed}: {report(small, shrinker.verdict)}", pytrace=False)
    return kinds


@pytest.mark.parametrize("number", range(FIXED))
def test_fixed_seeds(number: int) -> None:
    kinds = fuzz(range(number * PER_TEST, (number + 1) * PER_TEST))
    assert kinds["refused"] <= REFUSED_AT_MOST * sum(kinds.values()), kinds


@pytest.mark.parametrize("number", range(MOVING))
def test_moving_seeds(number: int, request: pytest.FixtureRequest) -> None:
    first = _first_seed(request) + number * PER_TEST
    print(f"seeds from {first}")  # noqa: T201
    fuzz(range(first, first + PER_TEST))


@pytest.mark.timeout(0)
def test_for_long(request: pytest.FixtureRequest) -> None:
    minutes = request.config.getoption("--fuzz-minutes")
    first = _first_seed(request) + 1_000
    kinds = fuzz(range(first, first + 10**9), until_s=time.monotonic() + minutes * 60)
    print(f"seeds from {first}: {dict(kinds)}")  # noqa: T201


def _first_seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--fuzz-seed", default=None)
    return int(time.time()) * 1_000 if given is None else int(given)
