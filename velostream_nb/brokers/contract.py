"""The contract of every broker; `tests/contracts/test_brokers.py` runs over all of them.

Offsets start at 0, count by one per partition and never come back; Kafka and the compaction of changelogs leave gaps.
Records of one partition are read in the order they were appended. All methods are safe to call from any thread; a
`Reader` belongs to one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.model import TopicInfo
from velostream_nb.core.records import Payload, RecordSet
from velostream_nb.core.schema import StreamSchema


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a partition is kept; the oldest whole batches go first. None means no bound.

    Of a topic whose schema says it is a changelog, what stands is kept whatever its size: the oldest records that
    later ones have made void go first (log compaction).
    """

    rows: int | None = 1_000_000
    bytes: int | None = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Output:
    """Records to append to one topic as part of one `publish`."""

    topic: str
    payload: Payload
    keys: pa.BinaryArray | None = None
    timestamps_ms: npt.NDArray[np.int64] | None = None
    """One a record; None: the broker's clock."""


class Reader(Protocol):
    """Reads one topic from given offsets onwards; not shared between threads."""

    topic: str

    def poll(self, max_rows: int, until: Mapping[int, int] | None = None) -> list[RecordSet]:
        """What is there now, at most `max_rows` records, without waiting; [] when nothing is.

        A typed or raw batch may be sliced to fit. When retention has removed the next offset, reading goes on at
        the oldest retained one and `skipped` grows.

        Args:
            until: by partition, the offset to stop before; a partition that is not among them has no such bound.
        """

    def take(self, records: Sequence[RecordSet]) -> bool:
        """Count records of an open `Transaction` as polled, if they follow directly on what was; else do nothing.

        For readers in the process that appends: they get the records in memory, and find them read when the
        transaction is committed. True when the reader now stands behind all of them.
        """

    def positions(self) -> dict[int, int]:
        """Next offset to read, per partition."""

    def lag_rows(self) -> int:
        """Records appended (and committed) but not yet polled."""

    @property
    def skipped(self) -> int:
        """Records lost to retention before they were read."""

    @property
    def ended(self) -> bool:
        """True when the topic is bounded (a file) and everything has been polled."""

    def close(self) -> None: ...


class Transaction(Protocol):
    """Appends to several topics that all readers see at once, at its end. Belongs to the thread that began it.

    Each record's offset is known when it is appended, so that code in this process can go on with it before it is
    visible. What others append to the topics of an open transaction comes after it, and is invisible as long: nobody
    waits for the transaction, and nothing moves in between its records and the end of the log that it found.
    (On Kafka: one producer transaction, offsets from the delivery reports, readers that are `read_committed`.)
    """

    def append(self, outputs: Sequence[Output]) -> list[RecordSet]:
        """Append; gives the records as readers will get them.

        Raises:
            BrokerError: a topic the transaction was not begun with, or an output that cannot be appended; nothing is,
                then.
        """

    def commit(self, outputs: Sequence[Output] = ()) -> None:
        """Append `outputs` too, and make everything visible at once.

        Raises:
            BrokerError: as `append`. Nothing becomes visible, and the transaction is aborted.
        """

    def abort(self) -> None:
        """Take everything back. Safe to call again, and after `commit`, when it does nothing."""


class Broker(Protocol):
    """Topics of records."""

    def create_topic(
        self, name: str, *, partitions: int = 1, retention: Retention | None = None, schema: StreamSchema | None = None
    ) -> None:
        """Create it; no error when it exists with as many partitions, BrokerError otherwise.

        A name is 1–249 of letters, digits, ``.``, ``_``, ``-`` (Kafka's rule); BrokerError otherwise.
        """

    def delete_topic(self, name: str) -> None:
        """Remove it and its records; UnknownTopicError when there is none."""

    def topics(self) -> list[TopicInfo]:
        """All topics, by name."""

    def names(self) -> list[str]:
        """The names of all topics, sorted, without looking into any."""

    def topic(self, name: str) -> TopicInfo:
        """One topic; UnknownTopicError with near names."""

    def exists(self, name: str) -> bool: ...

    def partitions(self, name: str) -> int:
        """How many partitions a topic has; UnknownTopicError when there is none."""

    def schema(self, name: str) -> StreamSchema | None:
        """The schema given at creation or set since, if any."""

    def set_schema(self, name: str, schema: StreamSchema) -> None:
        """Remember the schema of a topic."""

    def produce(
        self,
        topic: str,
        payload: Payload,
        *,
        partition: int | None = None,
        keys: pa.BinaryArray | None = None,
        timestamps_ms: npt.NDArray[np.int64] | None = None,
    ) -> int:
        """Append; creates the topic when it is missing. Without `partition`: by hash of key, else partition 0.

        Returns how many records were appended.
        """

    def publish(self, outputs: Sequence[Output]) -> None:
        """Append to several topics at once: no reader sees some of them without the others."""

    def transaction(self, topics: Collection[str]) -> Transaction:
        """Begin to append to these topics; waits while another thread's transaction is open on one of them.

        From here to its end nothing that others append to them is visible, so their ends stand still. A missing topic
        is made by the first append.

        Raises:
            BrokerError: this thread has a transaction open on one of them already.
        """

    def ends(self, topics: Collection[str]) -> dict[str, dict[int, int]]:
        """Where each topic ends, per partition, all as of one moment (no publish in between).

        Raises:
            UnknownTopicError: one is missing.
        """

    def reader(self, topic: str, start: str | Mapping[int, int] = "earliest") -> Reader:
        """A reader that starts at 'earliest', 'latest', or at given offsets; UnknownTopicError when missing."""

    def read_range(self, wanted: Mapping[str, int | None], limit: int) -> dict[str, tuple[list[RecordSet], int, int]]:
        """Newest records per topic after an absolute position, all as of one moment (no publish in between).

        The position counts records ever appended to the topic, over its partitions. Gives, per topic,
        (record sets holding at most `limit` newest records after it, the position after them, records skipped).
        A topic that does not exist gives ([], 0, 0).
        """

    def version(self) -> int:
        """A number that grows with everything that becomes visible and with every `wake`, for `wait`."""

    def wake(self) -> None:
        """End every `wait`, as an append does: something else than records is there to be looked at."""

    def wait(self, version: int, timeout: float) -> bool:
        """Block until `version()` differs from `version` or the time (seconds) is over; True when it differs."""

    def close(self) -> None:
        """Release everything; wakes waiters. Safe to call twice."""
