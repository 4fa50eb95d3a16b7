import math
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.widgets import text
from velostream_nb.widgets.bars import fold_trades, merge, no_bars, resample
from velostream_nb.widgets.columns import NO_TIME, labels, numbers, times_us
from velostream_nb.widgets.market import MarketBook
from velostream_nb.widgets.ranges import SteadyRange, round_ticks, tick_decimals, time_ticks

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5_000_000_000, "5.00B"),
        (999_999, "1.00M"),
        (1_234, "1.23k"),
        (999, "999"),
        (0, "0"),
        (-61_000, "−61.0k"),
        (float("nan"), "–"),
        (None, "–"),
        (12.345, "12.3"),
        (99_960, "100k"),
    ],
)
def test_compact_numbers(value: float | None, expected: str) -> None:
    assert text.compact(value) == expected


def test_signs_are_words_and_shapes_too() -> None:
    assert text.percent(0.0084) == "+0.84%"
    assert text.percent(-0.05) == "−5.00%"
    assert text.percent(-0.00001) == "0.00%"
    assert (text.arrow(1), text.arrow(-1), text.arrow(0), text.arrow(float("nan"))) == ("▲", "▼", "▬", "▬")


@pytest.mark.parametrize(
    ("us", "expected"),
    [(300_000, "0.3 s"), (12 * SECOND, "12 s"), (240 * SECOND, "4 m"), (7200 * SECOND, "2 h"), (-SECOND, "−1.0 s")],
)
def test_spans(us: int, expected: str) -> None:
    assert text.span(us) == expected


def test_the_clock_is_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert text.clock(int(moment.timestamp() * 1e6), tenths=True) == "03:04:05.6"


def test_integers_beyond_32_bits_stay_what_they_are() -> None:
    table = pa.table({"volume": pa.array([5_000_000_000, None], pa.int64())})
    values = numbers(table, "volume")
    assert values.dtype == np.float64
    assert values[0] == 5e9
    assert math.isnan(values[1])


def test_numbers_of_any_type_or_none() -> None:
    table = pa.table({"d": [Decimal("1.25")], "s": ["x"], "b": [True]})
    assert numbers(table, "D").tolist() == [1.25]
    for name in ("s", "b", "missing"):
        assert math.isnan(numbers(table, name)[0])


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_integer_times_in_any_unit(factor: int) -> None:
    table = pa.table({"timestamp": [1_700_000_000 * factor, None]})
    assert times_us(table).tolist() == [1_700_000_000_000_000, NO_TIME]


def test_timestamps_of_any_unit_and_zone() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for kind in (pa.timestamp("ms"), pa.timestamp("us", "America/New_York"), pa.timestamp("ns")):
        table = pa.table({"event_time": pa.array([int(moment.timestamp())], pa.timestamp("s")).cast(pa.timestamp("s"))})
        table = table.set_column(0, "event_time", table.column(0).cast(pa.timestamp(kind.unit)).cast(kind, safe=False))
        if kind.tz is None:
            assert times_us(table).tolist() == [int(moment.timestamp() * 1e6)]
        else:
            assert times_us(table).dtype == np.int64


def test_labels_of_strings_dictionaries_and_nulls() -> None:
    plain = pa.table({"symbol": ["A", None, "B", "A"]})
    for table in (plain, plain.set_column(0, "symbol", plain.column(0).dictionary_encode())):
        codes, names = labels(table, "symbol")
        assert [names[c] if c >= 0 else None for c in codes] == ["A", None, "B", "A"]


def test_a_range_grows_at_once_and_moves_only_the_side_that_overflows() -> None:
    steady = SteadyRange()
    assert steady.update(100.0, 101.0)
    low, high = steady.low, steady.high
    assert not steady.update(100.2, 100.9)
    assert steady.update(100.0, 103.0)
    assert steady.low == low
    assert steady.high > 103.0 > high


def test_a_range_shrinks_only_after_patience() -> None:
    steady = SteadyRange(patience=10)
    steady.update(100.0, 110.0)
    moved = [steady.update(104.0, 105.0) for _ in range(10)]
    assert moved == [False] * 9 + [True]
    assert steady.high - steady.low < 2.0


def test_one_wide_tick_resets_the_patience() -> None:
    steady = SteadyRange(patience=5)
    steady.update(100.0, 110.0)
    for _ in range(4):
        assert not steady.update(104.0, 105.0)
    assert not steady.update(100.0, 110.0)
    assert not any(steady.update(104.0, 105.0) for _ in range(4))


@pytest.mark.parametrize("value", [0.0, 175.0, -3.0, 5e9])
def test_a_flat_series_gets_a_visible_band_and_then_rests(value: float) -> None:
    steady = SteadyRange(patience=3)
    steady.update(value, value)
    assert steady.low < value < steady.high
    assert not any(steady.update(value, value) for _ in range(20))


def test_a_range_ignores_what_is_not_finite() -> None:
    steady = SteadyRange()
    assert not steady.update(float("nan"), 1.0)
    assert math.isnan(steady.low)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 8))
def test_ticks_are_few_and_inside(low: float, width: float, count: int) -> None:
    high = low + width
    if not high > low:
        return
    ticks = round_ticks(low, high, count)
    assert len(ticks) <= count + 2
    slack = abs(high - low) * 1e-6 + max(abs(low), abs(high)) * 1e-9
    assert all(low - slack <= tick <= high + slack for tick in ticks)


@given(st.integers(0, 2 * 10**15), st.integers(SECOND, 86_400 * SECOND * 5), st.integers(2, 8))
def test_time_ticks_are_multiples_of_their_step_away_from_the_edges(low: int, width: int, count: int) -> None:
    ticks, step_s = time_ticks(low, low + width, count)
    assert len(ticks) <= count
    assert all(tick % (step_s * SECOND) == 0 and low < tick < low + width for tick in ticks)


def test_an_awkward_range_still_gets_two_ticks() -> None:
    assert len(round_ticks(319.2, 320.9, 1)) >= 2
    assert round_ticks(318.6, 321.4, 2) == [319.0, 320.0, 321.0]


def test_tick_labels_have_the_decimals_they_need() -> None:
    assert tick_decimals([164.0, 164.5, 165.0]) == 1
    assert tick_decimals([10.0, 20.0]) == 0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 500)), min_size=1, max_size=60), st.integers(1, 7))
def test_bars_do_not_depend_on_how_trades_are_batched(trades: list[tuple[int, int]], size: int) -> None:
    times = np.array([t * SECOND // 2 for t, _ in trades], dtype=np.int64)
    prices = np.array([p for _, p in trades], dtype=np.float64)
    whole = fold_trades(times, prices, prices, SECOND)
    parts = no_bars()
    for begin in range(0, len(trades), size):
        cut = slice(begin, begin + size)
        parts = merge(parts, fold_trades(times[cut], prices[cut], prices[cut], SECOND), keep=1_000)
    for name in ("start_us", "open", "high", "low", "close", "volume", "notional"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()


def test_resampled_bars_keep_the_sums_and_extremes() -> None:
    times = np.arange(20, dtype=np.int64) * SECOND
    prices = np.array([10.0, 12, 9, 11, 13] * 4)
    coarse = resample(fold_trades(times, prices, np.ones(20), SECOND), 5 * SECOND)
    assert coarse.start_us.tolist() == [0, 5 * SECOND, 10 * SECOND, 15 * SECOND]
    assert (coarse.open[0], coarse.high[0], coarse.low[0], coarse.close[0]) == (10, 13, 9, 13)
    assert coarse.volume.tolist() == [5.0] * 4


def prices(*rows: tuple[str, str, float, int, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "symbol": s,
                "exchange": e,
                "price": p,
                "bid_price": p - 0.5,
                "ask_price": p + 0.5,
                "volume": v,
                "timestamp": t,
            }
            for s, e, p, v, t in rows
        ]
    )


def test_the_book_knows_last_change_best_quotes_volume_and_vwap() -> None:
    book = MarketBook()
    book.ingest(prices(("AAPL", "NYSE", 100.0, 3_000_000_000, 1_700_000_000_000)), 1)
    book.ingest(
        prices(("AAPL", "BATS", 104.0, 3_000_000_000, 1_700_000_001_000), ("XYZ", "BATS", 1.0, 1, 1_700_000_001_000)), 2
    )
    state = book.states["AAPL"]
    assert (state.last, state.change, state.volume) == (104.0, pytest.approx(0.04), 6e9)
    assert (state.bid, state.ask) == (103.5, 100.5)
    assert state.spread_bps < 0
    assert state.vwap == pytest.approx(102.0)
    assert state.vwap_line().tolist() == [100.0, 102.0]
    assert book.order == ["AAPL", "XYZ"]


def test_the_vwap_line_goes_on_when_old_bars_leave() -> None:
    book = MarketBook(keep=3)
    for second in range(10):
        book.ingest(prices(("AAPL", "NYSE", 100.0 + second, 10, 1_700_000_000_000 + second * 1000)), second)
    state = book.states["AAPL"]
    assert len(state.bars) == 3
    assert state.vwap_line()[-1] == pytest.approx(state.vwap) == pytest.approx(104.5)


def test_rows_without_a_symbol_price_or_time_are_counted_not_shown() -> None:
    book = MarketBook()
    book.ingest(pa.table({"symbol": ["A", None], "price": [None, 1.0], "timestamp": [1, 2]}), 0)
    assert book.unusable == 2
    assert book.states == {}


def test_a_late_price_changes_its_bar_but_not_the_last_price() -> None:
    book = MarketBook()
    book.ingest(prices(("A", "N", 10.0, 1, 1_700_000_005_000)), 0)
    book.ingest(prices(("A", "N", 99.0, 1, 1_700_000_001_000)), 1)
    assert book.states["A"].last == 10.0
    assert book.states["A"].bars.close.tolist() == [99.0, 10.0]


def test_the_book_is_stale_when_nothing_comes_for_longer_than_usual() -> None:
    book = MarketBook()
    for second in range(5):
        book.ingest(prices(("A", "N", 1.0, 1, 1_700_000_000_000)), second * 10 * SECOND)
    assert not book.stale(55 * SECOND)
    assert book.stale(61 * SECOND)
