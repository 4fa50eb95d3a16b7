"""The one UI pump of a kernel: one thread, one timer; pulls frames once and drains them into widgets.

Nothing else writes widgets. Callbacks from the browser may run on any thread and late, so they only put commands
into the pump's inbox.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from velostream_nb.core.clock import Clock, SystemClock
from velostream_nb.widgets.feed import SessionFeed
from velostream_nb.widgets.gate import AckGate, Lease
from velostream_nb.widgets.panel import Look, Panel
from velostream_nb.widgets.pulse import Pulse

logger = logging.getLogger(__name__)

MAX_HZ = 10.0
HIDDEN_PULL_US = 1_000_000
"""How often records are pulled while the browser does not paint."""


def end_process() -> None:
    """End this kernel at once; only for kernels that exist for one dashboard tab."""
    logger.warning("nobody looks at this dashboard any more: ending its kernel")
    os._exit(0)


class UiPump:
    """Drives panels at up to `hz` updates a second, as fast as the browser paints and no faster.

    Args:
        hz: updates a second, at most 10.
        clock: manual in tests, which call `tick` themselves.
        on_expire: called when nobody looks any more; None lets the pump sleep until somebody does.
        threaded: run the timer thread while there are panels.
    """

    def __init__(
        self,
        *,
        hz: float = 4.0,
        clock: Clock | None = None,
        lease: Lease | None = None,
        on_expire: Callable[[], None] | None = None,
        threaded: bool = True,
    ) -> None:
        self.pulse = Pulse()
        self.gate = AckGate(int(1_000_000 / max(0.1, min(hz, MAX_HZ))))
        self.lease = lease or Lease()
        self.conflated = 0
        self._clock = clock or SystemClock()
        self._on_expire = on_expire
        self._threaded = threaded
        self._panels: dict[Panel, None] = {}
        self._keys: dict[object, Panel] = {}
        self._feeds: dict[int, SessionFeed] = {}
        self._faults: dict[Panel, dict[str, str]] = {}
        self._inbox: deque[tuple[Panel | None, Callable[[], object]]] = deque()
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._drawn = 0
        self._fresh = False
        self._pulled_us = 0
        self.pulse.observe(self._on_pulse, names=["ack", "beat", "visible"])

    @property
    def panels(self) -> list[Panel]:
        with self._lock:
            return list(self._panels)

    def register(self, panel: Panel, *, key: object = None) -> None:
        """Fill the panel with what is there, draw it once and keep it live.

        Args:
            key: a panel registered earlier under the same key is closed: re-running a cell replaces its panel.
        """
        with self._lock:
            if key is not None:
                if (earlier := self._keys.pop(key, None)) is not None:
                    self.unregister(earlier)
                self._keys[key] = panel
            now_us = self._clock.now_us()
            feed = self._feeds.setdefault(id(panel.session), SessionFeed(panel.session))
            self._panels[panel] = None
            panel.enqueue = partial(self.command, panel=panel)
            self.lease.start(now_us)
            self._guard(panel, "records", partial(feed.join, panel, now_us))
            self._guard(panel, "drawing", partial(panel.draw, self._look(feed, now_us)))
            self._start()

    def unregister(self, panel: Panel) -> None:
        """Let go of a panel and close its widgets; unknown panels are ignored."""
        with self._lock:
            if panel not in self._panels:
                return
            del self._panels[panel]
            self._faults.pop(panel, None)
            self._keys = {key: kept for key, kept in self._keys.items() if kept is not panel}
            feed = self._feeds[id(panel.session)]
            feed.leave(panel)
            if not feed.panels:
                del self._feeds[id(panel.session)]
            panel.close()

    def command(self, action: Callable[[], object], *, panel: Panel | None = None) -> None:
        """Run `action` on the pump soon; its error is shown on `panel`. Safe from any thread, never blocks."""
        self._inbox.append((panel, action))
        self._wake.set()

    def tick(self) -> None:
        """One turn: commands, one pull per session, and one draw if the browser is ready. Called by the timer."""
        with self._lock:
            now_us = self._clock.now_us()
            self._run_inbox()
            if self.lease.expired(now_us):
                if self._on_expire is not None:
                    self._on_expire()
                return
            ready = self.lease.seen and self.gate.ready(now_us)
            if ready or now_us - self._pulled_us >= HIDDEN_PULL_US:
                self._pull(now_us)
            if ready:
                self._draw(now_us)
            elif self._fresh and self.lease.seen:
                self.conflated += 1
                self._fresh = False

    def stop(self) -> None:
        """Close all panels; the thread ends by itself."""
        with self._lock:
            for panel in list(self._panels):
                self.unregister(panel)
        self._wake.set()
        if (thread := self._thread) is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    def _on_pulse(self, change: Any) -> None:
        """Runs on whatever thread the message came in: only notes it, with its time."""
        now_us = self._clock.now_us()
        if change["name"] == "ack":
            self._inbox.append((None, partial(self.gate.acknowledge, change["new"], now_us)))
        visible = change["new"] if change["name"] == "visible" else None
        self._inbox.append((None, partial(self.lease.beat, now_us, visible=visible)))

    def _run_inbox(self) -> None:
        while self._inbox:
            panel, action = self._inbox.popleft()
            if panel is None:
                action()
            elif panel in self._panels:
                self._guard(panel, "command", action)

    def _pull(self, now_us: int) -> None:
        self._pulled_us = now_us
        for feed in self._feeds.values():
            for panel, work in feed.pull(now_us):
                self._fresh = True
                self._guard(panel, "records", work)

    def _draw(self, now_us: int) -> None:
        for panel in self._panels:
            if (self._drawn % panel.every == 0 or panel.hurry) and not panel.held:
                panel.hurry = False
                look = self._look(self._feeds[id(panel.session)], now_us)
                self._guard(panel, "drawing", partial(panel.draw, look))
        self._drawn += 1
        self._fresh = False
        # the browser's part begins here: our own drawing is no latency of its
        self.pulse.seq = self.gate.sent(self._clock.now_us())

    def _look(self, feed: SessionFeed, now_us: int) -> Look:
        return Look(
            now_us=now_us,
            away=feed.away,
            away_since_us=feed.away_since_us,
            rows_per_s=feed.rows_per_s,
            conflated=self.conflated,
            skipped=feed.skipped,
            interval_us=self.gate.interval_us,
            latency_us=self.gate.latency_us,
        )

    def _guard(self, panel: Panel, stage: str, work: Callable[[], object]) -> None:
        """Run a panel's work; its error is shown on that panel until the stage succeeds, and stops nobody else."""
        try:
            work()
        except Exception as error:
            logger.exception("panel %s", type(panel).__name__)
            self._note(panel, stage, f"{type(error).__name__}: {error}")
        else:
            self._note(panel, stage, None)

    def _note(self, panel: Panel, stage: str, message: str | None) -> None:
        faults = self._faults.setdefault(panel, {})
        before = next(iter(faults.values()), None)
        if message is None:
            faults.pop(stage, None)
        else:
            faults[stage] = message
        after = next(iter(faults.values()), None)
        if after == before:
            return
        try:
            panel.fault(after)
        except Exception:
            logger.exception("panel %s cannot show its error", type(panel).__name__)

    def _start(self) -> None:
        if self._threaded and self._thread is None:
            self._thread = threading.Thread(target=self._loop, name="velo-ui-pump", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while True:
            self._wake.wait(self.gate.interval_us / 1_000_000)
            self._wake.clear()
            with self._lock:
                if not self._panels:
                    self._thread = None
                    return
            try:
                self.tick()
            except Exception:
                # the pump must outlive any defect: without it every panel freezes silently
                logger.exception("UI pump")


_pump: UiPump | None = None
_pump_lock = threading.Lock()


def ui_pump() -> UiPump:
    """The kernel's pump. With ``VELO_DASHBOARD=1`` in the environment it ends the kernel when nobody looks."""
    global _pump
    with _pump_lock:
        if _pump is None:
            dashboard = os.environ.get("VELO_DASHBOARD") == "1"
            _pump = UiPump(on_expire=end_process if dashboard else None)
        return _pump
