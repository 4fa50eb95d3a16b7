"""The five trading jobs in Deephaven: ticking tables fed through publishers, in one process with its Java machine.

Needs Java 17. Run by `BENCH_PEERS=deephaven python -m benchmarks`; by hand, with the packages of deephaven.txt:

    python deephaven_five.py '{"sources": {"market_data": "day/market_data.jsonl", ...}, "out": "."}'

Rows are decoded by Arrow in pieces, in order of time over the three inputs, and published; the results are written when
everything has been processed. Differences from the SQL: hops are six groups a row and are never closed, so early
results change until the end (only the last ones are written); Deephaven joins no intervals, so the time bound is an
equality of 2 s buckets first, as for DuckDB, and nothing of it is ever forgotten.
"""

import heapq
import json
import os
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deephaven_server import Server

# Deephaven's modules can only be imported once the Java machine runs
SERVER = Server(port=0, jvm_args=["-Xmx6g", "-DAuthHandlers=io.deephaven.auth.AnonymousAuthenticationHandler"])
SERVER.start()

import pyarrow as pa  # noqa: E402
import pyarrow.json as pa_json  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from deephaven import agg, dtypes, merge  # noqa: E402
from deephaven import arrow as deephaven_arrow  # noqa: E402
from deephaven.stream import blink_to_append_only  # noqa: E402
from deephaven.stream.table_publisher import table_publisher  # noqa: E402
from deephaven.update_graph import shared_lock  # noqa: E402
from deephaven.updateby import cum_sum, rolling_avg_tick, rolling_count_tick  # noqa: E402

CHUNK_ROWS = 25_000
CHUNK_BYTES = 4 << 20
KEY = ["symbol", "exchange"]
TEXT, NUMBER, WHOLE = "string", "double", "int64"
COLUMNS = {
    "market_data": {
        "symbol": TEXT, "exchange": TEXT, "price": NUMBER, "bid_price": NUMBER, "ask_price": NUMBER,
        "bid_size": WHOLE, "ask_size": WHOLE, "volume": WHOLE, "timestamp": WHOLE,
    },
    "order_book_updates": {"symbol": TEXT, "side": TEXT, "quantity": WHOLE, "timestamp": WHOLE},
    "trading_positions": {
        "trader_id": TEXT, "symbol": TEXT, "position_size": WHOLE, "current_pnl": NUMBER, "timestamp": WHOLE,
    },
}  # fmt: skip
TYPES = {TEXT: dtypes.string, NUMBER: dtypes.double, WHOLE: dtypes.int64}
ARROW = {TEXT: pa.string(), NUMBER: pa.float64(), WHOLE: pa.int64()}


def chunks(topic: str, path: str) -> Iterator[pa.Table]:
    """The rows in pieces, with `timestamp` in epoch milliseconds."""
    schema = pa.schema([(name, ARROW[kind]) for name, kind in COLUMNS[topic].items()])
    if path.endswith(".parquet"):
        for batch in pq.ParquetFile(path).iter_batches(CHUNK_ROWS, columns=schema.names):
            rows = pa.Table.from_batches([batch])
            place = rows.schema.get_field_index("timestamp")
            yield rows.set_column(place, "timestamp", rows["timestamp"].cast(pa.timestamp("ms")).cast(pa.int64()))
        return
    parse = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    read = pa_json.ReadOptions(use_threads=False, block_size=2 * CHUNK_BYTES)
    with Path(path).open("rb") as lines:
        while data := lines.read(CHUNK_BYTES):
            yield pa_json.read_json(pa.BufferReader(data + lines.readline()), read_options=read, parse_options=parse)


def in_turn(sources: dict[str, str]) -> Iterator[tuple[str, pa.Table]]:
    """The pieces of all inputs, by the time of their first row."""

    def stamped(topic: str, path: str) -> Iterator[tuple[int, str, pa.Table]]:
        for rows in chunks(topic, path):
            yield rows["timestamp"][0].as_py(), topic, rows

    each = [stamped(topic, path) for topic, path in sources.items()]
    for _, topic, rows in heapq.merge(*each, key=lambda piece: piece[:2]):
        yield topic, rows


def price_alerts(market: Any) -> Any:
    # an average over one row, the one before, is a LAG
    return (
        market.update_by(rolling_avg_tick("prev_price = price", rev_ticks=2, fwd_ticks=-1), by=KEY)
        .where(["!isNull(prev_price)", "Math.abs((price - prev_price) / prev_price * 100) > 5"])
        .view([*KEY, "price", "prev_price", f"price_change_pct = {rounded('(price - prev_price) / prev_price * 100')}", "volume",
               "detection_time = timestamp"])
    )  # fmt: skip


def volume_spikes(market: Any) -> Any:
    before = {"rev_ticks": 21, "fwd_ticks": -1}
    usual = [rolling_avg_tick("avg_volume_20 = volume", **before), rolling_count_tick("seen = volume", **before)]
    return (
        market.update_by(usual, by=KEY)
        .where(["seen == 20", "volume > 3 * avg_volume_20"])
        .view([*KEY, "price", "volume", "avg_volume_20", f"volume_ratio = {rounded('volume / avg_volume_20')}",
               "detection_time = timestamp"])
    )  # fmt: skip


def risk_alerts(market: Any, positions: Any) -> Any:
    before = rolling_avg_tick("prev_pnl = current_pnl", rev_ticks=2, fwd_ticks=-1)
    totals = (
        positions.update_by(before, by=["trader_id", "symbol"])
        .update_view("pnl_change = current_pnl - (isNull(prev_pnl) ? 0.0 : prev_pnl)")
        .update_by(cum_sum("total_pnl = pnl_change"), by="trader_id")
    )
    # rows of one moment share the total after all of them, as a RANGE frame has it
    moments = ["trader_id", "timestamp"]
    last = totals.view([*moments, "last_pnl = total_pnl"]).last_by(moments)
    return (
        totals.natural_join(last, on=moments, joins="last_pnl")
        .aj(market, on=["symbol", "timestamp"], joins="price")
        .update_view("value = Math.abs(position_size * price)")
        .where("(!isNull(price) && value > 500000) || last_pnl < -50000")
        .view(["trader_id", "symbol", "position_size", "price", f"position_value = {rounded('value')}", "current_pnl",
               f"total_pnl = {rounded('last_pnl')}",
               "alert_type = !isNull(price) && value > 1000000 ? `POSITION_LIMIT_EXCEEDED`"
               " : last_pnl < -50000 ? `DAILY_LOSS_LIMIT_EXCEEDED` : `POSITION_WARNING`",
               "detection_time = timestamp"])
    )  # fmt: skip


def order_imbalance_alerts(orders: Any) -> Any:
    ends = [orders.update_view(f"window_end = ((long)(timestamp / 10000) + {k}) * 10000") for k in range(1, 7)]
    sides = ["buy = side == `BUY` ? quantity : 0L", "sell = quantity - buy", "buys = side == `BUY` ? 1L : 0L",
             "sells = 1L - buys"]  # fmt: skip
    return (
        merge([table.update_view(sides) for table in ends])
        .agg_by([agg.sum_(["buy", "sell", "buys", "sells", "total_volume = quantity"])], by=["symbol", "window_end"])
        .where(["total_volume >= 10000", "Math.max(buy, sell) > 0.7 * total_volume"])
        # a sum over no rows is NULL in SQL
        .view(["symbol", "buy_volume = buys > 0 ? buy : NULL_LONG", "sell_volume = sells > 0 ? sell : NULL_LONG",
               "total_volume", "buy_ratio = Math.round(buy / (double)total_volume * 10000) / 10000.0",
               "window_start = window_end - 60000", "window_end"])
    )  # fmt: skip


def arbitrage_opportunities(market: Any) -> Any:
    buys = ["symbol", "buy_exchange = exchange", "ask_price", "ask_size", "buy_time = timestamp"]
    first, last = "(long)((timestamp - 1000) / 2000)", "(long)((timestamp + 1000) / 2000)"
    buy = merge([
        market.view([*buys, f"bucket = {first}"]),
        market.where(f"{last} > {first}").view([*buys, f"bucket = {last}"]),
    ])  # fmt: skip
    sell = market.view(["symbol", "sell_exchange = exchange", "bid_price", "bid_size", "sell_time = timestamp",
                        "bucket = (long)(timestamp / 2000)"])  # fmt: skip
    return (
        buy.join(sell, on=["symbol", "bucket"])
        .where(["buy_exchange != sell_exchange", "Math.abs(buy_time - sell_time) <= 1000",
                "(bid_price - ask_price) / ask_price * 1e4 >= 10"])
        .update_view(["size = Math.min(ask_size, bid_size)", "gap = bid_price - ask_price"])
        .view(["symbol", "buy_exchange", "sell_exchange", "ask_price", "bid_price",
               "spread = Math.round(gap * 10000) / 10000.0", "spread_bps = Math.round(gap / ask_price * 1e5) / 10.0",
               "available_volume = size", f"potential_profit = {rounded('gap * size')}",
               "detection_time = Math.max(buy_time, sell_time)"])
    )  # fmt: skip


def rounded(value: str) -> str:
    """A Java expression rounded to two decimals."""
    return f"Math.round(({value}) * 100) / 100.0"


def main() -> None:
    options = json.loads(sys.argv[1])
    tables, publishers, sent = {}, {}, {}
    for topic in options["sources"]:
        kinds = {name: TYPES[kind] for name, kind in COLUMNS[topic].items()}
        blink, publishers[topic] = table_publisher(topic, kinds)
        tables[topic], sent[topic] = blink_to_append_only(blink), 0
    market = tables["market_data"]
    results = {
        "price_alerts": price_alerts(market),
        "volume_spikes": volume_spikes(market),
        "risk_alerts": risk_alerts(market, tables["trading_positions"]),
        "order_imbalance_alerts": order_imbalance_alerts(tables["order_book_updates"]),
        "arbitrage_opportunities": arbitrage_opportunities(market),
    }
    for topic, rows in in_turn(options["sources"]):
        publishers[topic].add(deephaven_arrow.to_table(rows))
        sent[topic] += rows.num_rows
    while any(tables[topic].size < count for topic, count in sent.items()):
        time.sleep(0.005)
    with shared_lock(market):
        for topic, result in results.items():
            rows = deephaven_arrow.to_arrow(result).to_pylist()
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (Path(options["out"]) / f"{topic}.jsonl").write_text(text)
    print(json.dumps({"versions": {"deephaven": version("deephaven-server")}}), flush=True)
    os._exit(0)  # the Java machine does not end by itself


if __name__ == "__main__":
    main()
