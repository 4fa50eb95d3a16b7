"""Type names of DuckDB and Arrow types, both ways; DuckDB itself is the judge."""

import duckdb
import pyarrow as pa
import pytest

from velostream_nb.core.errors import SchemaError
from velostream_nb.core.types import TIMESTAMP, arrow_type, column_types, normal_type, sql_type

NAMES = [
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "FLOAT", "DOUBLE", "DECIMAL(10,2)", "DECIMAL", "NUMERIC(5)", "VARCHAR", "VARCHAR(20)", "TEXT", "BLOB", "DATE",
    "TIME", "TIMESTAMP", "DATETIME", "INTERVAL", "UUID", "JSON", "int", "int8", "real", "double precision",
    "INTEGER[]", "INTEGER[][]", "INTEGER[3]", 'STRUCT(a INTEGER, "b c" VARCHAR)', "MAP(VARCHAR, INTEGER)",
    "STRUCT(x DECIMAL(4,1)[], y MAP(VARCHAR, STRUCT(z DATE)))[]",
]  # fmt: skip


@pytest.fixture(scope="module")
def duck():
    con = duckdb.connect()
    yield con
    con.close()


def nameless(dtype: pa.DataType) -> str:
    """List item names differ between DuckDB and Arrow; the SQL name does not carry them."""
    return sql_type(dtype)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_what_duckdb_gives_for_it(duck, name):
    given = duck.sql(f"SELECT NULL::{name} AS x").to_arrow_table().schema.field(0).type
    assert nameless(arrow_type(name)) == nameless(given)


@pytest.mark.parametrize("name", NAMES)
def test_duckdb_reads_our_name_back_as_the_same_type(duck, name):
    dtype = arrow_type(name)
    again = sql_type(dtype)
    assert arrow_type(again).equals(dtype)
    seen = duck.sql(f"SELECT NULL::{again} AS x").types[0]
    assert nameless(arrow_type(str(seen))) == again


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (pa.dictionary(pa.int32(), pa.string()), "VARCHAR"),
        (pa.large_string(), "VARCHAR"),
        (pa.string_view(), "VARCHAR"),
        (pa.timestamp("ns"), "TIMESTAMP"),
        (pa.timestamp("ms", tz="Europe/Berlin"), "TIMESTAMP WITH TIME ZONE"),
        (pa.null(), "VARCHAR"),
        (pa.date64(), "DATE"),
        (pa.large_list(pa.int64()), "BIGINT[]"),
    ],
)
def test_forms_that_mean_the_same_share_a_name(dtype, name):
    assert sql_type(dtype) == name
    assert normal_type(dtype).equals(arrow_type(name))


def test_every_naive_timestamp_is_microseconds():
    names = ("TIMESTAMP", "TIMESTAMP_NS", "timestamp_ms", "TIMESTAMP WITHOUT TIME ZONE")
    assert {arrow_type(n) for n in names} == {TIMESTAMP}


def test_columns_of_a_schema():
    schema = pa.schema([("a", pa.int32()), ("b", pa.list_(pa.string()))])
    assert column_types(schema) == {"a": "INTEGER", "b": "VARCHAR[]"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("BIGNIT", "did you mean BIGINT"),
        ("DECIMAL(40,2)", "1 to 38 digits"),
        ("DECIMAL(4,9)", "1 to 38 digits"),
        ("STRUCT(a)", "expected a type"),
        ("INTEGER[", "expected ']' at the end"),
        ("INTEGER)", "unexpected ')'"),
        ("INTEGER;", "unexpected ';'"),
        ("", "expected a type at the end"),
        ("VARCHAR(20", "closing ) is missing"),
        ("MAP(VARCHAR INTEGER)", "expected ','"),
    ],
)
def test_a_wrong_name_is_refused_with_words(name, message):
    with pytest.raises(SchemaError) as caught:
        arrow_type(name)
    assert message in str(caught.value)


def test_an_arrow_type_without_a_sql_name_is_refused():
    with pytest.raises(SchemaError, match="no SQL type"):
        sql_type(pa.decimal256(60, 2))
