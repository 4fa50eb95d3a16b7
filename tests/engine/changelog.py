"""A changelog folded while each of its changes is checked to be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa


class Changelog:
    """The rows that stand, by key; under one key when rows have none.

    Args:
        key: columns that key an upsert changelog; () where there are upserts means one row in all.
    """

    def __init__(self, key: Sequence[str] = ()) -> None:
        self.key = tuple(key)
        self._keyed = bool(key)
        self._rows: dict[str, Counter[str]] = {}
        self._seen: dict[str, dict[str, Any]] = {}

    def take(self, changes: Sequence[tuple[str, Mapping[str, Any]]], where: str = "") -> None:
        """Apply the (op, row) pairs of one tick.

        Raises:
            AssertionError: a change is none (an upsert of what stands, a row that comes and goes, a second change of
                a key), or takes back what is not there.
        """
        touched: set[str] = set()
        ops: dict[str, str] = {}
        # the first change of one row without a key is an upsert: there is nothing yet to delete
        self._keyed = self._keyed or any(op == "upsert" for op, _ in changes)
        for op, row in changes:
            text = _text(row)
            self._seen[text] = dict(row)
            if self._keyed:
                assert op in ("upsert", "delete"), f"{where}: op {op!r} in a changelog of upserts: {text}"
                self._upsert(op, _text({k: row[k] for k in self.key}), text, touched, where)
                continue
            assert op in ("insert", "delete"), f"{where}: op {op!r} in a changelog without a key: {text}"
            assert ops.setdefault(text, op) == op, f"{where}: a row comes and goes in one tick: {text}"
            assert op == "insert" or text in self._bag(), f"{where}: a delete of a row that is not there: {text}"
            self._bag()[text] += 1 if op == "insert" else -1
            if not self._bag()[text]:
                del self._bag()[text]

    def _upsert(self, op: str, identity: str, text: str, touched: set[str], where: str) -> None:
        assert identity not in touched, f"{where}: two changes of one key in one tick: {text}"
        touched.add(identity)
        before = self._rows.get(identity)
        if op == "delete":
            assert before, f"{where}: a delete of a key that is not there: {text}"
            del self._rows[identity]
            return
        assert not before or text not in before, f"{where}: an upsert that changes nothing: {text}"
        self._rows[identity] = Counter([text])

    def _bag(self) -> Counter[str]:
        return self._rows.setdefault("", Counter())

    def rows(self) -> list[dict[str, Any]]:
        """The rows that stand."""
        return [self._seen[text] for rows in self._rows.values() for text in rows.elements()]


def _text(row: Mapping[str, Any]) -> str:
    return repr(sorted((name, _alike(value)) for name, value in row.items()))


def _alike(value: Any) -> Any:
    """The same for values that are equal in SQL, so that any of them may stand for a key."""
    if isinstance(value, float):
        return value + 0.0  # -0.0
    if isinstance(value, pa.MonthDayNano):
        return "interval", ((value.months * 30 + value.days) * 86_400 * 10**9 + value.nanoseconds) // 1_000
    return value
