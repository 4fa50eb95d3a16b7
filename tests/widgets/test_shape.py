from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from velostream_nb.core.errors import SchemaError
from velostream_nb.widgets.shape import Shape, infer_shape

NOW = datetime(2026, 1, 1)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"symbol": "A", "price": 1.0, "volume": 3, "timestamp": NOW},
            Shape("lines", "timestamp", ("price",), "symbol"),
        ),
        ({"ts": 1_700_000_000_000, "count": 3}, Shape("lines", "ts", ("count",), None)),
        (
            {"window_start": NOW, "window_end": NOW, "k": "x", "total_v": 1},
            Shape("lines", "window_end", ("total_v",), "k"),
        ),
        ({"detection_time": NOW, "severity": "WARN", "message": "m"}, Shape("alerts", "detection_time")),
        ({"alert_type": "X", "position_value": 1.0, "detection_time": NOW}, Shape("alerts", "detection_time")),
        ({"trades": 3, "turnover": 2.0}, Shape("tiles", None, ("trades", "turnover"))),
        ({"a": "x", "b": "y"}, Shape("table")),
        ({"time": 12, "name": "x"}, Shape("tiles", None, ("time",))),
        ({"order_id": 7, "ts": NOW}, Shape("table")),
    ],
)
def test_the_shape_of_a_result_chooses_its_picture(row: dict[str, Any], expected: Shape) -> None:
    assert infer_shape(pa.Table.from_pylist([row]), total=1) == expected


def test_without_rows_there_is_nothing_to_judge_by() -> None:
    assert infer_shape(pa.table({})) is None
    assert infer_shape(pa.table({"a": pa.array([], pa.int64())})) is None


def test_many_rows_without_time_are_a_table() -> None:
    assert infer_shape(pa.table({"n": [1, 2]}), total=2) == Shape("table")


def test_named_columns_overrule_whatever_their_case() -> None:
    rows = pa.table({"symbol": ["A"], "exchange": ["N"], "price": [1.0], "Volume": [3], "ts": [NOW]})
    assert infer_shape(rows, y="volume", by="exchange") == Shape("lines", "ts", ("Volume",), "exchange")


def test_a_wrong_name_or_a_text_as_value_is_refused_with_a_hint() -> None:
    rows = pa.table({"symbol": ["A"], "price": [1.0], "ts": [NOW]})
    with pytest.raises(SchemaError, match="no column 'prise'") as caught:
        infer_shape(rows, y="prise")
    assert caught.value.hint == "did you mean price?"
    with pytest.raises(SchemaError, match="is no number"):
        infer_shape(rows, y="symbol")
