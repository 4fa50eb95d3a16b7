"""JSON: one object a record. The codec that nearly every byte of the product passes through, so it is built for speed.

A big block whose records share a form is read by their template (`json_fast`). Else a block of lines is decoded in one
call; when that fails, or when the block could hide two objects in one line, its lines are decoded one by one, so that
exactly the records at fault are rejected. Each way gives the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.arrow import decode_typed, user_columns
from velostream_nb.codecs.assemble import assemble, target_of
from velostream_nb.codecs.infer import Seen, look_at_json, look_at_typed
from velostream_nb.codecs.json_block import Block
from velostream_nb.codecs.json_encode import FEW_ROWS, encode_few, encode_rows
from velostream_nb.codecs.json_plan import NOT_DECODED, Plan, plan_of
from velostream_nb.codecs.verdicts import Misfit
from velostream_nb.core.records import FAULT, RAW, Decoded, Lines, RecordSet
from velostream_nb.core.schema import StreamSchema

_TWO_ON_A_LINE = re.compile(rb"\}[ \t\r]*\{")


class JsonCodec:
    """Records as JSON objects, and typed batches as they are. See `codecs.contract.Codec`.

    What fits a column: numbers without a fraction fit integers (3.0 too), any number DOUBLE; text never is a number
    (but for DECIMAL, exact in quotes), true and false never are. TIMESTAMP takes epoch milliseconds or ISO-8601 text.
    VARCHAR takes anything: what is not text becomes its JSON. Of keys that repeat, the last counts. Columns that are
    not asked for are not looked at.
    """

    name = "json"

    def decode(self, records: RecordSet, schema: StreamSchema, columns: Sequence[str] | None = None) -> Decoded:
        if isinstance(records.payload, pa.RecordBatch):
            return decode_typed(records, schema, columns)
        target = target_of(schema, columns)
        plan = plan_of(target)
        read = plan.fast.read(records.payload) if plan.fast else None
        if read is None:
            read = plan.filled(*_read(plan, records.payload))
        raw = _RawRecords(records.payload)
        return assemble(records, target, read.columns, rows=read.numbers, bad=read.bad, raw=raw)

    def encode(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        rows = user_columns(batch)
        if rows.num_rows <= FEW_ROWS:
            texts = pa.array([text.encode() for text in encode_few(rows, end="}")], pa.binary())
        else:
            texts = encode_rows(rows, end="}").cast(pa.binary())
        if batch.schema.get_field_index(FAULT) < 0:
            return texts
        # a record that was never a row goes out as it came in
        return pc.if_else(pc.is_valid(batch.column(FAULT)), batch.column(RAW), texts)

    def encode_lines(self, batch: pa.RecordBatch) -> bytes:
        """The rows as JSON lines, each with its newline."""
        rows = user_columns(batch, good_only=True)
        if rows.num_rows <= FEW_ROWS:
            return "".join(encode_few(rows, end="}\n")).encode()
        lines = encode_rows(rows, end="}\n")
        if len(lines) == 0:
            return b""
        start, stop = np.frombuffer(lines.buffers()[1], np.int32)[[lines.offset, lines.offset + len(lines)]].tolist()
        return bytes(memoryview(lines.buffers()[2])[start:stop])

    def infer(self, records: RecordSet, *more: RecordSet) -> StreamSchema:
        seen = Seen()
        for each in (records, *more):
            if isinstance(each.payload, pa.RecordBatch):
                look_at_typed(each.payload, seen)
            else:
                look_at_json(raw_records(each.payload), seen)
        return seen.schema(records.topic)


def raw_records(payload: pa.BinaryArray | Lines) -> list[bytes | None]:
    """The undecoded records, one by one."""
    if not isinstance(payload, Lines):
        values: list[bytes | None] = payload.to_pylist()
        return values
    lines: list[bytes | None] = list(payload.data.split(b"\n"))
    return lines if lines[-1] else lines[:-1]


def _read(
    plan: Plan, payload: pa.BinaryArray | Lines
) -> tuple[list[Any], npt.NDArray[np.int64] | None, dict[int, Misfit]]:
    if isinstance(payload, Lines):
        try:
            rows = plan.decode_lines(payload.data)
        except NOT_DECODED:
            return plan.read(raw_records(payload))
        # msgspec lets an object span lines and several share one. As many objects as lines, and no line on which one
        # object follows another, leave one object a line as the only possibility.
        if len(rows) == payload.rows and not _TWO_ON_A_LINE.search(payload.data):
            return rows, None, {}
    return plan.read(raw_records(payload))


class _RawRecords:
    """Bytes of a record by its number; lines are found on first use, because hardly any block needs it."""

    def __init__(self, payload: pa.BinaryArray | Lines) -> None:
        self._payload = payload
        self._block: Block | None = None

    def __call__(self, row: int) -> bytes:
        if not isinstance(self._payload, Lines):
            return self._payload[row].as_py() or b""
        if self._block is None:
            self._block = Block(self._payload)
        (line,) = self._block.records(np.array([row]))
        return (line or b"").rstrip(b"\r")
