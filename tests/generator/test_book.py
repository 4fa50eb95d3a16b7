from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from velostream_generator import MarketConfig, Simulator
from velostream_generator.book import Book

cents = st.integers(100, 50_000).map(lambda value: value / 100)
trades = st.lists(st.tuples(st.integers(-500, 500), cents), max_size=30)


def one(size: int, price: float) -> Book:
    return Book.opened(np.array([size]), np.array([price]))


@given(start=st.integers(-500, 500), opening=cents, trades=trades, mark=cents)
def test_pnl_is_the_cash_that_flowed_plus_what_the_position_is_worth(
    start: int, opening: float, trades: list[tuple[int, float]], mark: float
) -> None:
    book = one(start, opening)
    cash, size = -start * Fraction(opening), start
    for quantity, price in trades:
        book.trade(np.array([quantity]), np.array([price]))
        cash -= quantity * Fraction(price)
        size += quantity
    assert book.size[0] == size
    assert float(book.pnl(np.array([mark]))[0]) == pytest.approx(float(cash + size * Fraction(mark)), abs=1e-4)


@pytest.mark.parametrize(
    ("size", "quantity", "average", "realised"),
    [
        (100, 100, 15.0, 0.0),  # adds: the average moves
        (-100, -300, 17.5, 0.0),
        (100, -40, 10.0, 400.0),  # closes a part: the average stays
        (-100, 40, 10.0, -400.0),
        (100, -100, 10.0, 1_000.0),  # closes all
        (100, -150, 20.0, 1_000.0),  # turns: the rest opens at the price of the trade
        (-100, 150, 20.0, -1_000.0),
        (0, 70, 20.0, 0.0),
        (100, 0, 10.0, 0.0),
    ],
)
def test_a_trade_at_20_in_a_position_opened_at_10(size: int, quantity: int, average: float, realised: float) -> None:
    book = one(size, 10.0)
    book.trade(np.array([quantity]), np.array([20.0]))
    assert book.size[0] == size + quantity
    assert book.average[0] == pytest.approx(average)
    assert book.realised[0] == pytest.approx(realised)


def test_a_restored_position_forgets_the_trades_since() -> None:
    book = Book.opened(np.array([100, 50]), np.array([10.0, 20.0]))
    before = book.position(0)
    book.trade(np.array([-400, 10]), np.array([7.0, 23.0]))
    book.restore(0, *before)
    assert book.position(0) == before
    assert book.position(1) == (60, pytest.approx(20.5), 0.0)


def positions(config: MarketConfig, seconds: int) -> dict[tuple[str, str], list[dict[str, object]]]:
    found: dict[tuple[str, str], list[dict[str, object]]] = {}
    for row in Simulator(config).step(seconds * 1_000)["trading_positions"].to_pylist():
        found.setdefault((row["trader_id"], row["symbol"]), []).append(row)
    return found


def test_twenty_traders_report_all_positions_at_one_moment_every_five_seconds() -> None:
    reports = positions(MarketConfig(), 600)
    traders = sorted({trader for trader, _ in reports})
    assert traders == [f"TRADER_{number:03d}" for number in range(1, 21)]
    moments = {}
    for trader in traders:
        series = [[row["timestamp"] for row in rows] for (who, _), rows in reports.items() if who == trader]
        assert len(series) == 5
        assert all(times == series[0] for times in series)
        assert {(b - a).total_seconds() for a, b in pairwise(series[0])} == {5.0}  # type: ignore[operator]
        moments[trader] = series[0][0]
    assert len(set(moments.values())) == 20, "two traders report in the same millisecond"


def test_reported_positions_follow_from_trades_near_the_market() -> None:
    traded = turned = 0
    for rows in positions(MarketConfig(scenario="calm"), 1_800).values():
        for old, new in pairwise(rows):
            before, after = int(str(old["position_size"])), int(str(new["position_size"]))
            average, was = float(str(new["avg_price"])), float(str(old["avg_price"]))
            traded += before != after
            if before == after or (before * after > 0 and abs(after) < abs(before)):
                assert average == was
            elif before * after > 0:
                price = (average * after - was * before) / (after - before)
                # four decimals of the averages, and an hour of market, lie between
                assert price == pytest.approx(was, rel=0.05)
            else:
                turned += 1
                assert average == round(average, 2), "a position that turned was opened by one trade"
    assert traded > 5_000
    assert turned > 50


def test_pnl_moves_with_the_price_while_a_position_rests() -> None:
    rows = Simulator(MarketConfig(scenario="calm")).step(300_000)
    last_price: dict[str, float] = {}
    quotes = iter(rows["market_data"].to_pylist())
    quote = next(quotes)
    before: dict[tuple[str, str], tuple[int, float, float]] = {}
    off: list[float] = []
    for row in rows["trading_positions"].to_pylist():
        while quote is not None and quote["timestamp"] <= row["timestamp"]:
            last_price[quote["symbol"]] = quote["price"]
            quote = next(quotes, None)
        pair = (row["trader_id"], row["symbol"])
        price = last_price.get(row["symbol"])
        if price is None:
            continue
        if pair in before and before[pair][0] == row["position_size"]:
            size, pnl, mark = before[pair]
            off.append(abs(row["current_pnl"] - pnl - size * (price - mark)) / (abs(size) * price))
        before[pair] = (row["position_size"], row["current_pnl"], price)
    assert len(off) > 3_000
    # a quote strays from the fair price, and is up to a third of a second old, at both ends
    assert sum(off) / len(off) < 2.5e-4
    assert max(off) < 1.5e-3


def test_the_realised_part_of_the_pnl_starts_anew_each_day() -> None:
    day_ms = 86_400_000
    midnight_ms = (MarketConfig().start_ms // day_ms + 1) * day_ms
    config = MarketConfig(scenario="calm", start_ms=midnight_ms - 4 * 3_600_000)
    rows = Simulator(config).step(4 * 3_600_000 + 60_000)["trading_positions"].to_pylist()
    last: dict[tuple[str, str], float] = {}
    first: dict[tuple[str, str], float] = {}
    for row in rows:
        new_day = row["timestamp"].timestamp() * 1_000 >= midnight_ms
        pair = (row["trader_id"], row["symbol"])
        if new_day:
            first.setdefault(pair, row["current_pnl"])
        else:
            last[pair] = row["current_pnl"]
    assert first.keys() == last.keys()
    # unrealised P&L since the last trades is what stays: it is much smaller than four hours of realised P&L
    assert sum(map(abs, first.values())) < 0.5 * sum(map(abs, last.values()))
