"""The fold that judges changelogs tells what is no change."""

from __future__ import annotations

import pytest

from tests.engine.changelog import Changelog

NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ([("upsert", {"k": 1, "v": 1}), ("upsert", {"k": 1, "v": 2})], "two changes of one key"),
        ([("delete", {"k": 1, "v": 1})], "a key that is not there"),
        ([("upsert", {"k": 0, "v": NAN})], "changes nothing"),
        ([("insert", {"k": 0, "v": 0})], "op 'insert'"),
    ],
)
def test_upserts_are_checked(changes: list[tuple[str, dict[str, object]]], complaint: str) -> None:
    folded = Changelog(("k",))
    folded.take([("upsert", {"k": 0, "v": NAN})])
    with pytest.raises(AssertionError, match=complaint):
        folded.take(changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ([("delete", {"v": 1})], "a row that is not there"),
        ([("delete", {"v": 0}), ("insert", {"v": 0})], "comes and goes"),
        ([("delete", {"v": 0})] * 3, "a row that is not there"),
    ],
)
def test_retractions_are_checked(changes: list[tuple[str, dict[str, object]]], complaint: str) -> None:
    folded = Changelog()
    folded.take([("insert", {"v": 0}), ("insert", {"v": 0})])
    assert folded.rows() == [{"v": 0}, {"v": 0}]
    with pytest.raises(AssertionError, match=complaint):
        folded.take(changes)


def test_one_row_without_a_key_is_replaced() -> None:
    folded = Changelog()
    folded.take([("upsert", {"n": 1})])
    folded.take([("upsert", {"n": 2})])
    assert folded.rows() == [{"n": 2}]
    folded.take([("delete", {"n": 2})])
    assert folded.rows() == []


def test_a_key_comes_goes_and_comes_back() -> None:
    folded = Changelog(("k",))
    for op in ("upsert", "delete", "upsert"):
        folded.take([(op, {"k": None, "v": [1, {"a": 2}]})])
    assert folded.rows() == [{"k": None, "v": [1, {"a": 2}]}]
