"""The runner itself: a wrong claim, a change that is none, a slip in a file are all told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.case import ROOT, Case, read_case
from tests.golden.drive import run_case
from tests.golden.rows import bag, rendered
from tests.golden.test_golden import assert_claims

GIVEN = """-- construct: filter
CREATE STREAM t (x BIGINT, timestamp TIMESTAMP);
START JOB j AS SELECT x FROM t WHERE x > 1;

-- step
-- in t:
--| {"x": 1, "timestamp": "2024-01-01 00:00:01"}
--| {"x": 2, "timestamp": "2024-01-01 00:00:01"}
-- out j:
--| {"x": 2}
"""


def case(text: str, tmp_path: Path) -> Case:
    path = tmp_path / "case.sql"
    path.write_text(text)
    return read_case(path)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('--| {"x": 2}', '--| {"x": 3}'),
        ('-- out j:\n--| {"x": 2}\n', ""),
        ('--| {"x": 2}\n', '--| {"x": 2}\n--| {"x": 2}\n'),
        ('--| {"x": 2}\n', '--| {"x": 2}\n-- late j: 1\n'),
    ],
)
def test_a_wrong_claim_fails(wrong: str, right: str, tmp_path: Path) -> None:
    good = case(GIVEN, tmp_path)
    assert_claims(good, run_case(good, None))
    bad = case(GIVEN.replace(wrong, right), tmp_path)
    with pytest.raises(pytest.fail.Exception, match="says something else"):
        assert_claims(bad, run_case(bad, None))


def test_a_wrong_oracle_is_told(tmp_path: Path) -> None:
    bad = case(GIVEN + "\n-- oracle:\n--| SELECT x FROM t\n", tmp_path)
    answers = run_case(bad, None, with_answers=True).answers
    assert answers is not None
    assert "only in batch" in (answers.disagreement() or "")


def test_the_query_itself_is_the_oracle(tmp_path: Path) -> None:
    good = case(GIVEN, tmp_path)
    answers = run_case(good, None, with_answers=True).answers
    assert answers is not None
    assert bag(answers.batch["j"]) == bag(['{"x": 2}'])


@pytest.mark.parametrize("slip", ["-- out j", "-- oracle", "-- construct filter", "-- query", "-- error"])
def test_a_slip_is_told(slip: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a line of the format"):
        case(f"{GIVEN}{slip}\n", tmp_path)


def test_exact_numbers_stay_exact() -> None:
    (big,) = bag(['{"x": 12345678901234567890123456789012345678}'])
    (other,) = bag(['{"x": 12345678901234567890123456789012345679}'])
    assert big != other
    assert bag(['{"x": 1.0}']) == bag(['{"x": 1}'])
    assert rendered([{"x": float("nan"), "y": b"\x00\xff", "z": [1, None]}]) == [
        '{"x": "NaN", "y": "\\\\x00ff", "z": [1, null]}'
    ]


def test_folders_hold_cases() -> None:
    for folder in ROOT.iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert list(folder.glob("*.sql")), f"{folder.name} has no case"
