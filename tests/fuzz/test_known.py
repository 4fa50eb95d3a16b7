"""What the fuzzer found and nobody has mended yet: strict, so that a mended one has to leave."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tests.engine.data import BASE_US
from tests.engine.harness import assert_one_answer

ROWS = {
    "s": pa.table(
        {
            "k": ["a", "a", "a", "a"],
            "x": [1, 2, 3, 8],
            "timestamp": pa.array([BASE_US + i for i in range(4)], pa.timestamp("us")),
        }
    )
}


@pytest.mark.xfail(strict=True, reason="between operators HUGEINT travels as DECIMAL(38,0), whose median is truncated")
def test_median_of_a_sum() -> None:
    query = "SELECT MEDIAN(total) AS m FROM (SELECT k, x, SUM(x) AS total FROM s GROUP BY k, x)"
    assert_one_answer(query, query, ROWS, batches=(7,))
