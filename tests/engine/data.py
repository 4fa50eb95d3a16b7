"""Random tables with what breaks naive engines: NULLs, ties in event time, disorder, unicode, gaps."""

from __future__ import annotations

import random

import pyarrow as pa

BASE_US = 1_700_000_000_000_000
SYMBOLS = ["AAPL", "GOOGL", "Ünïcødé ✓", "", None]
EXCHANGES = ["NYSE", "NASDAQ", "BATS"]

MARKET = pa.schema(
    [
        ("symbol", pa.string()),
        ("exchange", pa.string()),
        ("price", pa.float64()),
        ("bid_price", pa.float64()),
        ("ask_price", pa.float64()),
        ("bid_size", pa.int64()),
        ("ask_size", pa.int64()),
        ("volume", pa.int64()),
        ("timestamp", pa.timestamp("us")),
    ]
)
POSITIONS = pa.schema(
    [
        ("trader_id", pa.string()),
        ("symbol", pa.string()),
        ("position_size", pa.int64()),
        ("avg_price", pa.float64()),
        ("current_pnl", pa.float64()),
        ("timestamp", pa.timestamp("us")),
    ]
)
ORDERS = pa.schema(
    [
        ("symbol", pa.string()),
        ("side", pa.string()),
        ("price", pa.float64()),
        ("quantity", pa.int64()),
        ("order_type", pa.string()),
        ("timestamp", pa.timestamp("us")),
    ]
)


def times(rng: random.Random, rows: int, *, step_ms: int = 400, disorder_us: int = 0) -> list[int]:
    """Event times in arrival order: ties and gaps; each at most `disorder_us` behind the newest before it."""
    now, out, newest = BASE_US, [], 0
    for _ in range(rows):
        now += rng.choice([0, 0, 1, step_ms, step_ms, 2 * step_ms, 5_000]) * 1_000
        ts = now - (rng.randrange(disorder_us + 1) if disorder_us else 0)
        ts = max(ts, newest - disorder_us)
        newest = max(newest, ts)
        out.append(ts)
    return out


def maybe(rng: random.Random, value: object, share: float = 0.05) -> object:
    return None if rng.random() < share else value


def market(rng: random.Random, rows: int, *, disorder_us: int = 0) -> pa.Table:
    records = []
    for ts in times(rng, rows, disorder_us=disorder_us):
        mid = round(100 * (1 + rng.uniform(-0.05, 0.05)), 2)
        records.append(
            {
                "symbol": rng.choice(SYMBOLS),
                "exchange": rng.choice(EXCHANGES),
                "price": maybe(rng, mid),
                "bid_price": maybe(rng, round(mid - rng.uniform(-1, 2), 2)),
                "ask_price": maybe(rng, round(mid + rng.uniform(-1, 2), 2)),
                "bid_size": rng.randrange(1, 500),
                "ask_size": maybe(rng, rng.randrange(1, 500)),
                "volume": maybe(rng, rng.choice([100, 120, 90, 2_000, 5_000_000_000])),
                "timestamp": ts,
            }
        )
    return table(records, MARKET)


def positions(rng: random.Random, rows: int, *, disorder_us: int = 0) -> pa.Table:
    records = [
        {
            "trader_id": rng.choice(["TRADER_001", "TRADER_002", "TRADER_003"]),
            "symbol": rng.choice(SYMBOLS),
            "position_size": rng.randrange(-20_000, 20_000),
            "avg_price": maybe(rng, 100.0),
            "current_pnl": maybe(rng, round(rng.uniform(-40_000, 20_000), 2)),
            "timestamp": ts,
        }
        for ts in times(rng, rows, disorder_us=disorder_us)
    ]
    return table(records, POSITIONS)


def orders(rng: random.Random, rows: int, *, disorder_us: int = 0, step_ms: int = 3_000) -> pa.Table:
    records = [
        {
            "symbol": rng.choice(SYMBOLS),
            "side": rng.choice(["BUY", "BUY", "SELL"]),
            "price": 100.0,
            "quantity": maybe(rng, rng.randrange(100, 9_000)),
            "order_type": rng.choice(["LIMIT", "MARKET"]),
            "timestamp": ts,
        }
        for ts in times(rng, rows, disorder_us=disorder_us, step_ms=step_ms)
    ]
    return table(records, ORDERS)


def table(records: list[dict[str, object]], schema: pa.Schema) -> pa.Table:
    """Rows with event times in microseconds as an Arrow table."""
    return pa.Table.from_pylist(records, schema=schema)
