"""Changelogs on screen: a table shows what stands, for panels that were there and for those that join."""

from __future__ import annotations

from typing import Any

import pytest

from tests.widgets.conftest import Browser
from velostream_nb.jobs.session import Session
from velostream_nb.widgets import LiveTable, live
from velostream_nb.widgets.pump import UiPump

LIMITS = "CREATE TABLE limits (trader VARCHAR, most BIGINT, PRIMARY KEY (trader))"
BAG = """CREATE STREAM t (k VARCHAR, timestamp TIMESTAMP);
START JOB bag AS SELECT COUNT(*) % 2 AS odd FROM t GROUP BY k WITH ('changelog' = 'retract');
START JOB n AS SELECT COUNT(*) AS n FROM t"""


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch, pump: UiPump) -> None:
    monkeypatch.setattr(live, "ui_pump", lambda: pump)


def shown(table: LiveTable) -> list[dict[str, Any]]:
    return table._view.rows


def test_a_table_shows_the_newest_row_of_each_key_and_forgets_deleted_ones(browser: Browser) -> None:
    with Session() as s:
        s.sql(LIMITS)
        s.produce("limits", [{"trader": "A", "most": 1}, {"trader": "B", "most": 2}, {"trader": "A", "most": 3}])
        early = LiveTable(s, "limits", key="early")
        assert shown(early) == [{"trader": "A", "most": 3}, {"trader": "B", "most": 2}]
        s.produce("limits", [{"trader": "B", "most": 5}])
        s.produce("limits", [{"trader": "A"}], op="delete")
        browser.run(2)
        assert shown(early) == [{"trader": "B", "most": 5}]
        late = LiveTable(s, "limits", key="late")
        assert shown(late) == shown(early)
        s.produce("limits", [{"trader": "B"}], op="delete")
        browser.run(2)
        assert shown(late) == shown(early) == []


def test_rows_of_a_bag_go_one_by_one_and_a_single_row_is_replaced(browser: Browser) -> None:
    with Session() as s:
        s.sql(BAG)
        bag, n = LiveTable(s, "bag"), LiveTable(s, "n")
        for keys, odd, count in [("ab", [1, 1], 2), ("a", [0, 1], 3), ("b", [0, 0], 4)]:
            s.produce("t", [{"k": k, "timestamp": 0} for k in keys])
            s.drain()
            browser.run(2)
            assert sorted(row["odd"] for row in shown(bag)) == odd
            assert shown(n) == [{"n": count}]
