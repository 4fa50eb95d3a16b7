"""Record keys: each value has a text, and the text gives the value back."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from velostream_nb.codecs.keys import key_of_text, texts_of_keys
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.types import arrow_field, arrow_type

VALUES = [
    ("VARCHAR", "a|b"), ("BIGINT", -5), ("UBIGINT", 2**64 - 1), ("DOUBLE", 1.5), ("BOOLEAN", True), ("BLOB", b"\xff\x00"),
    ("DECIMAL(38,18)", Decimal("0.1")), ("DATE", 19_000), ("TIME", 1), ("TIMESTAMP", 1), ("TIMESTAMPTZ", 1),
    ("INTERVAL", (1, 2, 3_000)), ("INTEGER[]", [1, None]), ("STRUCT(a DECIMAL(4,2), b TEXT[])", {"a": Decimal("1.10"), "b": []}),
    ("MAP(VARCHAR, BIGINT)", [("k", None)]), ("UUID", "550e8400-e29b-41d4-a716-446655440000"),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "value"), VALUES, ids=[dtype for dtype, _ in VALUES])
def test_a_key_of_any_type_has_a_text_and_comes_back_from_it(dtype, value):
    column = pa.array([value, None], arrow_type(dtype))
    text, null = texts_of_keys(column).to_pylist()
    assert null == ""
    back = pa.array([key_of_text(text, arrow_field("k", dtype))], arrow_type(dtype))
    assert back[0].equals(column[0])


def test_a_text_that_is_no_value_of_the_type_says_so():
    with pytest.raises(SchemaError, match="key 'x' is no BIGINT for k: expected a whole number at k, got 'x'"):
        key_of_text("x", arrow_field("k", "BIGINT"))
