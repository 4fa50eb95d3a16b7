"""Files as topics, over a broker for everything else: what `velo run` and backtests read from and write to."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.brokers.contract import Broker, Output, Reader, Retention, Transaction
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.brokers.file_format import file_format, require_file
from velostream_nb.brokers.file_reader import FileReader, count_records
from velostream_nb.brokers.text_blocks import BLOCK_BYTES, MAX_RECORD_BYTES
from velostream_nb.brokers.topic import check_topic_name
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import BrokerError, UnknownTopicError, did_you_mean
from velostream_nb.core.model import TopicInfo
from velostream_nb.core.records import Payload, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import column_types


class FilesBroker:
    """Topics that are files: bounded, of one partition, read-only. All other topics live in `inner`.

    Writing to a file topic is a BrokerError; outputs become files through `sinks.files.FileSink`. Deleting a file
    topic forgets it and leaves the file alone. See `brokers.contract.Broker` for what each method promises.

    Args:
        files: path by topic name.
        inner: where topics that are no files live; a new `EmbeddedBroker` by default, closed with this one.
        block_bytes, max_record_bytes: see `FileReader`.

    Raises:
        BrokerError: a file is missing (with near names) or unreadable, or a name cannot name a topic.
        ConfigError: a file's ending is unknown.
    """

    def __init__(
        self,
        files: Mapping[str, str | Path],
        *,
        inner: Broker | None = None,
        clock: Clock | None = None,
        block_bytes: int = BLOCK_BYTES,
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self._files = {name: Path(path) for name, path in files.items()}
        for name, path in self._files.items():
            check_topic_name(name)
            file_format(path)
            require_file(path)
        self._inner: Broker = inner or EmbeddedBroker(clock)
        self._block_bytes = block_bytes
        self._max_record_bytes = max_record_bytes
        self._schemas: dict[str, StreamSchema] = {}
        self._counts: dict[str, tuple[tuple[int, int], int]] = {}
        self._readers: list[FileReader] = []
        self._lock = threading.Lock()

    def create_topic(
        self, name: str, *, partitions: int = 1, retention: Retention | None = None, schema: StreamSchema | None = None
    ) -> None:
        if name not in self._files:
            self._inner.create_topic(name, partitions=partitions, retention=retention, schema=schema)
            return
        if partitions != 1:
            raise BrokerError(f"topic {name!r} is the file {self._files[name]}: it has 1 partition, not {partitions}")
        if schema is not None:
            self._schemas[name] = schema

    def delete_topic(self, name: str) -> None:
        if self._files.pop(name, None) is None:
            self._inner.delete_topic(name)
        self._schemas.pop(name, None)

    def topics(self) -> list[TopicInfo]:
        infos = [*self._inner.topics(), *(self._info(name) for name in list(self._files))]
        return sorted(infos, key=lambda info: info.name)

    def names(self) -> list[str]:
        return sorted([*self._inner.names(), *self._files])

    def topic(self, name: str) -> TopicInfo:
        if name in self._files:
            return self._info(name)
        self._require(name)
        return self._inner.topic(name)

    def exists(self, name: str) -> bool:
        return name in self._files or self._inner.exists(name)

    def partitions(self, name: str) -> int:
        return 1 if name in self._files else self._inner.partitions(name)

    def schema(self, name: str) -> StreamSchema | None:
        if name in self._files:
            return self._schemas.get(name)
        self._require(name)
        return self._inner.schema(name)

    def set_schema(self, name: str, schema: StreamSchema) -> None:
        if name in self._files:
            self._schemas[name] = schema
        else:
            self._inner.set_schema(name, schema)

    def produce(
        self,
        topic: str,
        payload: Payload,
        *,
        partition: int | None = None,
        keys: pa.BinaryArray | None = None,
        timestamps_ms: npt.NDArray[np.int64] | None = None,
    ) -> int:
        self._refuse_file(topic)
        return self._inner.produce(topic, payload, partition=partition, keys=keys, timestamps_ms=timestamps_ms)

    def publish(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self._refuse_file(output.topic)
        self._inner.publish(outputs)

    def transaction(self, topics: Collection[str]) -> Transaction:
        # a file among them is refused when something is appended to it
        return self._inner.transaction([topic for topic in topics if topic not in self._files])

    def ends(self, topics: Collection[str]) -> dict[str, dict[int, int]]:
        for topic in topics:
            self._require(topic)
        files = {topic: {0: self._count(topic)} for topic in topics if topic in self._files}
        return files | self._inner.ends([topic for topic in topics if topic not in files])

    def reader(
        self, topic: str, start: str | Mapping[int, int] = "earliest", *, columns: Sequence[str] | None = None
    ) -> Reader:
        """As the contract says; `columns` limits what is read of a CSV or Parquet file."""
        if topic not in self._files:
            self._require(topic)
            return self._inner.reader(topic, start)
        reader = self._open(topic, self._first_offset(topic, start), columns)
        with self._lock:
            self._readers = [known for known in self._readers if not known.closed] + [reader]
        return reader

    def read_range(self, wanted: Mapping[str, int | None], limit: int) -> dict[str, tuple[list[RecordSet], int, int]]:
        others = {name: after for name, after in wanted.items() if name not in self._files}
        answer = self._inner.read_range(others, limit)
        for name in wanted.keys() - others.keys():
            answer[name] = self._newest(name, wanted[name], limit)
        return answer

    def version(self) -> int:
        return self._inner.version()

    def wake(self) -> None:
        self._inner.wake()

    def wait(self, version: int, timeout: float) -> bool:
        return self._inner.wait(version, timeout)

    def close(self) -> None:
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._readers.clear()
        self._inner.close()

    def _require(self, name: str) -> None:
        if not self.exists(name):
            raise UnknownTopicError(f"unknown topic {name!r}", hint=did_you_mean(name, self.names()))

    def _refuse_file(self, name: str) -> None:
        if (path := self._files.get(name)) is not None:
            raise BrokerError(
                f"topic {name!r} is the file {path}, which is only read", hint="write to another topic, or use --sink"
            )

    def _open(self, name: str, start: int, columns: Sequence[str] | None = None) -> FileReader:
        return FileReader(
            name,
            self._files[name],
            start=start,
            columns=columns,
            block_bytes=self._block_bytes,
            max_record_bytes=self._max_record_bytes,
        )

    def _first_offset(self, name: str, start: str | Mapping[int, int]) -> int:
        if start == "earliest":
            return 0
        if start == "latest":
            return self._count(name)
        if isinstance(start, str):
            raise BrokerError(
                f"cannot start reading at {start!r}", hint="'earliest', 'latest', or offsets by partition"
            )
        offset = start.get(0, 0)
        if offset < 0 or (offset > 0 and offset > self._count(name)):
            raise BrokerError(f"offset {offset} of {name!r} partition 0 is not within 0 to {self._count(name)}")
        return offset

    def _count(self, name: str) -> int:
        """Records of the file, counted once as long as it does not change."""
        stat = self._files[name].stat()
        state = (stat.st_size, stat.st_mtime_ns)
        known = self._counts.get(name)
        if known is None or known[0] != state:
            count = count_records(
                self._files[name], block_bytes=self._block_bytes, max_record_bytes=self._max_record_bytes
            )
            known = self._counts[name] = (state, count)
        return known[1]

    def _info(self, name: str) -> TopicInfo:
        schema = self._schemas.get(name)
        rows = self._count(name)
        return TopicInfo(
            name=name,
            partitions=1,
            rows=rows,
            earliest=0,
            latest=rows,
            bytes=self._files[name].stat().st_size,
            columns=column_types(schema.columns) if schema else {},
            key=schema.key if schema else (),
        )

    def _newest(self, name: str, after: int | None, limit: int) -> tuple[list[RecordSet], int, int]:
        total = self._count(name)
        if after is not None and after > total:
            after = None
        first = max(after or 0, total - max(limit, 0))
        reader = self._open(name, first)
        try:
            sets = reader.poll(total - first)
        finally:
            reader.close()
        return sets, total, 0 if after is None else first - after
