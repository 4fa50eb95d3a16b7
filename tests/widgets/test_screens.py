import html
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from velostream_nb.core.clock import ManualClock
from velostream_nb.core.errors import ServerError
from velostream_nb.core.model import JobInfo, JobState
from velostream_nb.dashboards import TradingDashboard
from velostream_nb.dashboards.serving import template_root, voila_config, voila_environment
from velostream_nb.widgets import JobCard, LiveChart, LiveTable
from velostream_nb.widgets import pump as pump_module
from velostream_nb.widgets.job_card import JobCard as Card
from velostream_nb.widgets.pump import UiPump

from .conftest import START_US, Browser, LogSession

SYMBOLS = ("AAPL", "GOOGL", "MSFT", "AMZN", "TSLA", "NVDA", "META", "NFLX")
XSS = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def kernel_pump(pump: UiPump, monkeypatch: pytest.MonkeyPatch) -> Iterator[UiPump]:
    monkeypatch.setattr(pump_module, "_pump", pump)
    yield pump
    pump.stop()


def trade(session: LogSession, second: int, *, volume: int = 1_000, symbols: tuple[str, ...] = SYMBOLS) -> None:
    for index, symbol in enumerate(symbols):
        session.append(
            "market_data",
            {
                "symbol": symbol,
                "exchange": "NYSE",
                "price": 100.0 + index + (second % 7) * 0.1,
                "bid_price": 99.9 + index,
                "ask_price": 100.1 + index,
                "volume": volume,
                "timestamp": START_US // 1_000 + second * 1_000,
            },
        )


def board_texts(dashboard: TradingDashboard) -> str:
    panels = (dashboard.header, dashboard.alerts, dashboard.focus, dashboard.stats, dashboard.jobs)
    return "".join(panel.board.html for panel in panels) + dashboard.tiles.grid.board.html


def test_the_dashboard_shows_the_symbols_in_their_usual_order(session: LogSession, browser: Browser) -> None:
    trade(session, 0, symbols=tuple(reversed(SYMBOLS)))
    dashboard = TradingDashboard(session)
    assert dashboard.tiles.shown == list(SYMBOLS)
    assert dashboard.focus.symbol == "AAPL"
    browser.run(1)
    assert dashboard.tiles.selected == dashboard.stats.selected == "AAPL"


def test_an_empty_market_says_what_it_waits_for(session: LogSession, browser: Browser) -> None:
    dashboard = TradingDashboard(session)
    browser.run(3)
    assert "WAITING" in dashboard.header.board.html
    assert "no records in market_data yet" in html.unescape(dashboard.header.board.html)
    assert dashboard.tiles.grid.board.html.count("waiting for symbol") == 8
    assert "waiting for prices" in dashboard.stats.board.html


def test_many_ticks_make_no_new_widgets(session: LogSession, browser: Browser, widget_count: Callable[[], int]) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    chart = LiveChart(session, "market_data")
    table = LiveTable(session, "volume_spikes")
    browser.run(4)
    before = widget_count()
    for second in range(1, 60):
        trade(session, second)
        session.append(
            "volume_spikes", {"symbol": SYMBOLS[second % 8], "volume": 9, "detection_time": START_US // 1_000}
        )
        browser.run(2)
    assert widget_count() == before
    assert len(dashboard.alerts.log) > 0
    chart.stop()
    table.stop()
    dashboard.close()


def test_closing_gives_all_widgets_back(session: LogSession, widget_count: Callable[[], int]) -> None:
    trade(session, 0)
    TradingDashboard(session).close()
    before = widget_count()
    dashboard = TradingDashboard(session)
    assert widget_count() > before
    dashboard.close()
    # bqplot's marks, scales and axes have no owner that closes them: a figure must take its parts along
    assert widget_count() == before


def test_five_thousand_million_shares_stay_that(session: LogSession, browser: Browser) -> None:
    trade(session, 0, volume=5_000_000_000)
    trade(session, 1, volume=5_000_000_000)
    dashboard = TradingDashboard(session)
    volume = dashboard.tiles.grid.tiles[0].volume
    assert volume.y.dtype == np.float64
    assert volume.y.tolist() == [5e9] * 3
    sent = volume.get_state("y")["y"]
    assert np.frombuffer(sent["value"], dtype=sent["dtype"]).tolist() == [5e9] * 3
    assert "10.0B" in dashboard.tiles.grid.board.html
    chart = LiveChart(session, "market_data", y="volume")
    assert chart._view.grid.tiles[0].lines.y.tolist() == [5e9, 5e9]  # type: ignore[union-attr]


def test_text_of_records_is_escaped_everywhere(session: LogSession, browser: Browser) -> None:
    trade(session, 0, symbols=(XSS,))
    session.append("risk_alerts", {"trader_id": XSS, "symbol": XSS, "alert_type": XSS})
    session.job_list = [JobInfo(XSS, "", JobState.FAILED, (XSS,), XSS, error=XSS, notes=(XSS,))]
    dashboard = TradingDashboard(session)
    table, card = LiveTable(session, "risk_alerts"), JobCard(session, XSS)
    chart, feed = LiveChart(session, "market_data"), LiveChart(session, "risk_alerts")
    browser.run(4)
    shown = board_texts(dashboard) + "".join(w.board.html for w in (table, card, chart, feed))
    shown += table._view.board.html + chart._view.grid.board.html + feed._view.board.html  # type: ignore[union-attr]
    assert shown.count("&lt;script&gt;") > 10
    assert "<script" not in shown


def test_points_are_bounded(session: LogSession) -> None:
    for second in range(2_000):
        trade(session, second, symbols=("AAPL",))
    dashboard = TradingDashboard(session)
    tile = dashboard.tiles.grid.tiles[0]
    assert tile.lines.y.shape == (2, 300)
    assert len(dashboard.focus._candles.x) == 120
    chart = LiveChart(session, "market_data", keep=50_000)
    assert len(chart._view.grid.tiles[0].lines.x) == 1_000  # type: ignore[union-attr]


def test_each_tick_sends_fresh_arrays(session: LogSession, browser: Browser) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    lines = dashboard.tiles.grid.tiles[0].lines
    before = lines.y
    trade(session, 1)
    browser.run(1)
    assert lines.y is not before
    assert lines.y.shape == (2, 2)


def test_picking_a_symbol_moves_focus_tile_and_row(session: LogSession, browser: Browser) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    browser.run(1)
    dashboard.tiles._act("focus", "NVDA")
    assert dashboard.focus.symbol == "AAPL"
    browser.run(1)
    assert dashboard.focus.symbol == "NVDA"
    assert 'data-arg="NVDA"' in dashboard.stats.board.html.split('class="selected"')[1].split(">")[0]
    dashboard.header._act("focus", "NO SUCH")
    browser.run(1)
    assert dashboard.focus.symbol == "NVDA"
    assert dashboard.header.board.hotkeys["6"] == ["focus", "NVDA"]


def test_panning_stops_following_until_told_to(session: LogSession, browser: Browser) -> None:
    for second in range(100):
        trade(session, second)
    dashboard = TradingDashboard(session)
    browser.run(2)
    focus = dashboard.focus
    ours = focus.time_axis.limits
    assert focus.follow
    # what the browser sends while the reader drags
    focus._x.set_state({"min": "2023-11-14T22:00:00.000Z"})
    trade(session, 101)
    browser.run(3)
    assert not focus.follow
    assert "Follow" in focus.board.html
    assert focus._x.min == datetime(2023, 11, 14, 22, 0)
    focus._act("follow", "")
    browser.run(3)
    assert focus.follow
    assert focus._x.min != datetime(2023, 11, 14, 22, 0)
    assert ours is not None


def test_limits_of_time_scales_are_sent_as_utc(session: LogSession) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    assert dashboard.tiles.grid.time_axis.scale.get_state("max")["max"].endswith("Z")


def test_pausing_holds_the_view_but_not_the_records(session: LogSession, browser: Browser) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    dashboard.header._act("pause", "")
    browser.run(1)
    heads = dashboard.tiles.grid.board.html
    trade(session, 5, volume=7_000_000)
    browser.run(4)
    assert "PAUSED" in dashboard.header.board.html
    assert dashboard.tiles.grid.board.html == heads
    dashboard.header._act("pause", "")
    browser.run(4)
    assert "LIVE" in dashboard.header.board.html
    assert "7.00M" in dashboard.tiles.grid.board.html


def test_states_live_stale_failed(session: LogSession, browser: Browser) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    browser.run(2)
    assert "● LIVE" in dashboard.header.board.html
    browser.run(20)
    assert "STALE" in dashboard.header.board.html
    assert "nothing new for" in dashboard.header.board.html
    trade(session, 1)
    session.away = True
    browser.run(3)
    assert "server away" in dashboard.header.board.html
    assert "velo-away" in dashboard.root._dom_classes
    session.away = False
    browser.run(8)
    assert "velo-away" not in dashboard.root._dom_classes
    session.job_list = [JobInfo("risk", "", JobState.FAILED, (), "", error="no such column")]
    browser.run(8)
    assert "✖ FAILED" in dashboard.header.board.html
    assert "risk: no such column" in dashboard.header.board.html


def test_unread_alerts_show_in_the_title(session: LogSession, browser: Browser) -> None:
    trade(session, 0)
    dashboard = TradingDashboard(session)
    browser.run(1)
    session.append("price_alerts", {"symbol": "AAPL", "price": 1.0, "prev_price": 2.0})
    browser.run(3)
    assert dashboard.header.board.title.startswith("(1) LIVE")


def test_a_chart_waits_for_its_first_rows_and_says_so(
    session: LogSession, browser: Browser, clock: ManualClock
) -> None:
    chart = LiveChart(session, "late_topic")
    browser.run(30)
    assert "waiting for rows in late_topic" in chart.board.html
    assert "%velo jobs" in chart.board.html
    session.append("late_topic", {"ts": START_US // 1_000, "value": 1.0})
    browser.run(2)
    assert repr(chart) == "LiveChart('late_topic': lines value over ts, 1 rows)"
    assert "1" in chart._repr_mimebundle_()["text/plain"]


def test_a_chart_of_a_wrong_column_shows_the_error_on_itself(
    session: LogSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    trade(session, 0)
    chart = LiveChart(session, "market_data", y="prise")
    assert "no column 'prise'" in chart.board.fault
    assert "did you mean price?" in chart.board.fault


def test_one_row_becomes_tiles_and_keeps_the_newest(session: LogSession, browser: Browser) -> None:
    session.append("totals", {"trades": 3, "turnover": 5_000_000_000.0})
    chart = LiveChart(session, "totals")
    session.append("totals", {"trades": 4, "turnover": 6_000_000_000.0})
    browser.run(1)
    shown = chart._view.board.html  # type: ignore[union-attr]
    assert "<b>4</b>" in shown
    assert "<b>6.00B</b>" in shown


def test_a_table_keeps_the_newest_rows_first(session: LogSession, browser: Browser) -> None:
    session.append("t", *({"n": n} for n in range(100)))
    table = LiveTable(session, "t", rows=3)
    assert [row["n"] for row in table._view.rows] == [99, 98, 97]
    session.append("t", {"n": 100})
    browser.run(1)
    assert [row["n"] for row in table._view.rows] == [100, 99, 98]
    assert "n=100" in repr(table)


def test_a_job_card_tells_and_steers_its_job(session: LogSession, browser: Browser) -> None:
    session.job_list = [JobInfo("spikes", "", JobState.RUNNING, ("m",), "out", rows_in=10, rows_out=2, rate=5.0)]
    session.append("out", {"symbol": "A", "ratio": 4.5})
    card = JobCard(session, "spikes")
    assert "newest: symbol=A  ratio=4.50" in repr(card)
    assert "job spikes running: m -> out, 10 rows in, 2 rows out, 5 rows/s" in repr(card)
    card._act("stop", "")
    card._act("format disk", "")
    assert session.controlled == []
    browser.run(1)
    assert session.controlled == [("spikes", "stop")]
    assert isinstance(card, Card)


def test_a_job_card_whose_control_fails_shows_why(
    session: LogSession, browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    session.job_list = [JobInfo("spikes", "", JobState.RUNNING, (), "")]
    card = JobCard(session, "spikes")

    def refuse(_name: str, _action: str) -> Any:
        raise ServerError("not allowed")

    monkeypatch.setattr(session, "control", refuse)
    card._act("stop", "")
    browser.run(1)
    assert card.board.fault == "ServerError: not allowed"


def test_the_voila_template_is_offline_and_where_the_environment_says() -> None:
    environment = voila_environment({"JUPYTER_PATH": "/elsewhere"})
    first, second = environment["JUPYTER_PATH"].split(":")
    assert (first, second) == (str(template_root()), "/elsewhere")
    folder = template_root() / "voila" / "templates" / "velo"
    assert json.loads((folder / "conf.json").read_text()) == {"base_template": "lab"}
    for file in folder.iterdir():
        assert "http://" not in file.read_text()
        assert "https://" not in file.read_text()


def test_voila_is_told_to_end_kernels_and_not_to_buffer() -> None:
    config = voila_config()
    assert config["MappingKernelManager"]["buffer_offline_messages"] is False

    class Request:
        touched = False

        @property
        def xsrf_token(self) -> str:
            self.touched = True
            return "token"

    request = Request()
    assert config["VoilaConfiguration"]["prelaunch_hook"](request, notebook="nb", cwd="/") == "nb"
    assert request.touched
    page = config["VoilaConfiguration"]["page_config_hook"]({"fullMathjaxUrl": "https://cdn"}, base_url="/")
    assert page["fullMathjaxUrl"] == "null"
