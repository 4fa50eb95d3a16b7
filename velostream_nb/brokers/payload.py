"""Counting, cutting and joining payloads: the three forms in which a broker keeps a run of records."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.errors import BrokerError
from velostream_nb.core.records import Lines, Payload
from velostream_nb.core.vectors import integers_in, vector

NEWLINE = 0x0A


def payload_rows(payload: Payload) -> int:
    """How many records it holds; BrokerError for anything that is not a payload."""
    if isinstance(payload, pa.RecordBatch):
        return int(payload.num_rows)
    if isinstance(payload, pa.BinaryArray):
        return len(payload)
    if isinstance(payload, Lines):
        return payload.rows
    raise BrokerError(
        f"records must be a RecordBatch, a BinaryArray or Lines, got {type(payload).__name__}",
        hint="session.produce takes lists of dicts, pandas and Arrow tables as well",
    )


def payload_bytes(payload: Payload) -> int:
    """About how many bytes the records hold; of a slice of a bigger batch, its share."""
    if isinstance(payload, Lines):
        return len(payload.data)
    if isinstance(payload, pa.RecordBatch) and (held_rows := _held_rows(payload)):
        # `nbytes` says it to the byte and costs 2 µs a column
        return int(payload.get_total_buffer_size()) * int(payload.num_rows) // held_rows
    return int(payload.nbytes)


def _held_rows(batch: pa.RecordBatch) -> int:
    """How many rows the buffers of the batch hold, judged by its first column; 0 when that is hard to say."""
    if batch.num_columns == 0 or batch.num_rows == 0:
        return 0
    column = batch.column(0)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        width = 4
    elif pa.types.is_primitive(kind) and kind.bit_width >= 8:
        width = int(kind.bit_width) // 8
    else:
        return 0
    held = column.buffers()[1]
    return 0 if held is None else max(batch.num_rows, held.size // width)


def line_ends(data: bytes) -> npt.NDArray[np.int64]:
    """Where each line of `data` stops, its newline excluded; the last line may lack one."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == NEWLINE)
    if data and data[-1] != NEWLINE:
        ends = np.append(ends, len(data))
    return ends


def slice_payload(payload: Payload, start: int, rows: int, ends: npt.NDArray[np.int64] | None = None) -> Payload:
    """Records `start` to `start + rows`; no copy but for `Lines`, where `ends` (see `line_ends`) saves a scan."""
    if not isinstance(payload, Lines):
        return payload.slice(start, rows)
    ends = line_ends(payload.data) if ends is None else ends
    first = 0 if start == 0 else int(ends[start - 1]) + 1
    last = first if rows == 0 else min(int(ends[start + rows - 1]) + 1, len(payload.data))
    return Lines(payload.data[first:last], rows)


def as_values(lines: Lines) -> pa.BinaryArray:
    """One binary value a line, without its newline."""
    ends = line_ends(lines.data)
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    return pa.array([lines.data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)], pa.binary())


def take_payload(payload: Payload, indices: npt.NDArray[np.int64]) -> Payload:
    """The records at `indices`, in that order; lines become values."""
    return (as_values(payload) if isinstance(payload, Lines) else payload).take(vector(indices))


def joinable(left: Payload, right: Payload) -> bool:
    """True when `concat_payloads` can make one of both: same form, and same schema when typed."""
    if isinstance(left, pa.RecordBatch) and isinstance(right, pa.RecordBatch):
        return bool(left.schema.equals(right.schema, check_metadata=True))
    return type(left) is type(right)


def concat_payloads(parts: Sequence[Payload]) -> Payload:
    """One payload of all of them, in order. All must be `joinable`; the records are copied."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, pa.RecordBatch):
        return pa.concat_batches(parts)
    if isinstance(first, Lines):
        lines = [part for part in parts if isinstance(part, Lines)]
        return Lines(b"\n".join(part.data.removesuffix(b"\n") for part in lines), sum(part.rows for part in lines))
    return pa.concat_arrays(parts)


def partition_of(keys: pa.BinaryArray, partitions: int) -> npt.NDArray[np.int64]:
    """Partition of each key: CRC-32 modulo the count, as librdkafka's `consistent` partitioner; no key gives 0.

    Each distinct key is hashed once, so the cost follows the number of keys, not of records.
    """
    encoded = keys.dictionary_encode()
    of_key = np.array([zlib.crc32(key) % partitions for key in encoded.dictionary.to_pylist()], np.int64)
    return np.append(of_key, 0)[integers_in(encoded.indices.fill_null(len(of_key)))]
