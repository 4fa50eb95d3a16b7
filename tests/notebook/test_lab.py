"""The quickstart in a real JupyterLab and a real Chromium: run all cells, and the chart moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .lab import Lab, start_lab, stop_lab, wait_for

pytestmark = pytest.mark.browser

SCREENS = Path(__file__).parents[1] / "screens"
CHART = ".velo-live .velo-chart"
LINES = f"{CHART} .velo-figure path.line"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    process, running = start_lab(tmp_path_factory.mktemp("lab"))
    yield running
    stop_lab(process)


@pytest.fixture(scope="module")
def page(lab: Lab, chromium: Any) -> Iterator[Any]:
    """The quickstart, open and run from top to bottom."""
    # high enough that Lab lays out every cell
    opened = chromium.new_page(viewport={"width": 1280, "height": 2600})
    opened.errors = []
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.goto(lab.page("quickstart.ipynb"))
    opened.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
    opened.wait_for_selector(".jp-NotebookPanel-toolbar >> text=Python 3", timeout=60_000)
    opened.get_by_role("menuitem", name="Run", exact=True).click()
    opened.get_by_text("Run All Cells", exact=True).click()
    yield opened
    opened.close()


def lines(page: Any) -> list[str]:
    """The drawn curves: SVG path data."""
    return [path for path in page.eval_on_selector_all(LINES, "all => all.map(p => p.getAttribute('d'))") if path]


def test_the_charts_appear_and_their_data_change(page: Any) -> None:
    # eight stocks in the first chart, three exchanges in the reader's own
    wait_for(lambda: len(lines(page)) >= 11, 90, "eleven curves are drawn")
    before, total = lines(page), page.inner_text(f"{CHART} >> nth=1")
    wait_for(lambda: lines(page) != before, 20, "the curves move")
    wait_for(lambda: page.inner_text(f"{CHART} >> nth=1") != total, 20, "the numbers over the curves move")
    assert page.errors == []
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0


def test_tables_and_cards_look_as_they_should(page: Any) -> None:
    symbol, volume = (page.locator(".velo-rows td").nth(i) for i in (0, 4))
    align = "e => getComputedStyle(e).textAlign"
    assert (symbol.evaluate(align), volume.evaluate(align)) == ("left", "right")
    card = page.locator(".velo-job-card").first
    assert "running" in card.inner_text()
    # the light notebook has light cards, with readable text
    background = card.evaluate("e => getComputedStyle(e.closest('.velo-live')).backgroundColor")
    assert min(int(part) for part in background[4:-1].split(",")) > 200, background
    for box in (".velo-rows", ".velo-live"):
        for index in range(page.locator(box).count()):
            inside = page.locator(box).nth(index)
            assert inside.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), f"{box} {index} overflows"
    SCREENS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENS / "quickstart_lab.png", clip={"x": 290, "y": 100, "width": 960, "height": 2440})


def test_the_buttons_of_a_card_steer_its_job(page: Any) -> None:
    card = page.locator(".velo-job-card").nth(1)
    card.get_by_role("button", name="Pause").click()
    wait_for(lambda: "paused" in card.inner_text(), 15, "the card says paused")
    card.get_by_role("button", name="Resume").click()
    wait_for(lambda: "running" in card.inner_text(), 15, "the card says running")


def test_running_a_cell_again_keeps_one_card_and_one_chart(page: Any) -> None:
    cards = page.locator(".velo-job-card").count()
    charts = page.locator(CHART).count()
    cell = page.locator(".jp-CodeCell").filter(has_text="START JOB mine AS")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    wait_for(lambda: "runs with this text already" in cell.inner_text(), 30, "the job is kept")
    wait_for(lambda: page.locator(CHART).count() == charts, 15, "the chart is back, once")
    assert page.locator(".velo-job-card").count() == cards
    drawn = lines(page)
    wait_for(lambda: lines(page) != drawn, 20, "the curves go on moving")


def test_tab_completes_sql(page: Any) -> None:
    cell = page.locator(".jp-CodeCell").filter(has_text="START JOB mine AS")
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n AND bid_")
    page.keyboard.press("Tab")
    menu = page.locator(".jp-Completer")
    wait_for(menu.is_visible, 20, "the menu of completions")
    offered = menu.inner_text()
    assert "bid_price" in offered
    assert "bid_size" in offered
