"""The broker of a run over files: sources are files, outputs go to sinks, memory holds what passes between jobs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from velostream_nb.brokers.contract import Output, Reader, Retention, Transaction
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.brokers.files import FilesBroker
from velostream_nb.brokers.payload import concat_payloads, joinable, payload_rows
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import ConfigError, VeloError
from velostream_nb.core.records import Payload, RecordSet
from velostream_nb.jobs.crew import Cost, Task
from velostream_nb.sinks.files import FileSink

WRITE_ROWS = 8_192
"""So many rows of a sink wait to be written together: a few cost about as much as a thousand."""
BETWEEN_ROWS = 1_000_000
"""Records kept of a topic by which one job feeds another; backpressure keeps readers far closer than that."""


class RunBroker(FilesBroker):
    """Files to read, sinks to write, and memory for what passes from one job to another.

    Args:
        behind: somebody else does the `chores`; else they are done when rows are published.

    Attributes:
        wanted: by source topic, the columns that are read.
        between: topics that a job writes and another one reads.
        sinks: by topic.
        dropped: topics that had rows nobody wanted.
    """

    def __init__(self, files: Mapping[str, str | Path], clock: Clock, *, behind: bool = False) -> None:
        self._behind = behind
        self._waiting: dict[str, list[Payload]] = {}
        self._waiting_rows: dict[str, int] = {}
        self._costs: dict[str, Cost] = {}
        self._failed: VeloError | None = None
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
        """Take what has a sink, to be written now or later; raises what went wrong with rows before."""
        for output in outputs:
            if output.topic in self.sinks:
                self._waiting.setdefault(output.topic, []).append(output.payload)
                rows = self._waiting_rows.get(output.topic, 0) + payload_rows(output.payload)
                self._waiting_rows[output.topic] = rows
            elif output.topic not in self.between:
                self.dropped.add(output.topic)
        if not self._behind:
            for chore in self.chores():
                chore.do()
        self._tell()

    def chores(self) -> list[Task]:
        """The writing that is worth it, one task a sink; jobs may work meanwhile."""
        return [
            Task(partial(self._write, topic), rows, self._costs.setdefault(topic, Cost()))
            for topic, rows in self._waiting_rows.items()
            if rows >= WRITE_ROWS
        ]

    def write_all(self) -> None:
        """Write what is left; ConfigError when a file cannot be written, now or before."""
        for topic in list(self._waiting):
            self._write(topic)
        self._tell()

    def _tell(self) -> None:
        if self._failed is not None:
            raise self._failed

    def _write(self, topic: str) -> None:
        payloads, self._waiting[topic] = self._waiting.get(topic, []), []
        self._waiting_rows[topic] = 0
        sink = self.sinks[topic]
        try:
            for payload in coalesced(payloads):
                sink.write(payload)
        except VeloError as error:
            self._failed = error
        except Exception as error:  # noqa: BLE001 (whatever the file system or a writer raises: who publishes is told)
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            self._failed = ConfigError(f"cannot write {sink.path}: {reason}")
            self._failed.__cause__ = error


def coalesced(payloads: Sequence[Payload]) -> list[Payload]:
    """The same rows, neighbours of one form and schema as one."""
    runs: list[list[Payload]] = []
    for payload in payloads:
        if runs and joinable(runs[-1][-1], payload):
            runs[-1].append(payload)
        else:
            runs.append([payload])
    return [concat_payloads(run) for run in runs]


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
