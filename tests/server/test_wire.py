"""What travels between server and client comes out as it went in."""

from __future__ import annotations

import datetime as dt
import inspect
import json
from decimal import Decimal
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.core import errors
from velostream_nb.core.errors import Place, ServerError, VeloError
from velostream_nb.core.model import Frame, JobInfo, JobState, Result, TopicInfo
from velostream_nb.core.rows import json_rows
from velostream_nb.core.wire import (
    ERRORS,
    error_from_json,
    error_to_json,
    job_from_json,
    job_to_json,
    pack_bundle,
    pack_frames,
    pack_results,
    topic_from_json,
    topic_to_json,
    unpack_bundle,
    unpack_frames,
    unpack_results,
    unpack_table,
    values_from_json,
    values_to_json,
)

TREE = [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, VeloError)]


def through_json(value: object) -> object:
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("kind", TREE, ids=lambda k: k.__name__)
@pytest.mark.parametrize("place", [None, Place("SELECT a,, b", 1, 10, 2)])
@pytest.mark.parametrize("hint", [None, "try ‘this’"])
def test_every_class_of_error_comes_back_as_itself(
    kind: type[VeloError], place: Place | None, hint: str | None
) -> None:
    error = kind("it is “wrong”\nin two lines", hint=hint, place=place)
    back = error_from_json(through_json(error_to_json(error)))
    assert type(back) is kind
    assert (back.message, back.hint, back.place) == (error.message, hint, place)
    assert str(back) == str(error)


def test_the_whole_tree_is_known() -> None:
    assert set(ERRORS.values()) == set(TREE)


def test_an_error_of_another_module_comes_back_as_its_nearest_ancestor() -> None:
    class Special(errors.BindError):
        pass

    assert type(error_from_json(error_to_json(Special("x")))) is errors.BindError


@pytest.mark.parametrize(
    "data", [None, [], "x", {}, {"error": 1}, {"error": "OSError", "message": "x"}, {"message": "x"}]
)
def test_what_is_no_error_of_ours_becomes_one_of_the_server(data: object) -> None:
    assert type(error_from_json(data)) is ServerError


def test_infos_come_back_equal() -> None:
    job = JobInfo("j", "START …", JobState.PAUSED, ("a", "b"), "o", 1, 2, 3, 4, 5.5, None, 6, notes=("n",), error="é")
    assert job_from_json(through_json(job_to_json(job))) == job
    topic = TopicInfo("t", 2, 3, 4, 5, 6, {"x": "BIGINT"}, ("x",))
    assert topic_from_json(through_json(topic_to_json(topic))) == topic


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(values)
def test_parameters_keep_their_types(value: object) -> None:
    back = values_from_json(values_to_json(value))
    assert back == value
    assert type(back) is type(value)


def test_parameters_of_no_sql_type_are_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        values_to_json(object())
    for noise in (b'{"__velo": "pickle", "value": "x"}', b'{"__velo": "decimal", "value": "x"}', b'{"__velo": "date"}'):
        with pytest.raises(ValueError, match="not a "):
            values_from_json(noise)


def test_scalars_of_numpy_and_pandas_become_plain() -> None:
    row = {
        "i": np.int64(2**60),
        "a": np.array([1.5, 2.5]),
        "ns": np.datetime64("2026-01-05T14:30:00.123456789"),
        "nat": np.datetime64("NaT"),
        "ts": pd.Timestamp("2026-01-05 14:30", tz="UTC"),
        "na": pd.NA,
        "none": pd.NaT,
        "map": MappingProxyType({"k": 1}),
    }
    assert values_from_json(values_to_json(row)) == {
        "i": 2**60,
        "a": [1.5, 2.5],
        "ns": dt.datetime(2026, 1, 5, 14, 30, 0, 123456),
        "nat": None,
        "ts": dt.datetime(2026, 1, 5, 14, 30, tzinfo=dt.UTC),
        "na": None,
        "none": None,
        "map": {"k": 1},
    }


TABLES = {
    "plain": pa.table({"a": [1, None, 3], "b": ["x", "é\n", None]}),
    "empty": pa.table({"a": pa.array([], pa.timestamp("us"))}),
    "nothing": pa.table({}),
    "chunks": pa.concat_tables([pa.table({"a": [1]}), pa.table({"a": [2, 3]})]),
    "nested": pa.table({"a": [[{"k": 1}], None], "d": pa.array([b"\0", b""], pa.binary())}),
}


def test_tables_of_a_bundle_come_back_equal() -> None:
    header, tables = unpack_bundle(pack_bundle({"n": "é"}, TABLES))
    assert header == {"n": "é"}
    assert tables == TABLES


def test_frames_keep_their_numbers() -> None:
    frames = {
        "a": Frame("a", TABLES["plain"], next=10, skipped=7, total=12),
        "b": Frame("b", pa.table({}), next=0),
    }
    assert unpack_frames(pack_frames(frames)) == frames


def test_results_keep_their_tables() -> None:
    results = [
        Result("message", "done"),
        Result("table", "3 rows", table=TABLES["plain"]),
        Result("job", "started", job="j"),
        Result("table", "0 rows", table=TABLES["empty"]),
    ]
    assert unpack_results(pack_results(results)) == results


@pytest.mark.parametrize("cut", [0, 3, 8, 20, -1])
def test_a_bundle_cut_short_is_an_error_of_the_server(cut: int) -> None:
    with pytest.raises(ServerError):
        unpack_bundle(pack_bundle({}, TABLES)[:cut])


@given(st.binary(max_size=200))
def test_noise_is_an_error_of_the_server(noise: bytes) -> None:
    with pytest.raises(ServerError):
        unpack_bundle(b"VELO" + noise)
    with pytest.raises(ServerError):
        unpack_table(b"\xff\xff\xff\xff" + noise)


def test_rows_for_json_have_no_value_that_json_lacks() -> None:
    table = pa.table(
        {
            "t": pa.array([1_500], pa.timestamp("us")),
            "f": [float("nan")],
            "i": [float("-inf")],
            "d": pa.array([Decimal("1.50")]),
            "w": pa.array([Decimal(7)], pa.decimal128(38, 0)),
            "b": [b"\xff"],
            "day": [dt.date(2026, 1, 5)],
            "list": [[1.0, float("nan")]],
            "struct": [{"x": dt.time(1, 2)}],
        }
    )
    assert json.loads(json.dumps(json_rows(table), allow_nan=False)) == [
        {"t": 1, "f": None, "i": None, "d": 1.5, "w": 7, "b": "ff", "day": "2026-01-05", "list": [1.0, None],
         "struct": {"x": "01:02:00"}}
    ]  # fmt: skip
