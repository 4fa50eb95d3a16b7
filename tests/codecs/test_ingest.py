"""What people hand to `produce`, through payload and codec, to rows."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from velostream_nb.codecs.ingest import rows_to_payloads
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_type

SCHEMA = StreamSchema(
    pa.schema([("symbol", pa.string()), ("price", pa.float64()), ("n", pa.int64()), ("ts", pa.timestamp("us"))]), "ts"
)
T0 = dt.datetime(2023, 11, 14, 22, 13, 20)


def through(rows, schema=SCHEMA):
    """Rows of all columns, and reasons of rejection."""
    good, reasons = [], []
    for payload in rows_to_payloads(rows, schema):
        count = payload.num_rows if isinstance(payload, pa.RecordBatch) else len(payload)
        records = RecordSet("t", 0, np.arange(count), np.zeros(count, np.int64), payload)
        decoded = JsonCodec().decode(records, schema or JsonCodec().infer(records))
        good += decoded.batch.drop_columns(["__ts", "__pos"]).to_pylist()
        reasons += [rejected.reason for rejected in decoded.rejected]
    return good, reasons


class ArrowStream:
    """What polars, DuckDB and others hand out."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


ROW = {"symbol": "A", "price": 1.5, "n": 2, "ts": T0}


@pytest.mark.parametrize(
    "rows",
    [
        [{"symbol": "A", "price": 1.5, "n": 2, "ts": 1_700_000_000_000}],
        {"symbol": "A", "price": 1.5, "n": 2, "ts": T0},
        [{"symbol": "A", "price": np.float64(1.5), "n": np.int32(2), "ts": np.datetime64(T0)}],
        [{"symbol": "A", "price": Decimal("1.5"), "n": 2.0, "ts": "2023-11-14T22:13:20"}],
        [{"symbol": "A", "price": 1.5, "n": 2, "ts": pd.Timestamp(T0, tz="UTC"), "unknown": object()}],
        pd.DataFrame({"symbol": ["A"], "price": [1.5], "n": [2], "ts": [T0]}),
        pd.DataFrame({"symbol": ["A"], "price": [1.5], "n": [2]}, index=pd.DatetimeIndex([T0], name="ts")),
        pd.DataFrame({"symbol": ["A"], "price": [1.5], "n": np.array([2], object), "ts": [T0]}),
        pa.table({"symbol": ["A"], "price": [1.5], "n": [2], "ts": [T0]}),
        ArrowStream(pa.table({"symbol": ["A"], "price": [1.5], "n": [2], "ts": [T0]})),
        pa.record_batch({"symbol": ["A"], "price": [1.5], "n": [2], "ts": [1_700_000_000_000]}),
        [b'{"symbol":"A","price":1.5,"n":2,"ts":1700000000000}'],
        ({"symbol": "A", "price": 1.5, "n": 2, "ts": t} for t in [T0]),
    ],
)
def test_every_form_gives_the_same_row(rows):
    assert through(rows) == ([ROW], [])


def test_a_dict_that_does_not_fit_keeps_its_place_and_the_others_pass():
    bad = {**ROW, "price": "abc"}
    payloads = rows_to_payloads([ROW, bad, {**ROW, "n": 3}], SCHEMA)
    assert len(payloads) == 1
    records = RecordSet("t", 0, np.arange(3), np.zeros(3, np.int64), payloads[0])
    decoded = JsonCodec().decode(records, SCHEMA)
    assert decoded.batch.column("n").to_pylist() == [2, 3]
    (rejected,) = decoded.rejected
    assert (rejected.offset, rejected.reason) == (1, "expected a number at price, got 'abc'")
    assert b'"price":"abc"' in rejected.raw


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"n": True}, "expected a whole number at n, got true"),
        ({"n": 2**63}, "9223372036854775808 at n is out of range for BIGINT"),
        ({"n": object}, "expected a whole number at n"),
        ({"ts": 10**17}, "out of range for epoch milliseconds"),
        ({"ts": None}, "ts is missing"),
        ({"symbol": "\ud800"}, "symbol is not UTF-8 text"),
    ],
)
def test_values_that_do_not_fit(change, reason):
    good, reasons = through([{**ROW, **change}, ROW])
    assert good == [ROW]
    assert len(reasons) == 1
    assert reason in reasons[0]


def test_missing_values_in_their_many_forms_are_null():
    rows = [{"symbol": pd.NA, "price": None, "n": pd.NaT, "ts": T0}, {"ts": T0}]
    assert through(rows) == ([{"symbol": None, "price": None, "n": None, "ts": T0}] * 2, [])
    frame = pd.DataFrame({"n": [1.0, float("nan")], "ts": [T0, T0]})
    assert [row["n"] for row in through(frame)[0]] == [1, None]


def test_nested_values_fit_nested_columns():
    schema = StreamSchema(pa.schema([("xs", arrow_type("DOUBLE[]")), ("q", arrow_type("STRUCT(a INT)"))]))
    good, reasons = through([{"xs": [1, 2.5], "q": {"a": 1}}, {"xs": ["a"]}], schema)
    assert good == [{"xs": [1.0, 2.5], "q": {"a": 1}}]
    assert reasons == ["expected a number at xs[0], got 'a'"]


def test_without_a_schema_columns_are_the_union_and_types_are_guessed():
    (batch,) = rows_to_payloads([{"a": 1, "ts": 5}, {"b": "x", "a": 2.5, "ts": 6}])
    assert batch.schema.names == ["a", "ts", "b"]
    assert through([{"a": 1, "ts": 5}], None)[0] == [{"a": 1, "ts": dt.datetime(1970, 1, 1, 0, 0, 0, 5000)}]


def test_without_a_schema_rows_that_disagree_become_json():
    good, reasons = through([{"a": 1}, {"a": "x"}], None)
    assert (good, reasons) == ([{"a": "1"}, {"a": "x"}], [])


def test_nothing_gives_nothing():
    for nothing in ([], pa.table({"a": []}), pd.DataFrame({"a": []}), iter(())):
        assert rows_to_payloads(nothing, SCHEMA) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (5, "cannot make records of int"),
        ([ROW, 5], "cannot make records of a list of dict, int"),
        ("one record", "cannot make records of str"),
        ([[1, 2]], "cannot make records of a list of list"),
        ({"symbol": ["A", "B"]}, "pandas.DataFrame"),
        ([{"__ts": 1}], "'__ts' is reserved"),
        ([{1: 1}], "a column is named 1"),
        (pa.table({"__pos": [1]}), "'__pos' is reserved"),
        (pd.DataFrame({0: [1]}), "a column is named 0"),
    ],
)
def test_what_are_no_rows_is_refused(rows, message):
    with pytest.raises(SchemaError) as caught:
        rows_to_payloads(rows, SCHEMA)
    assert message in str(caught.value)
