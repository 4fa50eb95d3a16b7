from __future__ import annotations

import json
import math

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from velostream_generator import TOPICS, MarketConfig, Simulator, to_json_lines

rows = st.lists(
    st.fixed_dictionaries(
        {
            'na"me': st.none() | st.text(max_size=20),
            "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
            "real": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "timestamp": st.integers(0, 2**43).map(lambda ms: ms * 1_000),
        }
    ),
    max_size=20,
)
SCHEMA = pa.schema(
    [('na"me', pa.string()), ("whole", pa.int64()), ("real", pa.float64()), ("timestamp", pa.timestamp("us"))]
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the first text loads a table of Unicode
@given(rows)
def test_json_reads_back_to_the_same_values_and_types(given_rows: list[dict[str, object]]) -> None:
    batch = pa.RecordBatch.from_pylist(given_rows, schema=SCHEMA)
    encoded = to_json_lines(batch)
    assert encoded == b"" or encoded.endswith(b"\n")
    back = [json.loads(line) for line in encoded.split(b"\n")[:-1]]
    assert len(back) == len(given_rows)
    for read, row in zip(back, given_rows, strict=True):
        assert read == {**row, "timestamp": int(str(row["timestamp"])) // 1_000}
        assert isinstance(read["real"], float | None)
        assert isinstance(read["timestamp"], int)


def test_a_slice_is_encoded_as_itself() -> None:
    for topic in TOPICS:
        batch = Simulator(MarketConfig()).step(20_000)[topic]
        whole = to_json_lines(batch).splitlines()
        assert to_json_lines(batch.slice(17, 30)).splitlines() == whole[17:47]


def test_whole_numbers_of_dollars_stay_floats() -> None:
    batch = pa.record_batch({"price": pa.array([175.0, 175.5, -0.0, 1e15, 1e300, 1e-7])})
    values = [line.split(b":")[1][:-1] for line in to_json_lines(batch).splitlines()]
    assert values == [b"175.0", b"175.5", b"-0.0", b"1e+15", b"1e+300", b"1e-7"]


def test_what_json_cannot_say_is_refused() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(TypeError, match="not finite"):
            to_json_lines(pa.record_batch({"price": [value]}))
    with pytest.raises(TypeError, match="'when' of type date32"):
        to_json_lines(pa.record_batch({"when": pa.array([1], pa.date32())}))
