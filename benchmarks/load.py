"""Events with the moments at which they are due, and which event an alert has to thank for being there.

Latency is counted from the moment at which an event was *due*, whether or not the producer came to it in time: a
producer that is held up by the engine must not hide the engine's delay ("coordinated omission").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from velostream_generator import MarketConfig, Simulator, Symbol

Int64s = npt.NDArray[np.int64]

MIX = {"market_data": 0.625, "order_book_updates": 0.3125, "trading_positions": 0.0625}
"""Share of the topics in all rows: 2.0 M to 1.0 M to 0.2 M. At equal times they arrive in this order."""
EXCHANGES, ORDERS_PER_SYMBOL, POSITION_EVERY_S = 3, 6.5, 5
QUOTE_EVERY_MS = 100
NEVER_US = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Lane:
    """One topic's events, in order of event time, which is the order in which they are due.

    Attributes:
        time_us: event times, microseconds since the epoch.
        due_us: when each is due, microseconds since the load's start.
    """

    rows: pa.RecordBatch
    time_us: Int64s
    due_us: Int64s


Load = Mapping[str, Lane]
"""By topic."""


def replay(sources: Mapping[str, str], rate: int, rows: int) -> Load:
    """The first `rows` events of files, due one after another at an even `rate` a second.

    The market of the throughput figures (eight stocks, one quote a second of each on each exchange) at many times its
    speed: event time runs ahead of the clock, and each row costs what it costs there.

    Args:
        sources: Parquet file by topic.

    Raises:
        ValueError: the files hold fewer events.
    """
    tables = {topic: pq.read_table(sources[topic]) for topic in MIX}
    times = {topic: _times(table) for topic, table in tables.items()}
    every = np.concatenate(list(times.values()))
    if len(every) < rows:
        raise ValueError(f"the files hold {len(every):,} events, and {rows:,} are wanted")
    rank = np.empty(len(every), np.int64)
    rank[np.argsort(every, kind="stable")] = np.arange(len(every))
    load, at = {}, 0
    for topic, table in tables.items():
        mine = rank[at : at + table.num_rows]
        at += table.num_rows
        count = int(np.searchsorted(mine, rows))
        (batch,) = table.slice(0, count).combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
        load[topic] = Lane(batch, times[topic][:count], mine[:count] * 1_000_000 // rate)
    return load


def live(rate: int, seconds: int, seed: int = 7) -> Load:
    """A market of so many stocks that `rate` events a second come in real time; each is due at its event time.

    Each stock is quoted ten times a second on each of three exchanges: 10,000 rows a second take 208 stocks.
    """
    quotes_per_s = EXCHANGES * 1_000 / QUOTE_EVERY_MS
    symbols = max(1, round(rate * MIX["market_data"] / quotes_per_s))
    config = MarketConfig(
        seed=seed,
        symbols=tuple(Symbol(f"S{n:05d}", 20.0 + n % 400, 0.2 + n % 7 * 0.05) for n in range(symbols)),
        market_interval_ms=QUOTE_EVERY_MS,
        orders_interval_ms=round(1_000 * symbols * ORDERS_PER_SYMBOL / (rate * MIX["order_book_updates"])),
        # a trader reports five positions every five seconds: one row a second
        traders=max(1, round(rate * MIX["trading_positions"])),
        positions_interval_ms=1_000 * POSITION_EVERY_S,
    )
    market = Simulator(config)
    steps = [market.step(1_000) for _ in range(seconds)]
    load = {}
    for topic in MIX:
        (batch,) = pa.Table.from_batches([step[topic] for step in steps]).combine_chunks().to_batches()
        time_us = _times(batch)
        load[topic] = Lane(batch, time_us, time_us - config.start_ms * 1_000)
    return load


def _times(rows: pa.Table | pa.RecordBatch) -> Int64s:
    column = rows.column("timestamp")
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    found: Int64s = pc.cast(column, pa.int64()).to_numpy()
    return found


def caused_us(topic: str, alerts: pa.Table, load: Load) -> Int64s:
    """When the event was due that completed each alert; `NEVER_US` where only the end of the input did.

    The event is the last one that the query's answer has to wait for:

    - price moves, volume spikes, arbitrage: the row itself, the later one of the pair (the last of its millisecond);
    - order imbalance: the first order at or after the window's end, which moves the watermark there;
    - risk: the first quote *and* the first position after the position's own time. A quote at that very time may still
      come, and so may a position of the same trader, whose P&L is then part of the total.
    """
    if topic == "order_imbalance_alerts":
        return _first_due(load["order_book_updates"], _column(alerts, "window_end"), "left")
    time_us = _column(alerts, "detection_time")
    if topic == "risk_alerts":
        quote, position = load["market_data"], load["trading_positions"]
        return np.maximum(_first_due(quote, time_us, "right"), _first_due(position, time_us, "right"))
    market = load["market_data"]
    due_us: Int64s = market.due_us[np.searchsorted(market.time_us, time_us, "right") - 1]
    return due_us


def _first_due(lane: Lane, time_us: Int64s, side: str) -> Int64s:
    """When the first event at or after ('left'), or after ('right'), each time is due."""
    place = np.searchsorted(lane.time_us, time_us, side)  # type: ignore[call-overload]
    due_us: Int64s = np.append(lane.due_us, NEVER_US)[place]
    return due_us


def _column(rows: pa.Table, name: str) -> Int64s:
    found: Int64s = pc.cast(rows.column(name).combine_chunks(), pa.int64()).to_numpy()
    return found
