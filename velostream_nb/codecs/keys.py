"""Values of key columns as texts, for record keys, and back."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.json_encode import column_texts
from velostream_nb.codecs.json_plan import read_any
from velostream_nb.codecs.values import converter
from velostream_nb.codecs.verdicts import Misfit
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.types import declared_type, field_type, normal_type


def texts_of_keys(column: pa.Array) -> pa.StringArray:
    """The text of each value, '' for NULL: plain for what is plain, JSON for nested values, base64 for bytes."""
    kind = column.type
    if pa.types.is_nested(kind):
        return pc.if_else(pc.is_valid(column), column_texts(column), "")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_interval(kind):
        return pc.if_else(pc.is_valid(column), pc.utf8_trim(column_texts(column), '"'), "")
    return pc.fill_null(pc.cast(column, pa.string()), "")


def key_of_text(text: str, field: pa.Field) -> Any:
    """The value of a key column from its text, as `pyarrow.array` takes it for the field's type.

    Raises:
        SchemaError: the text is no value of that type.
    """
    dtype = normal_type(field.type)
    try:
        value = read_any(text.encode()) if pa.types.is_nested(dtype) else text
        return converter(dtype, text=True, word=declared_type(field))(value, field.name)
    except Misfit as verdict:
        what = f"the record's key {text!r} is no {field_type(field)} for {field.name}"
        raise SchemaError(f"{what}: {verdict.reason}") from verdict
