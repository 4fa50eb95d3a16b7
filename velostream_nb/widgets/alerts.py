"""The list of alerts behind the panel: grouped, capped, countable; and what each alert topic means."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import pyarrow as pa

from velostream_nb.widgets import text
from velostream_nb.widgets.columns import NO_TIME, times_us

CAP = 200
GROUP_WITHIN_US = 60_000_000
"""The same rule for the same subject within this time of event time is one entry, 'xN'."""


class Severity(IntEnum):
    """Ordered: the larger, the worse."""

    INFO = 0
    WARN = 1
    CRIT = 2


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert record in words (plain text, not escaped).

    Attributes:
        subject: what it is about: a symbol, else a trader, else ''.
        group: repeats of the same group are counted, not listed.
        value, threshold: '+5.8%' and '> 5%'; '' when the record has none.
    """

    rule: str
    severity: Severity
    subject: str
    value: str
    threshold: str
    detail: str
    time_us: int | None
    group: str


@dataclass(slots=True)
class AlertEntry:
    """One line of the list: the newest alert of its group and how often it came."""

    key: str
    alert: Alert
    count: int = 1
    acked: bool = False
    unread: bool = True


class AlertLog:
    """Newest first; nothing is lost within the cap, and what falls off the end is counted.

    Attributes:
        total: alerts ever added.
        dropped: entries that fell off the end of the list.
    """

    def __init__(self, *, cap: int = CAP, group_within_us: int = GROUP_WITHIN_US) -> None:
        self._cap = cap
        self._group_within_us = group_within_us
        self._entries: OrderedDict[str, AlertEntry] = OrderedDict()
        self._open: dict[str, str] = {}
        self._serial = 0
        self.total = 0
        self.dropped = 0
        self.revision = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[AlertEntry]:
        """Entries, newest first."""
        return reversed(self._entries.values())

    @property
    def unread(self) -> int:
        return sum(entry.unread for entry in self._entries.values())

    def add(self, alert: Alert, *, unread: bool = True) -> None:
        """Count it into its open group, or begin a new entry on top; history that was there before is not unread."""
        self.total += 1
        self.revision += 1
        entry = self._entries.get(self._open.get(alert.group, ""))
        if entry is not None and not entry.acked and self._near(entry.alert, alert):
            entry.count += 1
            entry.unread = entry.unread or unread
            entry.alert = alert
            self._entries.move_to_end(entry.key)
            return
        self._serial += 1
        key = f"a{self._serial}"
        self._open[alert.group] = key
        self._entries[key] = AlertEntry(key, alert, unread=unread)
        while len(self._entries) > self._cap:
            gone, oldest = self._entries.popitem(last=False)
            self.dropped += 1
            if self._open.get(oldest.alert.group) == gone:
                del self._open[oldest.alert.group]

    def acknowledge(self, key: str | None = None) -> None:
        """Mark one entry (or all) as seen and dealt with; a repeat after it begins a new entry."""
        self.revision += 1
        for entry in self._entries.values():
            if key is None or entry.key == key:
                entry.acked, entry.unread = True, False

    def _near(self, old: Alert, new: Alert) -> bool:
        if old.time_us is None or new.time_us is None:
            return True
        return abs(new.time_us - old.time_us) <= self._group_within_us


def read_alerts(topic: str, rows: pa.Table) -> list[Alert]:
    """The alerts in a frame's rows, in their order; any columns may be missing."""
    describe = DESCRIBE.get(topic, _generic)
    times = times_us(rows, "detection_time", "window_end", "timestamp", "event_time", "ts", "time")
    found = []
    for row, time_us in zip(rows.to_pylist(), times.tolist(), strict=True):
        rule, severity, subject, value, threshold, detail, about = describe(row, topic)
        when = None if time_us == NO_TIME else time_us
        found.append(Alert(rule, severity, subject, value, threshold, detail, when, f"{topic}|{rule}|{about}"))
    return found


_Row = Mapping[str, Any]
_Described = tuple[str, Severity, str, str, str, str, str]
"""rule, severity, subject, value, threshold, detail, what a repeat has in common"""


def _word(row: _Row, *names: str) -> str:
    return next((str(row[name]) for name in names if row.get(name) is not None), "")


def _number(row: _Row, *names: str) -> float | None:
    for name in names:
        value = row.get(name)
        if value is None or isinstance(value, bool):
            continue
        try:
            return float(value)
        except (TypeError, ValueError):
            continue
    return None


def _join(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _price_move(row: _Row, _topic: str) -> _Described:
    now, before = _number(row, "price"), _number(row, "prev_price")
    percent = _number(row, "price_change_pct")
    change = now / before - 1 if now is not None and before else None if percent is None else percent / 100
    severity = Severity.CRIT if change is not None and abs(change) >= 0.08 else Severity.WARN
    symbol, exchange = _word(row, "symbol"), _word(row, "exchange")
    detail = _join(f"{text.price(before)} → {text.price(now)}", exchange)
    return "price move", severity, symbol, text.percent(change), "> 5%", detail, symbol


def _volume_spike(row: _Row, _topic: str) -> _Described:
    ratio = _number(row, "volume_ratio")
    volume, average = _number(row, "volume"), _number(row, "avg_volume_20", "avg_volume")
    if ratio is None and volume is not None and average:
        ratio = volume / average
    severity = Severity.WARN if ratio is not None and ratio >= 6 else Severity.INFO
    symbol, exchange = _word(row, "symbol"), _word(row, "exchange")
    detail = _join(f"{text.compact(volume)} against {text.compact(average)}", exchange)
    value = text.DASH if ratio is None else f"{ratio:.1f}×"
    return "volume spike", severity, symbol, value, "> 3×", detail, symbol


_RISK = {
    "POSITION_LIMIT_EXCEEDED": ("position limit", Severity.CRIT, "position_value", "> $1M"),
    "DAILY_LOSS_LIMIT_EXCEEDED": ("daily loss limit", Severity.CRIT, "total_pnl", "< −$50k"),
    "POSITION_WARNING": ("position warning", Severity.WARN, "position_value", "> $500k"),
}


def _risk(row: _Row, _topic: str) -> _Described:
    kind = _word(row, "alert_type")
    plain = kind.replace("_", " ").lower() or "risk"
    rule, severity, column, limit = _RISK.get(kind, (plain, Severity.WARN, "position_value", ""))
    trader, symbol = _word(row, "trader_id"), _word(row, "symbol")
    pnl = _number(row, "total_pnl")
    value = text.compact(_number(row, column), unit="$")
    if column == "total_pnl" and trader:  # a trader's total is one alert, whichever of the positions told it
        return rule, severity, trader.replace("TRADER_", "T-"), value, limit, f"{trader}, all positions", trader
    detail = _join(trader, f"P&L {text.compact(pnl, unit='$')}" if pnl is not None else "")
    return rule, severity, symbol or trader, value, limit, detail, f"{trader}|{symbol}"


def _imbalance(row: _Row, _topic: str) -> _Described:
    buys, sells = _number(row, "buy_volume"), _number(row, "sell_volume")
    ratio = _number(row, "buy_ratio", "imbalance", "imbalance_ratio")
    if buys is not None and sells is not None and buys + sells > 0:
        ratio = buys / (buys + sells)
    share = None if ratio is None else max(ratio, 1 - ratio)
    side = "" if ratio is None else "buy" if ratio >= 0.5 else "sell"
    severity = Severity.WARN if share is not None and share >= 0.8 else Severity.INFO
    symbol = _word(row, "symbol")
    detail = f"{text.compact(buys)} bought, {text.compact(sells)} sold"
    value = text.DASH if share is None else f"{share * 100:.0f}% {side}"
    return "order imbalance", severity, symbol, value, "> 70%", detail, f"{symbol}|{side}"


def _arbitrage(row: _Row, _topic: str) -> _Described:
    bps, profit = _number(row, "spread_bps"), _number(row, "potential_profit")
    severity = Severity.WARN if bps is not None and bps >= 25 else Severity.INFO
    symbol, buy, sell = _word(row, "symbol"), _word(row, "buy_exchange"), _word(row, "sell_exchange")
    legs = f"{buy} {text.price(_number(row, 'ask_price'))} → {sell} {text.price(_number(row, 'bid_price'))}"
    detail = _join(legs, f"profit {text.compact(profit, unit='$')}" if profit is not None else "")
    value = text.DASH if bps is None else f"{bps:.1f} bps"
    return "arbitrage", severity, symbol, value, "≥ 10 bps", detail, f"{symbol}|{buy}|{sell}"


_SEVERE = {"critical": Severity.CRIT, "crit": Severity.CRIT, "error": Severity.CRIT, "fatal": Severity.CRIT}
_SEVERE |= {"high": Severity.CRIT, "warning": Severity.WARN, "warn": Severity.WARN, "medium": Severity.WARN}


def _generic(row: _Row, topic: str) -> _Described:
    severity = _SEVERE.get(_word(row, "severity", "level").lower(), Severity.INFO)
    subject = _word(row, "symbol", "ticker", "trader_id", "key", "name")
    value = _number(row, "value", "price", "amount")
    message = _word(row, "message", "msg", "text", "reason", "detail", "description")
    rule = _word(row, "rule", "alert_type") or topic.replace("_", " ")
    return rule, severity, subject, "" if value is None else text.cell(value), "", message, f"{subject}|{message}"


DESCRIBE: Mapping[str, Callable[[_Row, str], _Described]] = {
    "price_alerts": _price_move,
    "volume_spikes": _volume_spike,
    "risk_alerts": _risk,
    "order_imbalance_alerts": _imbalance,
    "arbitrage_opportunities": _arbitrage,
}
"""How the records of each alert topic of the trading application read; any other topic goes by its columns."""
