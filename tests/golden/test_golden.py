"""Every golden file, at several batch sizes. `UPDATE_GOLDEN=1` writes what came out, after the oracle agreed."""

from __future__ import annotations

import difflib
import os
import zlib

import pytest

from tests.golden.case import Case, all_cases, rewritten
from tests.golden.drive import Run, run_case
from tests.golden.rows import bag
from velostream_nb.core.errors import VeloError


def per_tick(case: Case) -> tuple[int, ...]:
    """Rows a tick: one by one always, and two or seven by the case's name; all with GOLDEN_ALL=1, at a third more time."""
    if os.environ.get("GOLDEN_ALL"):
        return 1, 2, 7
    return 1, (2, 7)[zlib.crc32(case.name.encode()) % 2]


CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    try:
        whole = run_case(case, None, with_answers=True)
    except VeloError as error:
        pytest.fail(f"{case.path.name}: a statement was refused, or ended badly: {error}")
    assert whole.answers is not None
    disagreement = whole.answers.disagreement()
    assert disagreement is None, disagreement
    if not case.whole_only:
        for size in per_tick(case):
            assert_same(whole, run_case(case, size), f"{size} rows a tick")
    if os.environ.get("UPDATE_GOLDEN"):
        update(case, whole)
    else:
        assert_claims(case, whole)


def assert_same(whole: Run, other: Run, what: str) -> None:
    """Two batchings of one case: equal rows in each step, equal state after each step."""
    # a topic whose changes cancel out in one batching is a changelog that only the other one shows
    changelogs = whole.changelogs | other.changelogs
    for step, (one, two) in enumerate(zip(whole.claims.outs, other.claims.outs, strict=True)):
        for topic in sorted({*one, *two} - changelogs):
            got, wanted = two.get(topic, []), one.get(topic, [])
            assert bag(got) == bag(wanted), f"{what}, step {step}, {topic}: other rows than with the step in one tick"
        for topic in sorted(changelogs):
            got, wanted = other.folded[step].get(topic, []), whole.folded[step].get(topic, [])
            assert bag(got) == bag(wanted), (
                f"{what}, step {step}, {topic}: another state than with the step in one tick"
            )
    assert other.claims.late == whole.claims.late, what
    assert list(map(bag, other.claims.queries)) == list(map(bag, whole.claims.queries)), what
    assert other.claims.failed == whole.claims.failed, what


def assert_claims(case: Case, run: Run) -> None:
    """The file says what came out: rows as bags, refusals to the letter."""
    claims = run.claims
    same = all(_same_outs(step.outs(), outs) for step, outs in zip(case.steps, claims.outs, strict=True))
    queries = [item for step in case.steps for item in step.items if item.kind == "query"]
    same &= all(bag(item.data) == bag(rows) for item, rows in zip(queries, claims.queries, strict=True))
    same &= {j: n for j, n in claims.late.items() if n} == {j: n for j, n in case.late.items() if n}
    for kind, found in (("error", list(claims.errors.values())), ("failed", [i for f in claims.failed for i in f])):
        said = [item for step in case.steps for item in step.items if item.kind == kind]
        same &= [(i.name, i.data) for i in said] == [(i.name, i.data) for i in found]
    if not same:
        pytest.fail(f"{case.path.name} says something else:\n{_diff(case, run)}", pytrace=False)


def _same_outs(said: dict[str, list[str]], got: dict[str, list[str]]) -> bool:
    return all(bag(said.get(topic, [])) == bag(got.get(topic, [])) for topic in {*said, *got})


def _diff(case: Case, run: Run) -> str:
    before, after = case.path.read_text(), rewritten(case, run.claims)
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), "said", "came out", lineterm=""))


def update(case: Case, run: Run) -> None:
    """Write what came out; called when the oracle and all batchings agree."""
    if diff := _diff(case, run):
        print(f"\n{diff}")  # noqa: T201
        case.path.write_text(rewritten(case, run.claims))
