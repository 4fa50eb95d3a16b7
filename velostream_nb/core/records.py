"""Records as brokers, codecs and the engine pass them: always batches, never single rows.

Hidden columns travel beside the user's columns through the engine. Their names start with two
underscores; user columns of those names are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.vectors import integers_in

TS = "__ts"
"""Hidden column: event time, int64 microseconds since the epoch, never NULL."""
POS = "__pos"
"""Hidden column: packed (partition, offset), int64; breaks ties in event time (see `pack_position`)."""
OP = "__op"
"""Hidden column of changelogs outside the engine: 'upsert', 'insert' or 'delete'; absent from append-only streams.

A changelog with a key has 'upsert' (the key's new row) and 'delete' (the key has none any more). One without a key is
a bag of rows: 'insert' adds a row to it, 'delete' takes an equal one out."""
WEIGHT = "__w"
"""Hidden column of changelogs inside the engine: int64, how many equal rows come (positive) or go (negative)."""

HIDDEN = (TS, POS, OP, WEIGHT)


def op_name(names: Sequence[str]) -> str:
    """What `OP` is called where people see it beside columns of these names: ``op``, or ``_op``, … if that is taken."""
    name = "op"
    while name in names:
        name = f"{name}_" if name.startswith("_") else f"_{name}"
    return name


FAULT = "__fault"
"""Hidden column of typed payloads whose reader met records that are no rows (a line over the limit, a CSV row with too
many cells): why, in words; NULL for good rows. The codec rejects the others with `RAW` as their bytes."""

RAW = "__raw"
"""Hidden column beside `FAULT`: the bytes of such a record, perhaps cut short."""

TEXT_CELLS = b"velo.cells"
"""Schema metadata key of typed payloads whose columns are text only because their format has no types (CSV)."""

_OFFSET_BITS = 48


def pack_position(partition: int, offset: int) -> int:
    """(partition, offset) as one int64 that sorts like the pair; offsets are below 2^48, partitions below 2^15."""
    return (partition << _OFFSET_BITS) | offset


def unpack_position(position: int) -> tuple[int, int]:
    """The inverse of `pack_position`."""
    return position >> _OFFSET_BITS, position & ((1 << _OFFSET_BITS) - 1)


@dataclass(frozen=True, slots=True)
class Lines:
    """Undecoded records as one buffer: one record a line, separated by newlines (the last one may lack it).

    The form in which JSON-lines files are read, so that a codec can decode a whole block at once. No record
    contains a raw newline; blank lines are not records and do not occur.
    """

    data: bytes
    rows: int


Payload: TypeAlias = pa.RecordBatch | pa.BinaryArray | Lines
"""What a `RecordSet` holds: typed rows; or raw values, one a record (None: tombstone); or raw lines."""


@dataclass(frozen=True, slots=True)
class RecordSet:
    """A run of records of one partition, in log order.

    Attributes:
        offsets: int64, ascending, one a record; gaps are allowed (Kafka's transaction markers).
        timestamps_ms: int64, one a record: the broker's own timestamps, epoch milliseconds.
        keys: binary, one a record, or None when no record has one.
    """

    topic: str
    partition: int
    offsets: npt.NDArray[np.int64]
    timestamps_ms: npt.NDArray[np.int64]
    payload: Payload
    keys: pa.BinaryArray | None = None

    @property
    def rows(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record that could not be decoded or computed, on its way to ``<job>.dlq``.

    Attributes:
        reason: what is wrong, in words ("expected a number at price, got 'abc'").
        path: the field at fault, '' when it is the whole record.
        raw: the record as it was read; typed rows are re-encoded as JSON.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    path: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """How the rows of a batch of one partition stand in event time; there is one at least.

    Attributes:
        first_us, newest_us: of the first row, and of the latest.
        rising: no row is before the one it follows.
    """

    partition: int
    first_us: int
    newest_us: int
    rising: bool

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Span:
        times, positions = (integers_in(batch.column(name)) for name in (TS, POS))
        rising = bool((times[1:] >= times[:-1]).all())
        newest_us = times[-1] if rising else times.max()
        return cls(unpack_position(int(positions[0]))[0], int(times[0]), int(newest_us), rising)


@dataclass(frozen=True, slots=True)
class Decoded:
    """The outcome of decoding one `RecordSet`.

    Attributes:
        batch: the user's columns, in the schema's order, then `TS` and `POS`; rows in log order.
        rejected: records that did not decode; they are not in `batch`.
        widen: of an inferred schema, the type that each of these paths needs to hold its numbers; the records with
            such numbers are among the rejected ones. Empty but for the one moment when a field changes its kind.
        span: known where several read the same rows; see `times`.
    """

    batch: pa.RecordBatch
    rejected: Sequence[Rejected] = field(default=())
    widen: Mapping[str, pa.DataType] = field(default_factory=dict)
    span: Span | None = None

    @property
    def times(self) -> Span | None:
        """How the rows stand in event time; None when there are none."""
        return self.span if self.span is not None else Span.of(self.batch) if self.batch.num_rows else None


def no_rows(schema: pa.Schema) -> pa.Table:
    """An empty table. `Schema.empty_table` makes an array for each column, at 30 µs each; this makes none."""
    return pa.Table.from_batches([], schema=schema)
