"""The alerts panel: newest first, filtered, acknowledged, never lossy within its cap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from velostream_nb.core.model import Frame, SessionLike
from velostream_nb.widgets import text
from velostream_nb.widgets.alerts import Alert, AlertEntry, AlertLog, Severity, read_alerts
from velostream_nb.widgets.board import Board
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import close_tree

ICONS = {Severity.CRIT: "▲", Severity.WARN: "◆", Severity.INFO: "●"}
_FILTERS = ("ALL", "CRIT", "WARN", "INFO")


class AlertsPanel(Panel):
    """A feed over any alert topics.

    Args:
        on_pick: called with a symbol when an alert is clicked; None makes alerts inert.
    """

    def __init__(
        self,
        session: SessionLike,
        topics: Sequence[str],
        *,
        log: AlertLog | None = None,
        title: str = "Alerts",
        on_pick: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(session)
        self.topics = tuple(topics)
        self.log = log or AlertLog()
        self.severity = "ALL"
        self.subject = ""
        self._title = title
        self._on_pick = on_pick
        self._drawn: object = None
        self._begun: set[str] = set()
        self._history: list[Alert] = []
        self.board = Board("velo-card", "velo-alerts", on_action=self._act)

    @property
    def root(self) -> Any:
        return self.board

    def ingest(self, frame: Frame, _now_us: int) -> None:
        unread = frame.topic in self._begun
        self._begun.add(frame.topic)
        self._history += [] if unread else read_alerts(frame.topic, frame.rows)
        if unread:
            for alert in read_alerts(frame.topic, frame.rows):
                self.log.add(alert)

    def draw(self, _look: Look) -> None:
        self._add_history()
        version = (self.log.revision, self.severity, self.subject)
        if version == self._drawn:
            return
        self._drawn = version
        self.board.html = self.markup()

    def _add_history(self) -> None:
        """What the topics held when we began, in the order of time over all topics; it is not news."""
        for alert in sorted(self._history, key=lambda alert: alert.time_us or 0):
            self.log.add(alert, unread=False)
        self._history.clear()

    def markup(self) -> str:
        """The panel's HTML; every text of a record in it is escaped."""
        shown = [entry for entry in self.log if self._wanted(entry)]
        rows = "".join(self._row(entry) for entry in shown)
        empty = "no alerts yet" if not len(self.log) else "no alerts match the filter"
        unread = f'<b class="badge">{self.log.unread} new</b>' if self.log.unread else ""
        lost = (
            f'<div class="velo-empty">{self.log.dropped} older alerts left the list</div>' if self.log.dropped else ""
        )
        return (
            f'<div class="velo-title"><h2>{text.escape(self._title)}</h2>'
            f'<span class="dim">{text.compact(self.log.total)}</span>{unread}'
            f'<span class="velo-buttons"><button data-act="ack-all" title="mark all as seen">✓ Ack all</button></span>'
            f"</div>{self._filters()}"
            f'<div class="velo-scroll" role="log" aria-label="alerts, newest first">'
            f'{rows or f"""<div class="velo-empty">{empty}</div>"""}{lost}</div>'
        )

    def fault(self, message: str | None) -> None:
        self.board.fault = message or ""

    def close(self) -> None:
        close_tree(self.root)

    def _wanted(self, entry: AlertEntry) -> bool:
        alert = entry.alert
        return self.severity in ("ALL", alert.severity.name) and self.subject in ("", alert.subject)

    def _filters(self) -> str:
        counts = dict.fromkeys(_FILTERS, 0)
        for entry in self.log:
            counts[entry.alert.severity.name] += 1
            counts["ALL"] += 1
        buttons = "".join(
            f'<button data-act="severity" data-arg="{name}" '
            f'class="{"on" if name == self.severity else ""} {name.lower()}" '
            f'aria-pressed="{str(name == self.severity).lower()}">{_icon(name)}{name} {counts[name]}</button>'
            for name in _FILTERS
        )
        subjects = sorted({entry.alert.subject for entry in self.log} - {""})
        options = "".join(
            f'<option value="{text.escape(name)}" data-key="{text.escape(name)}">{text.escape(name)}</option>'
            for name in subjects
        )
        return (
            f'<div class="velo-filters"><span class="velo-buttons">{buttons}</span>'
            f'<select data-act="subject" aria-label="symbol"><option value="" data-key=" ">all symbols</option>'
            f"{options}</select></div>"
        )

    def _row(self, entry: AlertEntry) -> str:
        alert = entry.alert
        level = alert.severity.name
        classes = f"alert {level.lower()}{' acked' if entry.acked else ''}{' unread' if entry.unread else ''}"
        times = f'<b class="times">×{entry.count}</b>' if entry.count > 1 else ""
        ack = (
            '<span class="done" title="acknowledged">✓</span>'
            if entry.acked
            else f'<button data-act="ack" data-arg="{entry.key}" title="acknowledge">Ack</button>'
        )
        subject = text.escape(alert.subject)
        pick = f'data-act="focus" data-arg="{subject}" tabindex="0"' if self._on_pick and alert.subject else ""
        limit = f'<span class="dim">{text.escape(alert.threshold)}</span>' if alert.threshold else ""
        return (
            f'<div class="{classes}" data-key="{entry.key}" {pick}>'
            f'<span class="level">{ICONS[alert.severity]} {level}</span>'
            f'<span class="when">{text.clock(alert.time_us)}</span>'
            f'<b class="subject">{subject}</b><span class="rule">{text.escape(alert.rule)}{times}</span>'
            f'<span class="value"><b>{text.escape(alert.value)}</b> {limit}</span>'
            f'<span class="detail" title="{text.escape(alert.detail)}">{text.escape(alert.detail)}</span>{ack}</div>'
        )

    def _act(self, act: str, arg: str) -> None:
        self.enqueue(lambda: self._do(act, arg))

    def _do(self, act: str, arg: str) -> None:
        if act == "ack":
            self.log.acknowledge(arg)
        elif act == "ack-all":
            self.log.acknowledge()
        elif act == "severity" and arg in _FILTERS:
            self.severity = arg
        elif act == "subject":
            self.subject = arg
        elif act == "focus" and self._on_pick is not None:
            self._on_pick(arg)


def _icon(name: str) -> str:
    return "" if name == "ALL" else ICONS[Severity[name]] + " "
