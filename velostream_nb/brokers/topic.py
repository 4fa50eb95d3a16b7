"""A topic in memory: its logs, and outputs checked, cut by partition and appended to them.

Nothing here is safe for threads by itself: the embedded broker holds its lock around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from velostream_nb.brokers.contract import Output
from velostream_nb.brokers.log import PartitionLog
from velostream_nb.brokers.payload import partition_of, payload_bytes, payload_rows, slice_payload, take_payload
from velostream_nb.brokers.segment import Segment
from velostream_nb.core.errors import BrokerError
from velostream_nb.core.model import TopicInfo
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import column_types
from velostream_nb.core.vectors import vector

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

    def set_schema(self, schema: StreamSchema) -> None:
        """Remember how its records are to be read; retention goes by it."""
        self.schema = schema
        for log in self.logs:
            log.changelog = "single" if schema.changelog == "upsert" and not schema.key else schema.changelog

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

    def ends(self) -> dict[int, int]:
        """The next offset of each partition."""
        return {number: log.next_offset for number, log in enumerate(self.logs)}

    def start_offsets(self, start: str | Mapping[int, int]) -> dict[int, int]:
        """Where reading begins, per partition; BrokerError for a start that there is not."""
        if start == "earliest":
            return {number: log.earliest for number, log in enumerate(self.logs)}
        if start == "latest":
            return self.ends()
        if isinstance(start, str):
            raise BrokerError(
                f"cannot start reading at {start!r}", hint="'earliest', 'latest', or offsets by partition"
            )
        offsets = {number: start.get(number, log.earliest) for number, log in enumerate(self.logs)}
        for number, offset in offsets.items():
            if not 0 <= offset <= (end := self.logs[number].next_offset):
                raise BrokerError(f"offset {offset} of {self.name!r} partition {number} is not within 0 to {end}")
        return offsets

    def append(self, number: int, piece: Output, now_ms: int) -> bool:
        """Append to one partition; False when there is no record in it."""
        rows = payload_rows(piece.payload)
        if rows == 0:
            return False
        log = self.logs[number]
        times = now_ms if piece.timestamps_ms is None else np.asarray(piece.timestamps_ms, np.int64)
        size = payload_bytes(piece.payload)
        log.append(Segment(log.next_offset, self.appended, rows, size, piece.payload, piece.keys, times))
        self.appended += rows
        return True


def check_output(output: Output) -> None:
    """BrokerError unless it can be appended: a topic's name, a payload, as many keys and timestamps as records."""
    check_topic_name(output.topic)
    rows = payload_rows(output.payload)
    for what, given in (("keys", output.keys), ("timestamps", output.timestamps_ms)):
        if given is not None and len(given) != rows:
            raise BrokerError(f"{len(given)} {what} for {rows} records of topic {output.topic!r}")
    if output.keys is not None and not isinstance(output.keys, pa.BinaryArray):
        raise BrokerError(f"keys must be a BinaryArray, got {type(output.keys).__name__}")


def by_partition(output: Output, partition: int | None, partitions: int) -> list[tuple[int, Output]]:
    """The output in pieces, one a partition, records in order; without `partition` by hash of key, else partition 0."""
    if partition is not None or output.keys is None or partitions == 1 or len(output.keys) == 0:
        return [(partition or 0, output)]
    of_row = partition_of(output.keys, partitions)
    order = np.argsort(of_row, kind="stable")
    payload, keys = take_payload(output.payload, order), output.keys.take(vector(order))
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
