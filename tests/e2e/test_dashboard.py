"""The demo's dashboard in a real Chromium: prices move, alerts arrive, nothing overlaps, kernels end with their tab."""

from __future__ import annotations

import contextlib
import json
import signal
import time

import psutil
import pytest

from tests.e2e.conftest import SCREENS, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

# boxes of the panels, what is cut off inside them, and whether the page scrolls
LAYOUT = """() => {
  const box = e => { const r = e.getBoundingClientRect(); return {name: e.className, x: r.x, y: r.y, r: r.right, b: r.bottom} };
  const areas = [...document.querySelectorAll('.velo-dash [class*="velo-area-"]')].map(box);
  const tiles = [...document.querySelectorAll('.velo-tile')].map(box);
  const cut = [...document.querySelectorAll('.velo-tile b, .velo-header b, .velo-stats td, .velo-focus-head b')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflow !== 'visible' && e.clientWidth > 0)
    .map(e => e.textContent);
  const labels = [...document.querySelectorAll('.velo-tile-figure, .velo-ohlc')].map(f => [...f.querySelectorAll('.axis .tick text')]
    .filter(t => t.textContent && t.getBoundingClientRect().width).map(box));
  const d = document.documentElement;
  return {areas, tiles, cut, labels, scrolls: d.scrollHeight > d.clientHeight || d.scrollWidth > d.clientWidth};
}"""


def overlaps(boxes, slack=1.0):
    return [
        (a["name"], b["name"])
        for i, a in enumerate(boxes)
        for b in boxes[i + 1 :]
        if min(a["r"], b["r"]) - max(a["x"], b["x"]) > slack and min(a["b"], b["b"]) - max(a["y"], b["y"]) > slack
    ]


def faults(layout):
    """What is wrong with a look at the page, in words."""
    found = [f"{len(layout['areas'])} panels instead of 6"] if len(layout["areas"]) != 6 else []
    found += [f"overlap: {pair}" for pair in overlaps(layout["areas"]) + overlaps(layout["tiles"])]
    found += [f"cut off: {text}" for text in layout["cut"]]
    found += ["the page scrolls"] if layout["scrolls"] else []
    found += [f"tick labels run into each other: {pair}" for figure in layout["labels"] for pair in overlaps(figure)]
    return found


def kernels(demo):
    found = []
    for process in psutil.Process(demo.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie counts as gone
            if "ipykernel" in " ".join(process.cmdline()):
                found.append(process)
    return found


@pytest.fixture
def page(chromium, demo):
    page = chromium.new_page(viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("requestfailed", lambda r: problems.append(f"failed: {r.url}"))
    page.goto(demo.url)
    page.wait_for_selector(".velo-stats tbody tr", timeout=60_000)
    page.problems = problems
    yield page
    page.close()


def test_prices_move_alerts_arrive_and_nothing_overlaps(page):
    # at least one alert, and a first look at the table
    page.wait_for_selector(".velo-alerts .alert", timeout=60_000)
    first = page.inner_text(".velo-stats tbody")
    wait_for(lambda: page.inner_text(".velo-stats tbody") != first, 20, "prices that move")
    lines = (
        "() => [...document.querySelectorAll('.velo-tile-figure path.line')].map(p => p.getAttribute('d')).join('|')"
    )
    drawn = page.evaluate(lines)
    wait_for(lambda: page.evaluate(lines) != drawn, 20, "charts that move")
    assert len(page.query_selector_all(".velo-tile")) == 8
    assert len(page.query_selector_all(".velo-stats tbody tr")) == 8
    assert "LIVE" in page.inner_text(".velo-header")
    SCREENS.mkdir(exist_ok=True)
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        deadline = time.monotonic() + 10  # the charts are drawn again at the new size
        while (found := faults(page.evaluate(LAYOUT))) and time.monotonic() < deadline:
            page.wait_for_timeout(200)
        page.screenshot(path=SCREENS / f"dashboard_{width}.png")
        assert found == []
    assert page.problems == []


def test_a_second_tab_shows_the_same_stream_and_kernels_end_with_their_tabs(page, chromium, demo):
    window = chromium.new_context(viewport={"width": 1280, "height": 800})
    window.new_page()  # a window with another tab: the closed one may still say goodbye
    other = window.new_page()
    other.goto(demo.url)
    other.wait_for_selector(".velo-stats tbody tr", timeout=60_000)
    assert len(kernels(demo)) >= 2

    seen: list[dict[str, set[str]]] = [{}, {}]

    def share_prices():
        """Every symbol has shown the same price in both tabs; each samples the stream at its own pace."""
        for prices, tab in zip(seen, (page, other), strict=True):
            for row in tab.inner_text(".velo-stats tbody").splitlines():
                symbol, last, *_ = row.split("\t")
                prices.setdefault(symbol, set()).add(last)
        return len(seen[0]) == 8 and all(seen[0][symbol] & seen[1].get(symbol, set()) for symbol in seen[0])

    wait_for(share_prices, 60, "both tabs showing the same prices")
    before = len(kernels(demo))
    other.close(run_before_unload=True)
    wait_for(lambda: len(kernels(demo)) < before, 15, "the kernel of the closed tab to end")
    window.close()


def test_all_five_topics_have_alerts_and_the_end_is_clean(demo):
    """Last: it ends the demo that the others look at."""
    children = psutil.Process(demo.process.pid).children(recursive=True)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0, demo.log.read_text()
    summary = json.loads(demo.summary.read_text())
    assert len(summary["topics"]) == 5
    if summary["seconds"] >= 60:
        assert all(rows > 0 for rows in summary["topics"].values()), summary["topics"]
        assert summary["alerts_per_second"]["median"] < 2
    psutil.wait_procs(children, timeout=5)
    assert [p for p in children if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    lines = demo.log.read_text().splitlines()
    assert sum(line.endswith(" rows") for line in lines) == 5
    assert "Traceback" not in demo.log.read_text()
