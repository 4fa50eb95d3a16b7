"""The five trading jobs in Polars, in batch: lazy scans, one plan a job, JSON lines out.

Run by `python -m benchmarks`; by hand, with the packages of polars.txt installed:

    POLARS_MAX_THREADS=1 python polars_five.py '{"sources": {"market_data": "day/market_data.parquet", ...}, "out": "."}'

Differences from the SQL: the rows of a file are taken as in order of time, which they are (`set_sorted`; the others
sort, or need not know); the hop is `group_by_dynamic`; the join's time bound is an equality of 2 s buckets first, as for
DuckDB. Each job scans its input anew, but the scans of one format are shared by Polars where it can (`collect_all`).
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # read when polars is imported

import polars as pl

KEY = ["symbol", "exchange"]
SCHEMAS = {
    "market_data": {
        "symbol": pl.String, "exchange": pl.String, "price": pl.Float64, "bid_price": pl.Float64,
        "ask_price": pl.Float64, "bid_size": pl.Int64, "ask_size": pl.Int64, "volume": pl.Int64, "timestamp": pl.Int64,
    },
    "order_book_updates": {
        "symbol": pl.String, "side": pl.String, "price": pl.Float64, "quantity": pl.Int64, "order_type": pl.String,
        "timestamp": pl.Int64,
    },
    "trading_positions": {
        "trader_id": pl.String, "symbol": pl.String, "position_size": pl.Int64, "avg_price": pl.Float64,
        "current_pnl": pl.Float64, "timestamp": pl.Int64,
    },
}  # fmt: skip


def scanned(topic: str, path: str) -> pl.LazyFrame:
    """The rows, with `timestamp` in epoch milliseconds."""
    if path.endswith(".jsonl"):
        return pl.scan_ndjson(path, schema=SCHEMAS[topic])
    return pl.scan_parquet(path).with_columns(pl.col("timestamp").dt.epoch("ms"))


def price_alerts(market: pl.LazyFrame) -> pl.LazyFrame:
    before = pl.col("price").shift(1).over(KEY)
    change = (pl.col("price") - pl.col("prev_price")) / pl.col("prev_price") * 100
    return (
        market.with_columns(prev_price=before)
        .with_columns(change=change)
        .filter(pl.col("change").abs() > 5)
        .select(
            *KEY, "price", "prev_price", pl.col("change").round(2).alias("price_change_pct"), "volume",
            detection_time="timestamp",
        )
    )  # fmt: skip


def volume_spikes(market: pl.LazyFrame) -> pl.LazyFrame:
    usual = pl.col("volume").shift(1).rolling_mean(20, min_samples=20).over(KEY)
    return (
        market.with_columns(avg_volume_20=usual)
        .filter(pl.col("volume") > 3 * pl.col("avg_volume_20"))
        .select(
            *KEY, "price", "volume", "avg_volume_20",
            (pl.col("volume") / pl.col("avg_volume_20")).round(2).alias("volume_ratio"),
            detection_time="timestamp",
        )
    )  # fmt: skip


def risk_alerts(market: pl.LazyFrame, positions: pl.LazyFrame) -> pl.LazyFrame:
    quotes = market.select("symbol", "price", "timestamp").set_sorted("timestamp")
    before = pl.col("current_pnl").shift(1).over("trader_id", "symbol").fill_null(0)
    running = (pl.col("current_pnl").fill_null(0) - before).cum_sum().over("trader_id")
    value, total = pl.col("position_value"), pl.col("total_pnl")
    kind = (
        pl.when(value > 1_000_000).then(pl.lit("POSITION_LIMIT_EXCEEDED"))
        .when(total < -50_000).then(pl.lit("DAILY_LOSS_LIMIT_EXCEEDED"))
        .otherwise(pl.lit("POSITION_WARNING"))
    )  # fmt: skip
    return (
        positions.set_sorted("timestamp")
        .with_columns(total_pnl=running)
        # rows of one moment share the total after all of them, as a RANGE frame has it
        .with_columns(total_pnl=pl.col("total_pnl").last().over("trader_id", "timestamp"))
        .join_asof(quotes, on="timestamp", by="symbol")
        .with_columns(position_value=(pl.col("position_size") * pl.col("price")).abs())
        .filter((value > 500_000) | (total < -50_000))
        .select(
            "trader_id", "symbol", "position_size", "price", value.round(2), "current_pnl", total.round(2),
            kind.alias("alert_type"), detection_time="timestamp",
        )
    )  # fmt: skip


def order_imbalance_alerts(orders: pl.LazyFrame) -> pl.LazyFrame:
    quantity, total = pl.col("quantity"), pl.col("total_volume")
    buy, sell = pl.col("buy_volume"), pl.col("sell_volume")

    def side(name: str) -> pl.Expr:
        # a sum over no rows is NULL in SQL and 0 here
        rows = quantity.filter(pl.col("side") == name)
        return pl.when(rows.len() > 0).then(rows.sum())

    return (
        orders.with_columns(time=pl.from_epoch("timestamp", "ms"))
        .set_sorted("time")
        # the offset makes the five windows that begin before the first row, and hold it
        .group_by_dynamic("time", every="10s", period="1m", offset="-50s", group_by="symbol")
        .agg(side("BUY").alias("buy_volume"), side("SELL").alias("sell_volume"), quantity.sum().alias("total_volume"))
        .filter((total >= 10_000) & (pl.max_horizontal(buy.fill_null(0), sell.fill_null(0)) > 0.7 * total))
        .select(
            "symbol", buy, sell, total, (buy.fill_null(0) / total).round(4).alias("buy_ratio"),
            window_start=pl.col("time").dt.epoch("ms"), window_end=pl.col("time").dt.epoch("ms") + 60_000,
        )
    )  # fmt: skip


def arbitrage_opportunities(market: pl.LazyFrame) -> pl.LazyFrame:
    time = pl.col("timestamp")
    first, last = (time - 1_000) // 2_000, (time + 1_000) // 2_000 + 1
    buy = market.select(
        "symbol", "ask_price", "ask_size", "timestamp", buy_exchange="exchange",
        bucket=pl.int_ranges(first, last),
    ).explode("bucket")  # fmt: skip
    sell = market.select(
        "symbol", "bid_price", "bid_size", sell_exchange="exchange", sell_time="timestamp", bucket=time // 2_000
    )
    spread = pl.col("bid_price") - pl.col("ask_price")
    size = pl.min_horizontal("ask_size", "bid_size")
    return (
        buy.join(sell, on=["symbol", "bucket"])
        .filter(
            (pl.col("buy_exchange") != pl.col("sell_exchange"))
            & ((time - pl.col("sell_time")).abs() <= 1_000)
            & (spread / pl.col("ask_price") * 1e4 >= 10)
        )
        .select(
            "symbol", "buy_exchange", "sell_exchange", "ask_price", "bid_price", spread.round(4).alias("spread"),
            (spread / pl.col("ask_price") * 1e4).round(1).alias("spread_bps"), size.alias("available_volume"),
            (spread * size).round(2).alias("potential_profit"),
            detection_time=pl.max_horizontal("timestamp", "sell_time"),
        )
    )  # fmt: skip


def main() -> None:
    options = json.loads(sys.argv[1])
    inputs = {topic: scanned(topic, path) for topic, path in options["sources"].items()}
    market, orders = inputs["market_data"], inputs["order_book_updates"]
    plans = {
        "price_alerts": price_alerts(market),
        "volume_spikes": volume_spikes(market),
        "risk_alerts": risk_alerts(market, inputs["trading_positions"]),
        "order_imbalance_alerts": order_imbalance_alerts(orders),
        "arbitrage_opportunities": arbitrage_opportunities(market),
    }
    for topic, frame in zip(plans, pl.collect_all(list(plans.values())), strict=True):
        frame.write_ndjson(Path(options["out"]) / f"{topic}.jsonl")
    print(json.dumps({"versions": {"polars": pl.__version__}}))


if __name__ == "__main__":
    main()
