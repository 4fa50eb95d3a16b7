import logging
import threading
from collections.abc import Callable

import pytest

from velostream_nb.core.clock import ManualClock
from velostream_nb.widgets.gate import AckGate, Lease
from velostream_nb.widgets.pump import UiPump

from .conftest import Browser, LogSession, Recorder

Make = Callable[..., Recorder]


def test_registering_fills_and_draws_a_panel_before_any_browser_is_there(
    pump: UiPump, session: LogSession, recorder: Make
) -> None:
    session.append("prices", {"price": 1.0})
    panel = recorder()
    pump.register(panel)
    assert panel.rows == [{"price": 1.0}]
    assert len(panel.looks) == 1


def test_nothing_is_drawn_until_the_first_beat(pump: UiPump, recorder: Make, browser: Browser) -> None:
    panel = recorder()
    pump.register(panel)
    pump.tick()
    assert len(panel.looks) == 1
    browser.beat()
    pump.tick()
    assert len(panel.looks) == 2
    assert pump.pulse.seq == 1


def test_one_frames_call_a_tick_serves_all_panels_of_a_session(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    for topics in (("prices",), ("prices", "alerts"), ("alerts",)):
        pump.register(recorder(*topics))
    browser.beat()
    session.calls.clear()
    pump.tick()
    assert [set(call) for call in session.calls] == [{"prices", "alerts"}]


def test_a_panel_that_joins_late_gets_the_history_once(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    session.append("prices", {"price": 1.0}, {"price": 2.0})
    first, second = recorder(), recorder()
    pump.register(first)
    session.append("prices", {"price": 3.0})
    browser.run(1)
    pump.register(second)
    session.append("prices", {"price": 4.0})
    browser.run(1)
    assert first.rows == second.rows == [{"price": p} for p in (1.0, 2.0, 3.0, 4.0)]


def test_while_the_browser_does_not_paint_updates_are_merged_and_counted(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    panel = recorder()
    pump.register(panel)
    browser.run(1, paint=False)
    drawn = len(panel.looks)
    for price in range(12):
        session.append("prices", {"price": float(price)})
        browser.run(1, paint=False)
    assert len(panel.looks) == drawn
    assert len(panel.rows) >= 9
    browser.paint()
    browser.run(1)
    assert len(panel.rows) == 12
    assert len(panel.looks) == drawn + 1
    # while nothing is painted, records are pulled once a second only: each such pull is one merged update
    assert panel.looks[-1].conflated == 3


def test_after_thirty_seconds_without_an_acknowledgement_it_sends_again(
    pump: UiPump, clock: ManualClock, recorder: Make, browser: Browser
) -> None:
    pump.register(recorder())
    browser.run(1, paint=False)
    sent = pump.pulse.seq
    browser.run(100, paint=False)
    assert pump.pulse.seq == sent
    browser.run(25, paint=False)
    assert pump.pulse.seq == sent + 1


def test_slow_paints_halve_the_rate_and_fast_ones_restore_it(pump: UiPump, recorder: Make, browser: Browser) -> None:
    pump.register(recorder())
    browser.run(3, latency_us=250_000)
    slow = pump.gate.interval_us
    assert slow >= 500_000
    browser.run(40, latency_us=50_000)
    assert pump.gate.interval_us == pump.gate.base_us == 250_000


def test_paints_of_middling_speed_leave_the_rate_alone() -> None:
    gate = AckGate(250_000)
    gate.interval_us = 500_000
    now_us = 0
    for _ in range(60):
        seq = gate.sent(now_us)
        gate.acknowledge(seq, now_us + 120_000)
        now_us += 500_000
    assert gate.interval_us == 500_000


def test_an_acknowledgement_of_something_never_sent_is_ignored() -> None:
    gate = AckGate(250_000)
    gate.sent(0)
    gate.acknowledge(7, 10)
    assert not gate.ready(20)
    gate.acknowledge(1, 30)
    assert gate.ready(40)


def test_a_tab_that_comes_back_does_not_count_as_slow() -> None:
    gate = AckGate(250_000)
    gate.acknowledge(gate.sent(0), 3_600_000_000)
    assert gate.interval_us == 250_000


@pytest.mark.parametrize(("visible", "gone_after_s"), [(True, 60), (False, 150)])
def test_the_lease_ends_after_its_linger(visible: bool, gone_after_s: int) -> None:
    lease = Lease()
    lease.start(0)
    lease.beat(200_000_000, visible=visible)
    assert not lease.expired(200_000_000 + gone_after_s * 1_000_000)
    assert lease.expired(200_000_001 + gone_after_s * 1_000_000)


def test_a_page_that_never_opens_ends_the_lease_too() -> None:
    lease = Lease()
    assert not lease.expired(10**15)
    lease.start(0)
    assert not lease.expired(120_000_000)
    assert lease.expired(120_000_001)


def test_a_dashboard_kernel_ends_when_nobody_looks(clock: ManualClock, session: LogSession, recorder: Make) -> None:
    ended: list[int] = []
    pump = UiPump(clock=clock, threaded=False, on_expire=lambda: ended.append(1))
    pump.register(recorder())
    browser = Browser(pump, clock)
    browser.run(40)
    assert ended == []
    clock.advance_us(121_000_000)
    pump.tick()
    assert ended == [1]


def test_elsewhere_it_only_sleeps_and_wakes_with_the_next_beat(
    pump: UiPump, clock: ManualClock, session: LogSession, recorder: Make, browser: Browser
) -> None:
    panel = recorder()
    pump.register(panel)
    browser.run(1)
    clock.advance_us(300_000_000)
    session.calls.clear()
    pump.tick()
    assert session.calls == []
    session.append("prices", {"price": 1.0})
    browser.run(1)
    assert panel.rows == [{"price": 1.0}]


@pytest.mark.parametrize("where", ["draw", "ingest"])
def test_a_panel_that_raises_shows_it_and_stops_nobody(
    pump: UiPump,
    session: LogSession,
    recorder: Make,
    browser: Browser,
    where: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    bad, good = recorder(), recorder()
    pump.register(bad)
    pump.register(good)
    bad.fail_on = where
    for price in range(3):
        session.append("prices", {"price": float(price)})
        browser.run(1)
    assert len(good.rows) == 3
    assert good.faults == []
    assert bad.faults == [f"ValueError: {'cannot draw' if where == 'draw' else 'bad rows'}"]
    bad.fail_on = None
    session.append("prices", {"price": 9.0})
    browser.run(1)
    assert bad.faults[-1] is None


def test_an_unreachable_server_is_told_and_recovered_from(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    panel = recorder()
    pump.register(panel)
    browser.run(2)
    session.away = True
    browser.run(4)
    assert panel.looks[-1].away == "cannot reach the server"
    assert panel.looks[-1].now_us - (panel.looks[-1].away_since_us or 0) >= 500_000
    session.away = False
    session.append("prices", {"price": 5.0})
    browser.run(1)
    assert panel.looks[-1].away is None
    assert panel.rows == [{"price": 5.0}]


def test_a_restarted_server_is_read_from_its_new_beginning(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    panel = recorder()
    session.append("prices", *({"price": float(p)} for p in range(5)))
    pump.register(panel)
    browser.run(1)
    session.log["prices"] = [{"price": 77.0}]
    browser.run(2)
    assert panel.rows[-1] == {"price": 77.0}
    assert [row["price"] for row in panel.rows].count(77.0) == 1


def test_rows_left_out_of_frames_are_counted(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    panel = recorder()
    pump.register(panel)
    session.append("prices", *({"price": float(p)} for p in range(5_007)))
    browser.run(1)
    assert len(panel.rows) == 5_000
    assert panel.looks[-1].skipped == 7


def test_the_rate_is_of_the_last_seconds(pump: UiPump, session: LogSession, recorder: Make, browser: Browser) -> None:
    panel = recorder()
    pump.register(panel)
    for _ in range(40):
        session.append("prices", *({"price": 1.0} for _ in range(25)))
        browser.run(1)
    assert panel.looks[-1].rows_per_s == pytest.approx(100, rel=0.05)


def test_callbacks_only_enqueue_and_run_on_the_pump(pump: UiPump, recorder: Make) -> None:
    panel = recorder()
    pump.register(panel)
    ran: list[int] = []
    worker = threading.Thread(target=lambda: panel.enqueue(lambda: ran.append(threading.get_ident())))
    worker.start()
    worker.join()
    assert ran == []
    pump.tick()
    assert ran == [threading.get_ident()]


def test_a_command_that_fails_is_shown_on_its_panel(
    pump: UiPump, recorder: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    panel = recorder()
    pump.register(panel)
    pump.command(lambda: 1 / 0, panel=panel)
    pump.tick()
    assert panel.faults == ["ZeroDivisionError: division by zero"]


def test_the_same_key_replaces_the_earlier_panel(pump: UiPump, recorder: Make) -> None:
    first, second = recorder(), recorder()
    pump.register(first, key="cell 1")
    pump.register(second, key="cell 1")
    assert pump.panels == [second]
    assert (first.closed, second.closed) == (1, 0)


def test_a_held_panel_takes_records_in_but_is_not_drawn(
    pump: UiPump, session: LogSession, recorder: Make, browser: Browser
) -> None:
    panel = recorder()
    pump.register(panel)
    panel.held = True
    session.append("prices", {"price": 1.0})
    browser.run(3)
    assert len(panel.looks) == 1
    assert len(panel.rows) == 1


def test_the_thread_ends_with_its_last_panel(session: LogSession) -> None:
    pump = UiPump(hz=10)
    panel = Recorder(session)
    pump.register(panel)
    assert any(thread.name == "velo-ui-pump" for thread in threading.enumerate())
    pump.stop()
    assert not any(thread.name == "velo-ui-pump" for thread in threading.enumerate())
    assert panel.closed == 1


def test_it_never_runs_faster_than_ten_a_second() -> None:
    assert UiPump(hz=50, threaded=False).gate.base_us == 100_000


def test_a_constant_slow_paint_does_not_drive_the_rate_to_the_bottom() -> None:
    gate = AckGate(250_000)
    now_us = 0
    for _ in range(30):
        gate.acknowledge(gate.sent(now_us), now_us + 295_000)
        now_us += gate.interval_us
    assert gate.interval_us == 1_000_000
