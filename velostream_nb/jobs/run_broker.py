"""The broker of a run over files: sources are files, outputs go to sinks, memory holds what passes between jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from velostream_nb.brokers.contract import Output, Reader, Retention, Transaction
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.brokers.files import FilesBroker
from velostream_nb.brokers.payload import payload_rows
from velostream_nb.core.clock import Clock
from velostream_nb.core.records import Payload, RecordSet
from velostream_nb.jobs.crew import Task
from velostream_nb.sinks.files import FileSink

WRITE_US = 1.0
"""About how long a row takes to be written."""
BETWEEN_ROWS = 1_000_000
"""Records kept of a topic by which one job feeds another; backpressure keeps readers far closer than that."""


class RunBroker(FilesBroker):
    """Files to read, sinks to write, and memory for what passes from one job to another.

    Attributes:
        wanted: by source topic, the columns that are read.
        between: topics that a job writes and another one reads.
        sinks: by topic.
        dropped: topics that had rows nobody wanted.
        behind: rows for sinks wait for somebody to do `chores`, or for the next rows while this is False.
    """

    def __init__(self, files: Mapping[str, str | Path], clock: Clock) -> None:
        self.behind = False
        self._waiting: dict[str, list[Payload]] = {}
        self._failed: Exception | None = None
        inner = EmbeddedBroker(clock, retention=Retention(rows=BETWEEN_ROWS, bytes=None))
        super().__init__(files, inner=inner)
        self.wanted: dict[str, set[str]] = {}
        self.between: set[str] = set()
        self.sinks: dict[str, FileSink] = {}
        self.dropped: set[str] = set()

    def reader(
        self, topic: str, start: str | Mapping[int, int] = "earliest", *, columns: Sequence[str] | None = None
    ) -> Reader:
        if columns is None and topic in self.wanted:
            columns = sorted(self.wanted[topic])
        return super().reader(topic, start, columns=columns)

    def publish(self, outputs: Sequence[Output]) -> None:
        self.sink(outputs)
        kept = self.kept(outputs)
        if kept:
            super().publish(kept)

    def transaction(self, topics: Collection[str]) -> Transaction:
        return _RunTransaction(self, super().transaction(topics))

    def kept(self, outputs: Sequence[Output]) -> list[Output]:
        """Those that another job reads."""
        return [output for output in outputs if output.topic in self.between]

    def sink(self, outputs: Sequence[Output]) -> None:
        """Write what has a sink, now or behind; raises what went wrong with the rows before."""
        for output in outputs:
            if output.topic in self.sinks:
                self._waiting.setdefault(output.topic, []).append(output.payload)
            elif output.topic not in self.between:
                self.dropped.add(output.topic)
        if self.behind:
            self._tell()
        else:
            self.write_all()

    def chores(self) -> list[Task]:
        """The writing that is left, one task a sink; jobs may work meanwhile."""
        return [
            Task(partial(self._write, topic), sum(map(payload_rows, payloads)) * WRITE_US)
            for topic, payloads in self._waiting.items()
            if payloads
        ]

    def write_all(self) -> None:
        """Do what is left now; raises what goes wrong, or has gone wrong before."""
        for topic in list(self._waiting):
            self._write(topic)
        self._tell()

    def _tell(self) -> None:
        """Raise, once, what went wrong; what still waits is void then, as its publish is."""
        failed, self._failed = self._failed, None
        if failed is not None:
            self._waiting.clear()
            raise failed

    def _write(self, topic: str) -> None:
        payloads, self._waiting[topic] = self._waiting.get(topic, []), []
        try:
            for payload in payloads:
                self.sinks[topic].write(payload)
        except Exception as error:  # noqa: BLE001 (it belongs to who publishes, and shows there)
            self._failed = error


class _RunTransaction:
    """A transaction over what passes between jobs; sinks get their rows when it is committed."""

    def __init__(self, broker: RunBroker, inner: Transaction) -> None:
        self._broker = broker
        self._inner = inner
        self._outputs: list[Output] = []

    def append(self, outputs: Sequence[Output]) -> list[RecordSet]:
        self._outputs += outputs
        return self._inner.append(self._broker.kept(outputs))

    def commit(self, outputs: Sequence[Output] = ()) -> None:
        self._broker.sink([*self._outputs, *outputs])
        self._inner.commit(self._broker.kept(outputs))

    def abort(self) -> None:
        self._inner.abort()
