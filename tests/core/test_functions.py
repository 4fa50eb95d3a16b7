"""What can be a SQL function, and with which types."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from velostream_nb.core.errors import BindError, ConfigError
from velostream_nb.core.functions import FUNCTIONS, FunctionRegistry, called, define, functions_stay_here


def one(price: float, n: int, name: str, on: bool) -> float: ...
def two(at: dt.datetime, day: dt.date, time: dt.time, ago: dt.timedelta) -> Decimal: ...
def three(xs: list[float], ys: Sequence[int], by: dict[str, float], of: Mapping[str, list[int]]) -> list[str]: ...
def four(maybe: float | None, other: str | None, anything: Any, bare, raw: bytes, key: uuid.UUID) -> bool | None: ...


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (one, "one(price DOUBLE, n BIGINT, name VARCHAR, on BOOLEAN) -> DOUBLE"),
        (two, "two(at TIMESTAMP, day DATE, time TIME, ago INTERVAL) -> DECIMAL(38,9)"),
        (three, "three(xs DOUBLE[], ys BIGINT[], by MAP(VARCHAR, DOUBLE), of MAP(VARCHAR, BIGINT[])) -> VARCHAR[]"),
        (four, "four(maybe DOUBLE, other VARCHAR, anything ANY, bare ANY, raw BLOB, key VARCHAR) -> BOOLEAN"),
    ],
)
def test_types_are_read_from_annotations(function, signature):
    assert define(function).signature == signature


def test_types_that_are_given_win_over_annotations():
    made = define(one, name="uno", returns="STRUCT(a DECIMAL(18,2))", parameters=["FLOAT", pa.int32(), "TEXT", "BOOL"])
    assert made.signature == "uno(price FLOAT, n INTEGER, name VARCHAR, on BOOLEAN) -> STRUCT(a DECIMAL(18,2))"


def with_series(x: pd.Series) -> pd.Series: ...
def with_arrays(x: np.ndarray, y: np.ndarray) -> np.ndarray: ...
def with_arrow(x: pa.Array, y: float) -> pa.Array: ...
def mixed(x: pa.Array, y: np.ndarray) -> pa.Array: ...


@pytest.mark.parametrize(
    ("function", "form"), [(with_series, "pandas"), (with_arrays, "numpy"), (with_arrow, "arrow"), (one, "arrow")]
)
def test_columns_come_in_the_form_that_is_annotated(function, form):
    assert define(function, returns="DOUBLE", vectorized=True).form == form


def open_ended(*xs: float) -> float: ...
def by_keyword(x: float, *, k: int) -> float: ...
def untyped(x): ...
def unreadable(x: "Nowhere") -> float: ...  # noqa: F821, UP037
def odd(x: complex) -> float: ...
async def later(x: float) -> float: ...


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (open_ended, {}, r"open_ended takes \*xs"),
        (by_keyword, {}, "takes k by keyword only"),
        (untyped, {}, "the type that untyped returns is not known"),
        (unreadable, {}, "annotations of unreadable cannot be read: name 'Nowhere' is not defined"),
        (odd, {}, "complex at x is no SQL type"),
        (later, {}, "later is not a plain function"),
        (lambda x: x, {"returns": "DOUBLE"}, "'<lambda>' cannot name a SQL function"),
        (one, {"returns": "DOUBEL"}, "unknown type 'DOUBEL'"),
        (one, {"parameters": ["DOUBLE"]}, r"one has 4 parameters \(price, n, name, on\)"),
        (one, {"null": "pass"}, "null must be 'skip' or 'call', got 'pass'"),
        (mixed, {"returns": "DOUBLE", "vectorized": True}, "mixes arrow and numpy"),
        (5, {}, "5 is not a plain function"),
    ],
)
def test_what_cannot_be_a_function_says_why(function, options, message):
    with pytest.raises(ConfigError, match=message):
        define(function, **options)


def test_a_registry_stands_on_another_one():
    below = FunctionRegistry()
    own = FunctionRegistry(below)
    below.add(define(one))
    own.add(define(two))
    assert list(own.all()) == ["one", "two"]
    assert list(below.all()) == ["one"]
    seen = own.all()
    own.add(define(two, name="ONE"))
    assert own.all()["one"].name == "ONE"
    assert seen["one"].name == "one"
    own.remove("One")
    assert own.all()["one"].name == "one"
    with pytest.raises(ConfigError, match="no function 'tow' was defined\nhint: did you mean two"):
        own.remove("tow")


def test_those_that_sql_calls():
    functions = {f.name: f for f in (define(one), define(two))}
    assert [f.name for f in called(functions, ['SUM(ONE(a, 1)) + "x"', "one", "done(2)"])] == ["one"]
    assert [f.name for f in called(functions, ['"two" (1)'])] == ["two"]
    assert called(functions, ["one + two"]) == []


def test_a_digest_changes_with_signature_and_code():
    def f(x: float) -> float:
        return x + 1

    first = define(f)

    def f(x: float) -> float:
        return x + 1

    assert define(f).digest == first.digest

    def f(x: float) -> float:
        return x + 2

    assert define(f).digest != first.digest
    assert define(f, returns="FLOAT").digest != define(f).digest


def test_a_server_that_does_not_know_a_function_of_this_process_is_explained():
    FUNCTIONS.add(define(one))
    try:
        with pytest.raises(BindError, match="one is a Python function of this process"), functions_stay_here():
            raise BindError("unknown function 'ONE'")
        with pytest.raises(BindError, match="unknown function 'two'"), functions_stay_here():
            raise BindError("unknown function 'two'")
    finally:
        FUNCTIONS.remove("one")


def test_the_decorator_is_there_before_anything_heavy_is_loaded():
    code = "import sys, velostream_nb as velo; velo.function; print('pyarrow' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
