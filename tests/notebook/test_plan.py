"""The picture of a plan: where boxes and edges go, and how it looks in a browser."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.driven import DrivenSession, driven
from velostream_nb.notebook.plan import Plan
from velostream_nb.notebook.plan_layout import GAP_X, GAP_Y, Box, Layout, layout

SCREENS = Path(__file__).parents[1] / "screens"

QUERIES = {
    "chain": """SELECT symbol, n, lag(n) OVER (PARTITION BY symbol ORDER BY window_end) AS before FROM (
        SELECT symbol, window_end, count(*) AS n FROM trades
        GROUP BY symbol, TUMBLE(timestamp, INTERVAL 10 SECOND) HAVING count(*) > 1)""",
    "join": """SELECT a.symbol, l.most, b.qty FROM trades a JOIN limits l ON a.symbol = l.symbol
        JOIN trades b ON b.trader = a.trader AND b.timestamp BETWEEN a.timestamp AND a.timestamp + INTERVAL 5 SECOND""",
    "many": """WITH big AS (SELECT * FROM trades WHERE qty > 1 AND symbol NOT IN ('a rather long one', 'and another <b>')),
        per AS (SELECT symbol, sum(qty) AS q, count(DISTINCT trader) AS traders FROM big GROUP BY symbol),
        cnt AS (SELECT trader, count(*) AS n FROM trades GROUP BY trader),
        lim AS (SELECT symbol, most FROM limits WHERE most > 0)
        SELECT per.symbol, per.q, lim.most, x.n FROM per LEFT JOIN lim ON per.symbol = lim.symbol LEFT JOIN (
            SELECT symbol, max(n) AS n FROM (SELECT u.symbol, cnt.n FROM (SELECT DISTINCT symbol, trader FROM trades) u
            JOIN cnt ON u.trader = cnt.trader) GROUP BY symbol) x ON x.symbol = per.symbol""",
}


# -- the layout ---------------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[list[int]]]:
    count = draw(st.integers(1, 15))
    sizes = [(draw(st.sampled_from([120.0, 268.0])), draw(st.floats(40, 220))) for _ in range(count)]
    inputs: list[list[int]] = [[]]
    for item in range(1, count):
        inputs.append(draw(st.lists(st.integers(0, item - 1), max_size=3)))
    return sizes, inputs


def apart(one: Box, other: Box) -> bool:
    return (
        one.x + one.width + GAP_X <= other.x + 1e-6
        or other.x + other.width + GAP_X <= one.x + 1e-6
        or one.y + one.height <= other.y - GAP_Y + 1e-6
        or other.y + other.height <= one.y - GAP_Y + 1e-6
    )


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_boxes_keep_their_distance_and_edges_go_around_them(
    graph: tuple[list[tuple[float, float]], list[list[int]]],
) -> None:
    sizes, inputs = graph
    found = layout(sizes, inputs)
    assert [(box.width, box.height) for box in found.boxes] == sizes
    assert all(apart(one, other) for one, other in itertools.combinations(found.boxes, 2))
    assert sorted((e.source, e.target) for e in found.edges) == sorted(
        (source, target) for target, sources in enumerate(inputs) for source in sources
    )
    for box in found.boxes:
        assert box.x >= 0
        assert box.x + box.width <= found.width
        assert box.y >= 0
        assert box.y + box.height <= found.height
    for edge in found.edges:
        check_way(found, edge.points, found.boxes[edge.source], found.boxes[edge.target])


def check_way(found: Layout, points: tuple[tuple[float, float], ...], source: Box, target: Box) -> None:
    """It leaves below its source, goes down, enters its target's top, and what is straight meets no box."""
    assert points[0] == (source.x + source.width / 2, source.y + source.height)
    assert points[-1][1] == target.y
    assert target.x < points[-1][0] < target.x + target.width
    assert len(points) % 2 == 0
    assert all(later[1] >= earlier[1] for earlier, later in itertools.pairwise(points))
    for (x, top), (to_x, bottom) in itertools.pairwise(points[1:]):
        if x == to_x and top != bottom:
            inside = [b for b in found.boxes if b.x < x < b.x + b.width and b.y + b.height > top and b.y < bottom]
            assert [b for b in inside if b not in (source, target)] == []


def test_sources_stand_right_above_their_first_reader() -> None:
    # 0 -> 1 -> 2 -> 3, and 4, which only 5 (below 3) reads
    found = layout([(100.0, 50.0)] * 6, [[], [0], [1], [2], [], [3, 4]])
    assert found.boxes[4].y == found.boxes[3].y
    assert found.boxes[0].x == found.boxes[1].x == found.boxes[2].x == found.boxes[3].x


# -- the picture --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> Iterator[DrivenSession]:
    with driven() as opened:
        opened.sql("CREATE STREAM trades (symbol VARCHAR, trader VARCHAR, qty BIGINT, timestamp TIMESTAMP)")
        opened.sql("CREATE TABLE limits (symbol VARCHAR, most BIGINT, PRIMARY KEY (symbol))")
        for name, query in QUERIES.items():
            opened.sql(f"START JOB {name} AS {query}")
        opened.produce("limits", [{"symbol": s, "most": 5} for s in "AB"])
        rows = [
            {"symbol": "AB"[i % 2], "trader": f"T{i % 5}", "qty": i, "timestamp": 1_704_067_200_000 + i * 1_000}
            for i in range(60)
        ]
        opened.produce("trades", rows)
        while opened.tick():
            pass
        yield opened


def explained(session: DrivenSession, what: str) -> pa.Table:
    table = session.sql(f"EXPLAIN {what}")[0].table
    assert table is not None
    return table


def test_a_plan_is_text_where_there_is_no_browser(session: DrivenSession) -> None:
    table = explained(session, "JOB chain")
    assert Plan.fits(table)
    assert not Plan.fits(session.query("SELECT 1 AS x"))
    text = repr(Plan(table, "job chain", limit=99))
    assert "tumble 10 s" in text
    assert "(job chain)" in text


def test_text_of_a_plan_is_data(session: DrivenSession) -> None:
    html = Plan(explained(session, f"{QUERIES['many']}"), "", limit=99)._repr_html_()
    assert "another <b>" not in html
    assert "another &lt;b&gt;" in html


def test_an_analyzed_job_has_the_picture_and_its_numbers(session: DrivenSession) -> None:
    html = Plan(explained(session, "ANALYZE JOB chain"), "job chain", limit=99)._repr_html_()
    assert "<svg" in html
    assert "busy_ms" in html


CLIPPED = """() => {
  const out = [];
  const svg = document.querySelector('.velo-plan svg').getBoundingClientRect();
  const inside = (b, r, pad) => b.left >= r.left + pad && b.right <= r.right - pad && b.top >= r.top && b.bottom <= r.bottom;
  for (const g of document.querySelectorAll('.velo-plan g')) {
    const box = g.querySelector('rect.box').getBoundingClientRect();
    for (const t of g.querySelectorAll('text')) {
      const b = t.getBoundingClientRect();
      if (!inside(b, t.classList.contains('rows') ? svg : box, t.classList.contains('rows') ? 0 : 6)) out.push(t.textContent);
    }
  }
  return out;
}"""
OVERLAPPING = """() => {
  const boxes = [...document.querySelectorAll('.velo-plan text, .velo-plan rect.box')].map(e => [e, e.getBoundingClientRect()]);
  const out = [];
  for (const [a, p] of boxes) for (const [b, q] of boxes) {
    if (a === b || a.parentNode === b.parentNode && (a.tagName === 'rect' || b.tagName === 'rect')) continue;
    const slack = a.tagName === 'text' && b.tagName === 'text' ? 2.5 : 0;  // lines of a text touch
    if (p.left < q.right && q.left < p.right && p.top + slack < q.bottom && q.top + slack < p.bottom)
      out.push([a.textContent, b.textContent]);
  }
  return out;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", QUERIES)
@pytest.mark.parametrize("live", [False, True], ids=["planned", "running"])
def test_nothing_is_clipped_and_nothing_overlaps(
    session: DrivenSession, chromium: Any, name: str, scheme: str, live: bool
) -> None:
    plan = Plan(explained(session, f"JOB {name}" if live else QUERIES[name]), name, limit=99)
    page = chromium.new_page(viewport={"width": 1500, "height": 900}, color_scheme=scheme)
    back = "#ffffff" if scheme == "light" else "#14171c"
    page.set_content(f'<body style="margin: 12px; background: {back}">{plan._repr_html_()}</body>')
    assert page.locator(".velo-plan rect.box").count() >= 3
    assert page.evaluate(CLIPPED) == []
    assert page.evaluate(OVERLAPPING) == []
    SCREENS.mkdir(exist_ok=True)
    page.locator(".velo-plan").screenshot(path=SCREENS / f"plan_{name}_{'running' if live else 'planned'}_{scheme}.png")
    page.close()
