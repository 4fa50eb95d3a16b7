"""Transactions of the embedded broker: records that have their offsets and wait to be seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from velostream_nb.brokers.contract import Output
from velostream_nb.brokers.payload import payload_rows
from velostream_nb.brokers.topic import Topic
from velostream_nb.core.errors import BrokerError
from velostream_nb.core.records import RecordSet

if TYPE_CHECKING:
    from velostream_nb.brokers.embedded import EmbeddedBroker


@dataclass(frozen=True, slots=True)
class Append:
    """One call's outputs, checked; a number is the partition asked for.

    Attributes:
        now_ms: timestamp of records that have none.
    """

    outputs: tuple[tuple[Output, int | None], ...]
    now_ms: int

    @property
    def topics(self) -> set[str]:
        return {output.topic for output, _ in self.outputs}


@dataclass(slots=True)
class Claims:
    """Topics of open transactions, and the appends of others that wait behind them. Used under the broker's lock."""

    owners: dict[str, EmbeddedTransaction] = field(default_factory=dict)
    waiting: list[Append] = field(default_factory=list)

    def holds(self, append: Append) -> bool:
        """Keep an append back if it touches an open transaction, or one that waits; whether it was kept back."""
        if not self.owners and not self.waiting:
            return False
        blocked = set(self.owners).union(*(waiting.topics for waiting in self.waiting))
        if append.topics.isdisjoint(blocked):
            return False
        self.waiting.append(append)
        return True

    def release(self, owner: EmbeddedTransaction) -> list[Append]:
        """End a transaction's claim; gives what waits for nobody else, to be appended in this order."""
        self.owners = {topic: other for topic, other in self.owners.items() if other is not owner}
        waiting, self.waiting = self.waiting, []
        return [append for append in waiting if not self.holds(append)]


@dataclass(frozen=True, slots=True)
class Staged:
    """An output of a transaction, cut by partition."""

    output: Output
    topic: Topic
    pieces: list[tuple[int, Output]]


class EmbeddedTransaction:
    """See `brokers.contract.Transaction`. Nothing is in the logs before `commit`, so nothing has to be taken back."""

    def __init__(self, broker: EmbeddedBroker, topics: Collection[str]) -> None:
        self.topics = frozenset(topics)
        self.thread = threading.get_ident()
        self._broker = broker
        self._staged: list[Staged] = []
        self._rows: dict[tuple[str, int], int] = {}
        self._now_ms = broker.now_ms()

    def append(self, outputs: Sequence[Output]) -> list[RecordSet]:
        self._check(outputs)
        return [records for staged in self._broker._stage(outputs) for records in self._placed(staged)]

    def commit(self, outputs: Sequence[Output] = ()) -> None:
        try:
            self._check(outputs)
            self._broker._commit(self, outputs)
        finally:
            self.abort()

    def abort(self) -> None:
        self._staged.clear()
        self._broker._release(self)

    def apply(self, again: Callable[[Append], bool]) -> bool:
        """Append what is staged, under the broker's lock; whether there was any record.

        Args:
            again: appends to a topic that was deleted meanwhile as if it had never been.
        """
        grown = False
        for staged in self._staged:
            if staged.topic.deleted:
                grown |= again(Append(((staged.output, None),), self._now_ms))
                continue
            for number, piece in staged.pieces:
                grown |= staged.topic.append(number, piece, self._now_ms)
        return grown

    def _check(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if output.topic not in self.topics:
                raise BrokerError(f"the transaction was not begun with topic {output.topic!r}")

    def _placed(self, staged: Staged) -> list[RecordSet]:
        """The record sets of one output, with the offsets they will have; notes it for `commit`."""
        self._staged.append(staged)
        sets = []
        for number, piece in staged.pieces:
            rows = payload_rows(piece.payload)
            if rows == 0:
                continue
            place = (staged.topic.name, number)
            before = self._rows.get(place, 0)
            self._rows[place] = before + rows
            first = staged.topic.logs[number].next_offset + before
            times = piece.timestamps_ms
            times_ms = np.full(rows, self._now_ms, np.int64) if times is None else np.asarray(times, np.int64)
            offsets = np.arange(first, first + rows, dtype=np.int64)
            sets.append(RecordSet(staged.topic.name, number, offsets, times_ms, piece.payload, piece.keys))
        return sets
