import pyarrow as pa
import pytest

from velostream_nb.widgets.alerts import Alert, AlertLog, Severity, read_alerts
from velostream_nb.widgets.alerts_panel import AlertsPanel

from .conftest import LogSession, Look

SECOND = 1_000_000
XSS = "<img src=x onerror=alert(1)>"


def alert(subject: str = "NVDA", second: int = 0, rule: str = "spike", severity: Severity = Severity.WARN) -> Alert:
    return Alert(rule, severity, subject, "4.2×", "> 3×", "detail", second * SECOND, f"{rule}|{subject}")


def test_repeats_are_one_entry_on_top_with_a_count() -> None:
    log = AlertLog()
    for step in (alert("NVDA", 0), alert("TSLA", 1), alert("NVDA", 2)):
        log.add(step)
    assert [(entry.alert.subject, entry.count) for entry in log] == [("NVDA", 2), ("TSLA", 1)]
    assert log.total == 3


def test_a_repeat_after_the_group_time_is_a_new_entry() -> None:
    log = AlertLog(group_within_us=60 * SECOND)
    log.add(alert(second=0))
    log.add(alert(second=60))
    log.add(alert(second=121))
    assert [entry.count for entry in log] == [1, 2]


def test_a_repeat_after_an_acknowledgement_is_a_new_unread_entry() -> None:
    log = AlertLog()
    log.add(alert(second=0))
    log.acknowledge(next(iter(log)).key)
    log.add(alert(second=1))
    assert [(entry.acked, entry.unread) for entry in log] == [(False, True), (True, False)]


def test_the_list_is_capped_and_says_what_left_it() -> None:
    log = AlertLog(cap=200)
    for number in range(205):
        log.add(alert(f"S{number}"))
    assert len(log) == 200
    assert (log.dropped, log.total) == (5, 205)
    assert next(iter(log)).alert.subject == "S204"
    log.add(alert("S0"))
    assert next(iter(log)).count == 1


def test_unread_counts_entries_until_they_are_acknowledged() -> None:
    log = AlertLog()
    log.add(alert("A"))
    log.add(alert("B"))
    log.add(alert("B", 1))
    log.add(alert("C"), unread=False)
    assert log.unread == 2
    log.acknowledge()
    assert log.unread == 0


@pytest.mark.parametrize(
    ("topic", "row", "expected"),
    [
        (
            "price_alerts",
            {
                "symbol": "TSLA",
                "exchange": "NYSE",
                "price": 108.0,
                "prev_price": 100.0,
                "price_change_pct": 8.0,
                "volume": 3,
            },
            ("price move", Severity.CRIT, "TSLA", "+8.00%", "> 5%"),
        ),
        (
            "price_alerts",
            {"symbol": "TSLA", "price_change_pct": -5.5},
            ("price move", Severity.WARN, "TSLA", "−5.50%", "> 5%"),
        ),
        (
            "volume_spikes",
            {"symbol": "NVDA", "volume": 700, "avg_volume_20": 100.0},
            ("volume spike", Severity.WARN, "NVDA", "7.0×", "> 3×"),
        ),
        (
            "risk_alerts",
            {
                "trader_id": "TRADER_003",
                "symbol": "AAPL",
                "position_value": 1_240_000.0,
                "total_pnl": -1.0,
                "alert_type": "POSITION_LIMIT_EXCEEDED",
            },
            ("position limit", Severity.CRIT, "AAPL", "$1.24M", "> $1M"),
        ),
        (
            "risk_alerts",
            {
                "trader_id": "TRADER_003",
                "symbol": "AAPL",
                "total_pnl": -61_000.0,
                "alert_type": "DAILY_LOSS_LIMIT_EXCEEDED",
            },
            ("daily loss limit", Severity.CRIT, "T-003", "−$61.0k", "< −$50k"),
        ),
        (
            "order_imbalance_alerts",
            {"symbol": "META", "buy_volume": 1_700, "sell_volume": 8_300},
            ("order imbalance", Severity.WARN, "META", "83% sell", "> 70%"),
        ),
        (
            "arbitrage_opportunities",
            {"symbol": "MSFT", "buy_exchange": "BATS", "sell_exchange": "NYSE", "spread_bps": 14.26},
            ("arbitrage", Severity.INFO, "MSFT", "14.3 bps", "≥ 10 bps"),
        ),
        (
            "limits_breached",
            {"severity": "critical", "message": "desk 4 over limit"},
            ("limits breached", Severity.CRIT, "", "", ""),
        ),
        ("volume_spikes", {"something": "else"}, ("volume spike", Severity.INFO, "", "–", "> 3×")),
        ("price_alerts", {"symbol": "A", "price": "not a number"}, ("price move", Severity.WARN, "A", "–", "> 5%")),
    ],
)
def test_each_alert_topic_reads_in_words_whatever_columns_it_has(
    topic: str, row: dict[str, object], expected: tuple[object, ...]
) -> None:
    (read,) = read_alerts(topic, pa.Table.from_pylist([row]))
    assert (read.rule, read.severity, read.subject, read.value, read.threshold) == expected


def test_alert_times_come_from_detection_time_in_any_form() -> None:
    for value, kind in ((1_700_000_000_000, pa.int64()), (1_700_000_000_000_000, pa.timestamp("us"))):
        table = pa.table({"symbol": ["A"], "detection_time": pa.array([value], kind)})
        assert read_alerts("price_alerts", table)[0].time_us == 1_700_000_000_000_000


@pytest.mark.parametrize(
    "topic",
    ["price_alerts", "volume_spikes", "risk_alerts", "order_imbalance_alerts", "arbitrage_opportunities", "other"],
)
def test_text_of_records_never_becomes_markup(session: LogSession, topic: str) -> None:
    names = ("symbol", "exchange", "trader_id", "alert_type", "buy_exchange", "sell_exchange", "severity", "message")
    session.append(topic, dict.fromkeys(names, XSS) | {"detection_time": 1_700_000_000_000})
    panel = AlertsPanel(session, [topic], title=XSS, on_pick=lambda _symbol: None)
    panel.ingest(session.frames({topic: None})[topic], 0)
    panel.draw(Look(now_us=0))
    assert "&lt;img" in panel.board.html
    assert "<img" not in panel.board.html


def test_filters_and_acknowledgements_come_from_actions(session: LogSession) -> None:
    panel = AlertsPanel(session, ["x"])
    panel.log.add(alert("NVDA", severity=Severity.CRIT))
    panel.log.add(alert("TSLA", severity=Severity.INFO))

    def shown() -> list[str]:
        html = panel.markup()
        return [name for name in ("NVDA", "TSLA") if f'<b class="subject">{name}</b>' in html]

    assert shown() == ["NVDA", "TSLA"]
    panel._act("severity", "CRIT")
    assert shown() == ["NVDA"]
    panel._act("severity", "nonsense")
    panel._act("severity", "ALL")
    panel._act("subject", "TSLA")
    assert shown() == ["TSLA"]
    panel._act("ack-all", "")
    assert panel.log.unread == 0


def test_history_is_merged_by_time_and_is_not_news(session: LogSession) -> None:
    session.append("price_alerts", {"symbol": "LATE", "detection_time": 1_700_000_009_000})
    session.append("volume_spikes", {"symbol": "EARLY", "detection_time": 1_700_000_001_000})
    panel = AlertsPanel(session, ["price_alerts", "volume_spikes"])
    for frame in session.frames({"price_alerts": None, "volume_spikes": None}).values():
        panel.ingest(frame, 0)
    panel.draw(Look(now_us=0))
    assert [entry.alert.subject for entry in panel.log] == ["LATE", "EARLY"]
    assert panel.log.unread == 0
    session.append("volume_spikes", {"symbol": "NEW", "detection_time": 1_700_000_010_000})
    panel.ingest(session.frames({"volume_spikes": 1})["volume_spikes"], 0)
    assert panel.log.unread == 1
