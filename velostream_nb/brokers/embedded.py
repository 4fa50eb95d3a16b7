"""The broker in this process: topics in memory, one lock, nothing copied that was appended as a batch.

An append or a poll of a batch costs a few microseconds; both are independent of how much the topic holds.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.brokers.contract import Output, Retention
from velostream_nb.brokers.log import Part, PartitionLog, Segment, record_sets
from velostream_nb.brokers.payload import partition_of, payload_bytes, payload_rows, slice_payload, take_payload
from velostream_nb.core.clock import Clock, SystemClock
from velostream_nb.core.errors import BrokerError, UnknownTopicError, did_you_mean
from velostream_nb.core.model import TopicInfo
from velostream_nb.core.records import Payload, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import column_types

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")


def check_topic_name(name: str) -> None:
    """BrokerError unless the name follows Kafka's rule."""
    if not _TOPIC_NAME.match(name) or name in (".", ".."):
        raise BrokerError(
            f"{name!r} cannot name a topic", hint="use 1 to 249 letters, digits, dots, underscores or hyphens"
        )


@dataclass(slots=True)
class Topic:
    """A topic's logs; `appended` counts records ever appended over its partitions."""

    name: str
    logs: list[PartitionLog]
    schema: StreamSchema | None = None
    appended: int = 0
    deleted: bool = False

    def info(self) -> TopicInfo:
        """One look at it."""
        return TopicInfo(
            name=self.name,
            partitions=len(self.logs),
            rows=sum(log.rows for log in self.logs),
            earliest=sum(log.earliest for log in self.logs),
            latest=sum(log.next_offset for log in self.logs),
            bytes=sum(log.bytes for log in self.logs),
            columns=column_types(self.schema.columns) if self.schema else {},
            key=self.schema.key if self.schema else (),
        )


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
            known.schema = schema or known.schema

    def delete_topic(self, name: str) -> None:
        with self._changed:
            self._find(name).deleted = True
            del self._topics[name]
            self._wake()

    def topics(self) -> list[TopicInfo]:
        with self._changed:
            self._check_open()
            return [self._topics[name].info() for name in sorted(self._topics)]

    def topic(self, name: str) -> TopicInfo:
        with self._changed:
            return self._find(name).info()

    def exists(self, name: str) -> bool:
        with self._changed:
            return name in self._topics

    def schema(self, name: str) -> StreamSchema | None:
        with self._changed:
            return self._find(name).schema

    def set_schema(self, name: str, schema: StreamSchema) -> None:
        with self._changed:
            self._find(name).schema = schema

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

    def reader(self, topic: str, start: str | Mapping[int, int] = "earliest") -> EmbeddedReader:
        with self._changed:
            found = self._find(topic)
            return EmbeddedReader(self, found, _start_offsets(found, start))

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
        topic = self._topics[name] = Topic(name, logs, schema)
        return topic

    def _wake(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _append(self, outputs: Sequence[tuple[Output, int | None]]) -> None:
        """Check everything, then append everything under one hold of the lock: all outputs or none."""
        for output, _ in outputs:
            _check_output(output)
        now_ms = self._clock.now_us() // 1_000
        with self._changed:
            self._check_open()
            partitions = {output.topic: self._partitions_of(output.topic, number) for output, number in outputs}
            cut = [
                (output.topic, _by_partition(output, number, partitions[output.topic])) for output, number in outputs
            ]
            grown = False
            for name, pieces in cut:
                topic = self._topics.get(name) or self._add_topic(name, 1, None, None)
                for number, piece in pieces:
                    grown |= _append_piece(topic, topic.logs[number], piece, now_ms)
            if grown:
                self._wake()

    def _partitions_of(self, name: str, partition: int | None) -> int:
        """How many partitions the topic has or will have; BrokerError when `partition` is none of them."""
        topic = self._topics.get(name)
        count = len(topic.logs) if topic else 1
        if partition is not None and not 0 <= partition < count:
            raise BrokerError(f"topic {name!r} has partitions 0 to {count - 1}, not {partition}")
        return count

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

    def _poll(
        self, topic: Topic, positions: dict[int, int], first: int, max_rows: int
    ) -> tuple[dict[int, list[Part]], int]:
        """Parts per partition from `positions`, which are moved on; and how many records retention took meanwhile."""
        taken: dict[int, list[Part]] = {}
        skipped = 0
        with self._changed:
            self._check_readable(topic)
            for step in range(len(topic.logs)):
                number = (first + step) % len(topic.logs)
                log = topic.logs[number]
                if positions[number] < log.earliest:
                    skipped += log.earliest - positions[number]
                    positions[number] = log.earliest
                if max_rows > 0 and positions[number] < log.next_offset:
                    taken[number] = log.parts_from(positions[number], max_rows)
                    rows = sum(part.rows for part in taken[number])
                    positions[number] += rows
                    max_rows -= rows
        return taken, skipped

    def _lag(self, topic: Topic, positions: Mapping[int, int]) -> int:
        with self._changed:
            self._check_readable(topic)
            return sum(log.next_offset - max(positions[n], log.earliest) for n, log in enumerate(topic.logs))

    def _check_readable(self, topic: Topic) -> None:
        self._check_open()
        if topic.deleted:
            raise UnknownTopicError(f"topic {topic.name!r} was deleted while it was read")


class EmbeddedReader:
    """Reads one topic of an `EmbeddedBroker`; partitions take turns in being read first."""

    def __init__(self, broker: EmbeddedBroker, topic: Topic, positions: dict[int, int]) -> None:
        self.topic = topic.name
        self._broker = broker
        self._source = topic
        self._positions = positions
        self._skipped = 0
        self._first = 0

    def poll(self, max_rows: int) -> list[RecordSet]:
        taken, skipped = self._broker._poll(self._source, self._positions, self._first, max_rows)
        self._skipped += skipped
        self._first = (self._first + 1) % len(self._positions)
        return [piece for number, parts in taken.items() for piece in record_sets(self.topic, number, parts)]

    def positions(self) -> dict[int, int]:
        return dict(self._positions)

    def lag_rows(self) -> int:
        return self._broker._lag(self._source, self._positions)

    @property
    def skipped(self) -> int:
        return self._skipped

    @property
    def ended(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is held; reading on after it is harmless."""


def _start_offsets(topic: Topic, start: str | Mapping[int, int]) -> dict[int, int]:
    if start == "earliest":
        return {number: log.earliest for number, log in enumerate(topic.logs)}
    if start == "latest":
        return {number: log.next_offset for number, log in enumerate(topic.logs)}
    if isinstance(start, str):
        raise BrokerError(f"cannot start reading at {start!r}", hint="'earliest', 'latest', or offsets by partition")
    offsets = {number: start.get(number, log.earliest) for number, log in enumerate(topic.logs)}
    for number, offset in offsets.items():
        if not 0 <= offset <= (end := topic.logs[number].next_offset):
            raise BrokerError(f"offset {offset} of {topic.name!r} partition {number} is not within 0 to {end}")
    return offsets


def _check_output(output: Output) -> None:
    check_topic_name(output.topic)
    rows = payload_rows(output.payload)
    for what, given in (("keys", output.keys), ("timestamps", output.timestamps_ms)):
        if given is not None and len(given) != rows:
            raise BrokerError(f"{len(given)} {what} for {rows} records of topic {output.topic!r}")
    if output.keys is not None and not isinstance(output.keys, pa.BinaryArray):
        raise BrokerError(f"keys must be a BinaryArray, got {type(output.keys).__name__}")


def _by_partition(output: Output, partition: int | None, partitions: int) -> list[tuple[int, Output]]:
    if partition is not None or output.keys is None or partitions == 1 or len(output.keys) == 0:
        return [(partition or 0, output)]
    of_row = partition_of(output.keys, partitions)
    order = np.argsort(of_row, kind="stable")
    payload, keys = take_payload(output.payload, order), output.keys.take(pa.array(order))
    times = None if output.timestamps_ms is None else output.timestamps_ms[order]
    pieces, start = [], 0
    for number, rows in enumerate(np.bincount(of_row, minlength=partitions).tolist()):
        run = slice(start, start := start + rows)
        cut = (
            slice_payload(payload, run.start, rows),
            keys.slice(run.start, rows),
            None if times is None else times[run],
        )
        if rows:
            pieces.append((number, Output(output.topic, *cut)))
    return pieces


def _append_piece(topic: Topic, log: PartitionLog, piece: Output, now_ms: int) -> bool:
    """Append it; False when it holds no record."""
    rows = payload_rows(piece.payload)
    if rows == 0:
        return False
    times = now_ms if piece.timestamps_ms is None else np.asarray(piece.timestamps_ms, np.int64)
    size = payload_bytes(piece.payload)
    log.append(Segment(log.next_offset, topic.appended, rows, size, piece.payload, piece.keys, times))
    topic.appended += rows
    return True
