"""Which event completes an alert: as the engine has it when rows come one at a time."""

import random

import numpy as np
import pyarrow as pa
import pytest
from velostream_generator import SCHEMAS, MarketConfig, write

import velostream_nb as velo
from benchmarks.five import OUTPUTS
from benchmarks.load import MIX, NEVER_US, Lane, caused_us, live, replay
from velostream_nb.core.files import shipped

BASE_US = 1_767_623_400_000_000


def rows_of(rng: random.Random, topic: str) -> dict[str, object]:
    symbol, price = rng.choice(["AAPL", "MSFT"]), 100.0 + rng.randrange(-400, 400) / 100
    if topic == "market_data":
        volume = rng.choice([100, 100, 100, 100, 100, 100, 5_000])
        exchange = rng.choice(["NYSE", "BATS"])
        quote = {"price": price, "bid_price": price - 0.01, "ask_price": price + 0.01, "bid_size": 5, "ask_size": 7}
        return {"symbol": symbol, "exchange": exchange, **quote, "volume": volume}
    if topic == "trading_positions":
        sizes = {"position_size": rng.choice([10, 6_000, -20_000]), "avg_price": price, "current_pnl": price - 100}
        return {"trader_id": rng.choice(["T1", "T2"]), "symbol": symbol, **sizes}
    side = rng.choice(["BUY", "BUY", "BUY", "BUY", "SELL"])
    return {"symbol": symbol, "side": side, "price": price, "quantity": 9_000, "order_type": "LIMIT"}


def events(rng: random.Random, count: int) -> list[tuple[str, dict[str, object]]]:
    """In order of time, many at the same moment; at equal times as `MIX` has the topics."""
    drawn, time_us = [], BASE_US
    for _ in range(count):
        time_us += rng.choice([0, 0, 1_000, 200_000, 700_000, 3_000_000])
        topic = rng.choices(list(MIX), [5, 2, 3])[0]
        drawn.append((time_us, list(MIX).index(topic), topic))
    return [(topic, rows_of(rng, topic) | {"timestamp": time_us}) for time_us, _, topic in sorted(drawn)]


def test_an_alert_comes_with_the_event_that_is_said_to_cause_it():
    arrived = events(random.Random(4), 700)
    load = {}
    for topic in MIX:
        mine = [(number, row) for number, (name, row) in enumerate(arrived) if name == topic]
        batch = pa.RecordBatch.from_pylist([row for _, row in mine], schema=SCHEMAS[topic])
        times = np.array([row["timestamp"] for _, row in mine])
        load[topic] = Lane(batch, times, np.array([number for number, _ in mine]))  # due when it is its turn
    seen: dict[str, list[int]] = {topic: [] for topic in OUTPUTS}
    said: dict[str, list[int]] = {topic: [] for topic in OUTPUTS}
    with velo.connect() as session:
        session.sql(shipped("sql/financial_trading.sql").read_text())
        at, after = dict.fromkeys(MIX, 0), dict.fromkeys(OUTPUTS, 0)
        for number, (topic, _) in enumerate(arrived):
            session.produce(topic, load[topic].rows.slice(at[topic], 1))
            session.drain()
            at[topic] += 1
            for name, frame in session.frames(after).items():
                after[name] = frame.next
                seen[name] += [number] * frame.rows.num_rows
                said[name] += caused_us(name, frame.rows, load).tolist() if frame.rows.num_rows else []
        session.drain(final=True)
        ended = {name: caused_us(name, f.rows, load).tolist() for name, f in session.frames(after).items()}
    for topic in OUTPUTS:
        assert len(seen[topic]) > 10, f"{topic}: too few alerts to prove anything"
        off = [(was, is_said) for was, is_said in zip(seen[topic], said[topic], strict=True) if was != is_said]
        # events of one millisecond share the last one's stamp: never later than that moment
        assert all(arrived[was][1]["timestamp"] == arrived[is_said][1]["timestamp"] for was, is_said in off), topic
    assert ended["order_imbalance_alerts"] == [NEVER_US] * len(ended["order_imbalance_alerts"])
    assert not ended["price_alerts"]


def test_a_replay_is_even_and_in_order_of_time(tmp_path):
    rows = {"market_data": 2_000, "order_book_updates": 1_000, "trading_positions": 200}
    write(MarketConfig(seed=7), tmp_path, format="parquet", rows=rows)
    sources = {topic: str(tmp_path / f"{topic}.parquet") for topic in rows}
    load = replay(sources, 1_000, 2_500)
    due_us = np.concatenate([lane.due_us for lane in load.values()])
    assert sorted(due_us.tolist()) == [number * 1_000 for number in range(2_500)]
    times = np.concatenate([lane.time_us for lane in load.values()])[np.argsort(due_us)]
    assert (np.diff(times) >= 0).all()
    assert all(len(lane.time_us) == lane.rows.num_rows == len(lane.due_us) for lane in load.values())
    with pytest.raises(ValueError, match="hold 3,200 events"):
        replay(sources, 1_000, 3_201)


def test_a_live_market_comes_at_its_rate_and_in_its_mix():
    load = live(5_000, 4)
    counts = {topic: lane.rows.num_rows for topic, lane in load.items()}
    assert sum(counts.values()) == pytest.approx(20_000, rel=0.03)
    for topic, share in MIX.items():
        assert counts[topic] / 20_000 == pytest.approx(share, rel=0.1)
    for lane in load.values():
        assert (np.diff(lane.due_us) >= 0).all()
        assert 0 <= lane.due_us[0] <= lane.due_us[-1] < 4_000_000
