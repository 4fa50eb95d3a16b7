"""What the types of several batches have in common, and types that grow: for schemas that nobody declared."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import HUGEINT

_STEP = re.compile(r"\.(?P<name>[^.\[]+)|(?P<item>\[\d+\])")
_NUMBER_RANK = ((pa.types.is_floating, 3), (pa.types.is_decimal, 2), (pa.types.is_integer, 1))


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The narrowest type that holds values of both; text when there is none. Null stands for "not known yet"."""
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    ranks = [next((rank for fits, rank in _NUMBER_RANK if fits(dtype)), 0) for dtype in (one, other)]
    if all(ranks):
        return _common_number(one, other, max(ranks))
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            fields[field.name] = common_type(fields[field.name], field.type) if field.name in fields else field.type
        return pa.struct(list(fields.items()))
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(common_type(one.value_type, other.value_type))
    if pa.types.is_map(one) and pa.types.is_map(other):
        return pa.map_(common_type(one.key_type, other.key_type), common_type(one.item_type, other.item_type))
    times = [dtype for dtype in (one, other) if pa.types.is_timestamp(dtype)]
    if times and all(pa.types.is_timestamp(dtype) or pa.types.is_date(dtype) for dtype in (one, other)):
        return pa.timestamp("us")
    return pa.string()


def _common_number(one: pa.DataType, other: pa.DataType, rank: int) -> pa.DataType:
    if rank == 3:
        return pa.float64()
    if rank == 1:
        signed = [dtype for dtype in (one, other) if pa.types.is_signed_integer(dtype)]
        unsigned = max((dtype.bit_width for dtype in (one, other) if dtype not in signed), default=0)
        bits = max([unsigned * 2 if signed else unsigned, *(dtype.bit_width for dtype in signed)])
        if bits > 64:
            return HUGEINT
        return (
            {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[bits]
            if signed
            else max((one, other), key=lambda dtype: dtype.bit_width)
        )
    digits = [(d.precision - d.scale, d.scale) if pa.types.is_decimal(d) else (19, 0) for d in (one, other)]
    scale = max(s for _, s in digits)
    whole = max(w for w, _ in digits)
    return pa.decimal128(whole + scale, scale) if whole + scale <= 38 else pa.float64()


def known_type(dtype: pa.DataType) -> pa.DataType:
    """The type with text wherever nothing but NULL was seen."""
    if pa.types.is_null(dtype):
        return pa.string()
    if pa.types.is_list(dtype):
        return pa.list_(known_type(dtype.value_type))
    if pa.types.is_struct(dtype):
        return pa.struct([(field.name, known_type(field.type)) for field in dtype])
    return dtype


def widened_type(dtype: pa.DataType, path: str, target: pa.DataType) -> pa.DataType | None:
    """The type with `target` where `path` leads (``.legs[0].price``, '' for itself); None where it leads nowhere."""
    if not path:
        return target
    step = _STEP.match(path)
    if step is None:
        return None
    rest = path[step.end() :]
    if step["item"] is not None:
        inner = widened_type(dtype.value_type, rest, target) if pa.types.is_list(dtype) else None
        return None if inner is None else pa.list_(inner)
    if pa.types.is_map(dtype):
        inner = widened_type(dtype.item_type, rest, target)
        return None if inner is None else pa.map_(dtype.key_type, inner)
    if not pa.types.is_struct(dtype) or dtype.get_field_index(step["name"]) < 0:
        return None
    fields = {field.name: field.type for field in dtype}
    inner = widened_type(fields[step["name"]], rest, target)
    return None if inner is None else pa.struct(list((fields | {step["name"]: inner}).items()))


def widened_schema(schema: StreamSchema, paths: Mapping[str, pa.DataType]) -> pa.Schema:
    """The schema's columns with other types where the paths lead; as they are where a path leads nowhere."""
    columns = schema.columns
    for path, target in paths.items():
        at = next((n for n, name in enumerate(columns.names) if _leads_to(path, name)), None)
        if at is None or columns.names[at] == schema.time_column:
            continue
        field = columns.field(at)
        dtype = widened_type(field.type, path[len(field.name) :], target)
        if dtype is not None:
            columns = columns.set(at, field.with_type(common_type(field.type, dtype)))
    return columns


def _leads_to(path: str, column: str) -> bool:
    return path == column or path.startswith((f"{column}.", f"{column}["))
