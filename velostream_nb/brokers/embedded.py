"""The broker in this process: topics in memory, one lock, nothing copied that was appended as a batch.

An append or a poll of a batch costs a few microseconds; both are independent of how much the topic holds.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.brokers.contract import Output, Retention
from velostream_nb.brokers.log import PartitionLog, record_sets
from velostream_nb.brokers.payload import payload_rows
from velostream_nb.brokers.segment import Part
from velostream_nb.brokers.staging import Append, Claims, EmbeddedTransaction, Staged
from velostream_nb.brokers.topic import Topic, by_partition, check_output, check_topic_name
from velostream_nb.core.clock import Clock, SystemClock
from velostream_nb.core.errors import BrokerError, UnknownTopicError, did_you_mean
from velostream_nb.core.model import TopicInfo
from velostream_nb.core.records import Payload, RecordSet
from velostream_nb.core.schema import StreamSchema


class EmbeddedBroker:
    """Topics in memory. See `brokers.contract.Broker` for what each method promises.

    Args:
        clock: gives records without a timestamp theirs.
        retention: of topics created without one of their own.
    """

    def __init__(self, clock: Clock | None = None, *, retention: Retention | None = None) -> None:
        self._clock = clock or SystemClock()
        self._retention = retention or Retention()
        self._topics: dict[str, Topic] = {}
        self._changed = threading.Condition(threading.Lock())
        self._version = 0
        self._closed = False
        self._claims = Claims()

    def create_topic(
        self, name: str, *, partitions: int = 1, retention: Retention | None = None, schema: StreamSchema | None = None
    ) -> None:
        check_topic_name(name)
        if partitions < 1:
            raise BrokerError(f"topic {name!r} needs at least one partition, got {partitions}")
        with self._changed:
            self._check_open()
            known = self._topics.get(name)
            if known is None:
                self._add_topic(name, partitions, retention, schema)
                return
            if len(known.logs) != partitions:
                raise BrokerError(
                    f"topic {name!r} exists with {len(known.logs)} partitions, not {partitions}",
                    hint="delete it first, or leave its partitions as they are",
                )
            if schema is not None:
                known.set_schema(schema)

    def delete_topic(self, name: str) -> None:
        with self._changed:
            self._find(name).deleted = True
            del self._topics[name]
            self._wake()

    def topics(self) -> list[TopicInfo]:
        with self._changed:
            self._check_open()
            return [self._topics[name].info() for name in sorted(self._topics)]

    def names(self) -> list[str]:
        with self._changed:
            self._check_open()
            return sorted(self._topics)

    def topic(self, name: str) -> TopicInfo:
        with self._changed:
            return self._find(name).info()

    def exists(self, name: str) -> bool:
        with self._changed:
            return name in self._topics

    def partitions(self, name: str) -> int:
        with self._changed:
            return len(self._find(name).logs)

    def schema(self, name: str) -> StreamSchema | None:
        with self._changed:
            return self._find(name).schema

    def set_schema(self, name: str, schema: StreamSchema) -> None:
        with self._changed:
            self._find(name).set_schema(schema)

    def produce(
        self,
        topic: str,
        payload: Payload,
        *,
        partition: int | None = None,
        keys: pa.BinaryArray | None = None,
        timestamps_ms: npt.NDArray[np.int64] | None = None,
    ) -> int:
        self._append([(Output(topic, payload, keys, timestamps_ms), partition)])
        return payload_rows(payload)

    def publish(self, outputs: Sequence[Output]) -> None:
        self._append([(output, None) for output in outputs])

    def transaction(self, topics: Collection[str]) -> EmbeddedTransaction:
        for name in topics:
            check_topic_name(name)
        begun = EmbeddedTransaction(self, topics)
        with self._changed:
            self._check_open()
            owners = self._claims.owners
            if any(name in owners and owners[name].thread == begun.thread for name in topics):
                raise BrokerError("this thread has a transaction open on the topic", hint="commit or abort it first")
            self._changed.wait_for(lambda: self._closed or self._claims.owners.keys().isdisjoint(topics))
            self._check_open()
            self._claims.owners.update(dict.fromkeys(topics, begun))
        return begun

    def ends(self, topics: Collection[str]) -> dict[str, dict[int, int]]:
        with self._changed:
            return {name: self._find(name).ends() for name in topics}

    def reader(self, topic: str, start: str | Mapping[int, int] = "earliest") -> EmbeddedReader:
        with self._changed:
            found = self._find(topic)
            return EmbeddedReader(self, found, found.start_offsets(start))

    def read_range(self, wanted: Mapping[str, int | None], limit: int) -> dict[str, tuple[list[RecordSet], int, int]]:
        with self._changed:
            self._check_open()
            cuts = {name: self._newest(name, after, limit) for name, after in wanted.items()}
        answer = {}
        for name, (parts, end, skipped) in cuts.items():
            sets = [piece for number, run in parts for piece in record_sets(name, number, run)]
            answer[name] = (sets, end, skipped)
        return answer

    def version(self) -> int:
        with self._changed:
            return self._version

    def wake(self) -> None:
        with self._changed:
            self._wake()

    def wait(self, version: int, timeout: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._version != version or self._closed, timeout)
            return self._version != version

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._topics.clear()
            self._changed.notify_all()

    def _check_open(self) -> None:
        if self._closed:
            raise BrokerError("the broker is closed", hint="open a new session")

    def _find(self, name: str) -> Topic:
        self._check_open()
        topic = self._topics.get(name)
        if topic is None:
            raise UnknownTopicError(f"unknown topic {name!r}", hint=did_you_mean(name, self._topics))
        return topic

    def _add_topic(self, name: str, partitions: int, retention: Retention | None, schema: StreamSchema | None) -> Topic:
        logs = [PartitionLog(retention or self._retention) for _ in range(partitions)]
        topic = self._topics[name] = Topic(name, logs)
        if schema is not None:
            topic.set_schema(schema)
        return topic

    def _wake(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def now_ms(self) -> int:
        """The timestamp that a record without one gets now."""
        return self._clock.now_us() // 1_000

    def _append(self, outputs: Sequence[tuple[Output, int | None]]) -> None:
        """Check everything, then append everything under one hold of the lock: all outputs or none."""
        append = Append(tuple(outputs), self.now_ms())
        with self._changed:
            self._check(append)
            if not self._claims.holds(append) and self._apply(append):
                self._wake()

    def _stage(self, outputs: Sequence[Output]) -> list[Staged]:
        """Check and cut a transaction's outputs; missing topics are made."""
        with self._changed:
            self._check(Append(tuple((output, None) for output in outputs), 0))
            staged = []
            for output in outputs:
                topic = self._topics.get(output.topic) or self._add_topic(output.topic, 1, None, None)
                staged.append(Staged(output, topic, by_partition(output, None, len(topic.logs))))
            return staged

    def _commit(self, transaction: EmbeddedTransaction, outputs: Sequence[Output]) -> None:
        """What is staged and `outputs`, under one hold of the lock."""
        rest = Append(tuple((output, None) for output in outputs), self.now_ms())
        with self._changed:
            self._check(rest)
            grown = transaction.apply(self._apply)
            if self._apply(rest) or grown:
                self._wake()

    def _release(self, transaction: EmbeddedTransaction) -> None:
        with self._changed:
            if self._closed:
                return
            grown = [self._apply(append) for append in self._claims.release(transaction)]
            if any(grown):
                self._wake()
            self._changed.notify_all()  # somebody may wait to begin a transaction

    def _check(self, append: Append) -> None:
        """BrokerError unless all of it can be appended."""
        self._check_open()
        for output, partition in append.outputs:
            check_output(output)
            topic = self._topics.get(output.topic)
            count = len(topic.logs) if topic else 1
            if partition is not None and not 0 <= partition < count:
                raise BrokerError(f"topic {output.topic!r} has partitions 0 to {count - 1}, not {partition}")

    def _apply(self, append: Append) -> bool:
        """Append what was checked, making topics that are missing; whether there was any record."""
        grown = False
        for output, partition in append.outputs:
            topic = self._topics.get(output.topic) or self._add_topic(output.topic, 1, None, None)
            for number, piece in by_partition(output, partition, len(topic.logs)):
                # while it waited, the topic may have been made anew with fewer partitions
                grown |= topic.append(min(number, len(topic.logs) - 1), piece, append.now_ms)
        return grown

    def _newest(self, name: str, after: int | None, limit: int) -> tuple[list[tuple[int, list[Part]]], int, int]:
        """Parts per partition of the newest `limit` records after a position, the end, and how many were skipped."""
        topic = self._topics.get(name)
        if topic is None:
            return [], 0, 0
        if after is not None and after > topic.appended:
            after = None  # the topic was deleted and made anew since the caller's last look
        first = max(after or 0, topic.appended - max(limit, 0))
        parts = [(number, log.parts_after(first)) for number, log in enumerate(topic.logs)]
        found = sum(part.rows for _, run in parts for part in run)
        return parts, topic.appended, 0 if after is None else topic.appended - after - found

    def _poll(self, reader: EmbeddedReader, max_rows: int, until: Mapping[int, int]) -> dict[int, list[Part]]:
        """Parts per partition from the reader's positions, which are moved on; notes what it can no longer get."""
        taken: dict[int, list[Part]] = {}
        positions, topic = reader.standing, reader.source
        with self._changed:
            self._check_readable(topic)
            for step in range(len(topic.logs)):
                number = (reader.first + step) % len(topic.logs)
                log = topic.logs[number]
                reader.note_lost(number, log)
                waiting = min(log.next_offset, until.get(number, log.next_offset)) - positions[number]
                if max_rows > 0 and waiting > 0:
                    taken[number] = log.parts_from(positions[number], max_rows, positions[number] + waiting)
                    max_rows -= sum(part.rows for part in taken[number])
                    end = taken[number][-1].end if taken[number] else positions[number]
                    positions[number] = end if max_rows <= 0 else positions[number] + waiting
        return taken

    def _lag(self, topic: Topic, positions: Mapping[int, int]) -> int:
        with self._changed:
            self._check_readable(topic)
            # a reader that took records of an open transaction stands past the end
            return sum(max(0, log.next_offset - max(positions[n], log.earliest)) for n, log in enumerate(topic.logs))

    def _check_readable(self, topic: Topic) -> None:
        self._check_open()
        if topic.deleted:
            raise UnknownTopicError(f"topic {topic.name!r} was deleted while it was read")


class EmbeddedReader:
    """Reads one topic of an `EmbeddedBroker`; partitions take turns in being read first.

    Attributes:
        standing: next offset to read, per partition.
        first: the partition whose turn it is.
    """

    def __init__(self, broker: EmbeddedBroker, topic: Topic, positions: dict[int, int]) -> None:
        self.topic = topic.name
        self.source = topic
        self.standing = positions
        self.first = 0
        self._broker = broker
        self._skipped = 0
        # one that begins with the oldest record has seen nothing that compaction could take back
        self._cleaned = {p: log.cleaned if positions[p] <= log.earliest else 0 for p, log in enumerate(topic.logs)}

    def poll(self, max_rows: int, until: Mapping[int, int] | None = None) -> list[RecordSet]:
        taken = self._broker._poll(self, max_rows, until or {})
        self.first = (self.first + 1) % len(self.standing)
        return [piece for number, parts in taken.items() for piece in record_sets(self.topic, number, parts)]

    def note_lost(self, number: int, log: PartitionLog) -> None:
        """Count what retention has taken before it was read, and move on to what is left."""
        standing = self.standing[number]
        if not log.is_compacted:
            self._skipped += max(0, log.earliest - standing)
        elif self._cleaned[number] < log.cleaned:
            self._skipped += max(0, log.removed(standing, log.cleaned))
        self.standing[number] = max(standing, log.earliest)
        self._cleaned[number] = log.cleaned

    def take(self, records: Sequence[RecordSet]) -> bool:
        positions = dict(self.standing)
        for run in records:
            if run.topic != self.topic or positions[run.partition] != run.offsets[0]:
                return False
            positions[run.partition] = int(run.offsets[-1]) + 1
        self.standing = positions
        return True

    def positions(self) -> dict[int, int]:
        return dict(self.standing)

    def lag_rows(self) -> int:
        return self._broker._lag(self.source, self.standing)

    @property
    def skipped(self) -> int:
        return self._skipped

    @property
    def ended(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held; reading on after it is harmless."""
