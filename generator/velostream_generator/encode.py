"""Arrow rows as JSON lines, column by column: no Python object per row."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.compute as pc


def to_json_lines(batch: pa.RecordBatch) -> bytes:
    """One JSON object a row, each ended by a newline; b'' for no rows.

    Floats are written with the fewest digits that read back to the same value, and always as floats (``175.0``), so
    that whoever infers types from the first records sees what they are. Timestamps become epoch milliseconds.

    Raises:
        TypeError: a column is not text, integer, float or timestamp, or a float is not finite.
    """
    if batch.num_rows == 0:
        return b""
    parts: list[object] = []
    for position, name in enumerate(batch.schema.names):
        opening = "{" if position == 0 else ","
        parts += [f"{opening}{json.dumps(name)}:", _json_values(name, batch.column(position))]
    parts.append("}\n")
    lines = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="null")
    # the lines stand one after another in the array's own buffer; 32-bit offsets hold up to 2 GiB
    _, offsets, data = lines.buffers()
    bounds = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[bounds[lines.offset] : bounds[lines.offset + len(lines)]])


def _json_values(name: str, column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_string(kind):
        return _quoted(column)
    if pa.types.is_integer(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        return _floats(name, column)
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64()).cast(pa.string())
    raise TypeError(f"column {name!r} of type {kind} has no JSON form here; text, numbers and timestamps have")


def _quoted(column: pa.Array) -> pa.Array:
    """Columns of a market hold few different texts: quote and escape each of them once."""
    encoded = column.dictionary_encode()
    quoted = [json.dumps(text, ensure_ascii=False) for text in encoded.dictionary.to_pylist()]
    return pa.array(quoted, pa.string()).take(encoded.indices)


def _floats(name: str, column: pa.Array) -> pa.Array:
    if not pc.all(pc.is_finite(column), min_count=0).as_py():
        raise TypeError(f"column {name!r} holds a number that is not finite; JSON has no word for it")
    text = column.cast(pa.string())
    whole = pc.equal(column, pc.trunc(column))
    if not pc.any(whole).as_py():
        return text
    # a large one may have an exponent, which makes it a float as it stands
    whole = pc.and_not(whole, pc.match_substring(text, "e"))
    return pc.if_else(whole, pc.binary_join_element_wise(text, ".0", ""), text)
