"""numpy to Arrow and back: as `pa.array` and `to_numpy` have it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from velostream_nb.core.vectors import flags_in, integers_in, numbers_in, valid_in, vector

_DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "bool"]


def _numbers(dtype: str, count: int) -> npt.NDArray[np.generic]:
    rng = np.random.default_rng(count)
    return rng.integers(0, 2 if dtype == "bool" else 100, size=count).astype(dtype)


@pytest.mark.parametrize("dtype", _DTYPES)
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 1_000])
def test_numbers_are_what_arrow_makes_of_them(dtype: str, count: int) -> None:
    numbers = _numbers(dtype, count)
    absent = np.arange(count) % 3 == 1
    assert vector(numbers).equals(pa.array(numbers))
    assert vector(numbers, absent=absent).equals(pa.array(numbers, mask=absent))
    for column in (vector(numbers), pa.chunked_array([vector(numbers[:3]), vector(numbers[3:])])):
        assert numbers_in(column).dtype == numbers.dtype
        assert np.array_equal(numbers_in(column), numbers)


@pytest.mark.parametrize("dtype", _DTYPES)
def test_slices_begin_where_they_do(dtype: str) -> None:
    numbers = _numbers(dtype, 50)
    for start, stop in [(0, 50), (3, 20), (9, 9), (49, 50)]:
        assert np.array_equal(numbers_in(vector(numbers).slice(start, stop - start)), numbers[start:stop])


def test_what_is_strided_is_copied() -> None:
    numbers = np.arange(20)[::3]
    assert vector(numbers).to_pylist() == numbers.tolist()


@pytest.mark.parametrize(
    "kind", [pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.date32(), pa.date64(), pa.time32("s"), pa.duration("ms")]
)
def test_times_are_integers(kind: pa.DataType) -> None:
    column = pa.array([0, 86_400_000, None], pa.int64()).cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    found = integers_in(column.cast(kind))
    assert found.dtype == np.int64
    assert found[:2].tolist() == [0, 86_400_000]


def test_no_column_is_no_number() -> None:
    nothing = pa.chunked_array([], pa.int32())
    assert (len(numbers_in(nothing)), len(integers_in(nothing)), len(valid_in(nothing))) == (0, 0, 0)


def test_booleans_may_be_written_to() -> None:
    column = pa.array([True, False, None, True])
    flags = flags_in(column)
    flags[:] = False
    assert column.to_pylist() == [True, False, None, True]
    assert valid_in(column).tolist() == [True, True, False, True]
    assert valid_in(column.slice(2)).tolist() == [False, True]
    assert valid_in(pa.array(["a", None])).tolist() == [True, False]


def test_nobody_imports_pandas() -> None:
    script = (
        "import sys, numpy as np, pyarrow as pa; from velostream_nb.core.vectors import *\n"
        "column = vector(np.arange(5), absent=np.arange(5) > 3); numbers_in(column); valid_in(column)\n"
        "pa.table([column], names=['c']).filter(vector(np.arange(5) > 2)).take(vector(np.arange(1)))\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
