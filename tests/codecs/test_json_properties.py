"""Properties of the JSON codec that hold for any rows, any garbage and any cut."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_type

CODEC = JsonCodec()
COLUMNS = pa.schema(
    [
        ("symbol", pa.string()),
        ("price", pa.float64()),
        ("volume", pa.int64()),
        ("small", pa.int16()),
        ("flag", pa.bool_()),
        ("amount", pa.decimal128(12, 3)),
        ("day", pa.date32()),
        ("tags", arrow_type("VARCHAR[]")),
        ("quote", arrow_type("STRUCT(bid DOUBLE, size BIGINT)")),
        ("timestamp", pa.timestamp("us")),
    ]
)
SCHEMA = StreamSchema(COLUMNS, "timestamp")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
reals = st.floats(allow_nan=False, allow_infinity=False)
int64s = st.integers(-(2**63), 2**63 - 1)
whole_ms = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)).map(
    lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
)
rows = st.fixed_dictionaries(
    {
        "symbol": st.none() | texts,
        "price": st.none() | reals,
        "volume": st.none() | int64s,
        "small": st.none() | st.integers(-(2**15), 2**15 - 1),
        "flag": st.none() | st.booleans(),
        "amount": st.none() | st.decimals(-999_999_999, 999_999_999, places=3),
        "day": st.none() | st.dates(dt.date(1900, 1, 1)),
        "tags": st.none() | st.lists(st.none() | texts, max_size=3),
        "quote": st.none() | st.fixed_dictionaries({"bid": st.none() | reals, "size": st.none() | int64s}),
        "timestamp": whole_ms,
    }
)
tables = st.lists(rows, max_size=12).map(lambda given: pa.RecordBatch.from_pylist(given, schema=COLUMNS))

GARBAGE = st.sampled_from(
    [
        b"nonsense",
        b"{",
        b'{"timestamp":1',
        b"[]",
        b"null",
        b'{"timestamp":1}{"timestamp":2}',
        b"{}",
        b'{"timestamp":true}',
        b'{"timestamp":1,"price":"x"}',
        b'{"timestamp":1,"volume":1.5}',
        b'{"timestamp":1,"symbol":"\xff"}',
        b"}",
        b'"',
        b'{"timestamp":99999999999999999}',
        b'{"timestamp":1,"small":40000}',
        b'{"timestamp":1,"tags":[1,{}],"quote":[]}',
    ]
)


def record_set(records: list[bytes], first: int = 0, *, as_lines: bool = True) -> RecordSet:
    count = len(records)
    payload = Lines(b"\n".join(records), count) if as_lines else pa.array(records, pa.binary())
    return RecordSet("t", 0, np.arange(first, first + count), np.zeros(count, np.int64), payload)


@given(tables)
def test_what_is_encoded_decodes_to_the_same(batch):
    decoded = CODEC.decode(record_set(CODEC.encode(batch).to_pylist()), SCHEMA)
    assert not decoded.rejected
    assert decoded.batch.select(COLUMNS.names).to_pylist() == batch.to_pylist()


@given(tables)
def test_every_record_is_json_for_others_too(batch):
    for record, row in zip(CODEC.encode(batch).to_pylist(), batch.to_pylist(), strict=True):
        read = json.loads(record)
        assert read["symbol"] == row["symbol"]
        assert read["price"] == row["price"]
        assert read["volume"] == row["volume"]


@st.composite
def mixed(draw):
    """Records, and which of them are bad."""
    good = CODEC.encode(draw(tables)).to_pylist()
    bad = draw(st.lists(GARBAGE, max_size=5))
    order = draw(st.permutations([(record, False) for record in good] + [(record, True) for record in bad]))
    return [record for record, _ in order], [at for at, (_, is_bad) in enumerate(order) if is_bad]


@given(mixed(), st.booleans())
def test_exactly_the_bad_records_are_rejected_each_with_its_offset_and_bytes(given_records, as_lines):
    records, bad = given_records
    decoded = CODEC.decode(record_set(records, 100, as_lines=as_lines), SCHEMA)
    assert [rejected.offset - 100 for rejected in decoded.rejected] == bad
    assert [rejected.raw for rejected in decoded.rejected] == [records[at] for at in bad]
    good = [at for at in range(len(records)) if at not in bad]
    assert [position - 100 for position in decoded.batch.column("__pos").to_pylist()] == good
    times = [json.loads(records[at])["timestamp"] for at in good]
    assert decoded.batch.column("__ts").to_pylist() == [time * 1_000 for time in times]


@given(mixed(), st.integers(0, 17), st.booleans())
def test_cutting_a_block_changes_nothing(given_records, cut, as_lines):
    records, _ = given_records
    whole = CODEC.decode(record_set(records, as_lines=as_lines), SCHEMA)
    parts = [
        CODEC.decode(record_set(part, first, as_lines=as_lines), SCHEMA)
        for part, first in ((records[:cut], 0), (records[cut:], min(cut, len(records))))
    ]
    assert pa.Table.from_batches([part.batch for part in parts]).to_pylist() == whole.batch.to_pylist()
    assert [r for part in parts for r in part.rejected] == list(whole.rejected)


@given(tables, st.sets(st.sampled_from(COLUMNS.names)))
def test_projection_changes_no_value(batch, wanted):
    records = record_set(CODEC.encode(batch).to_pylist())
    whole = CODEC.decode(records, SCHEMA).batch
    some = CODEC.decode(records, SCHEMA, sorted(wanted)).batch
    assert some.to_pylist() == whole.select(some.schema.names).to_pylist()
    assert set(some.schema.names) == wanted | {"__ts", "__pos"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | reals | texts | whole_ms.map(dt.datetime.isoformat),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=200)
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS.names), json_values, max_size=4), min_size=1, max_size=6))
def test_a_records_outcome_does_not_depend_on_its_neighbours(objects):
    records = [json.dumps({"timestamp": 1, **an_object}).encode() for an_object in objects]
    together = CODEC.decode(record_set(records), SCHEMA)
    alone = [CODEC.decode(record_set([record], at), SCHEMA) for at, record in enumerate(records)]
    assert together.batch.to_pylist() == [row for part in alone for row in part.batch.to_pylist()]
    assert list(together.rejected) == [rejected for part in alone for rejected in part.rejected]


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4))
def test_no_bytes_whatsoever_raise(records):
    decoded = CODEC.decode(record_set(records, as_lines=False), SCHEMA)
    assert decoded.batch.num_rows + len(decoded.rejected) == len(records)
