"""What the fuzzer found, reduced by hand where no golden file shows it."""

from __future__ import annotations

import pyarrow as pa

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


def test_median_of_a_sum() -> None:
    """Between operators a HUGEINT travels as DECIMAL(38,0), whose median would be cut to a whole number."""
    query = "SELECT MEDIAN(total) AS m FROM (SELECT k, x, SUM(x) AS total FROM s GROUP BY k, x)"
    assert_one_answer(query, query, ROWS, batches=(7,))
