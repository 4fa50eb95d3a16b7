"""The three input topics: their columns, their keys, their order."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

TIME_COLUMN: Final = "timestamp"
"""Event time: ``timestamp[us]`` in Arrow (whole milliseconds, UTC without zone), epoch milliseconds in JSON."""

MARKET_DATA: Final = "market_data"
TRADING_POSITIONS: Final = "trading_positions"
ORDER_BOOK_UPDATES: Final = "order_book_updates"

TOPICS: Final = (MARKET_DATA, TRADING_POSITIONS, ORDER_BOOK_UPDATES)

SCHEMAS: Final[dict[str, pa.Schema]] = {
    MARKET_DATA: pa.schema(
        [
            ("symbol", pa.string()),
            ("exchange", pa.string()),
            ("price", pa.float64()),
            ("bid_price", pa.float64()),
            ("ask_price", pa.float64()),
            ("bid_size", pa.int64()),
            ("ask_size", pa.int64()),
            ("volume", pa.int64()),
            (TIME_COLUMN, pa.timestamp("us")),
        ]
    ),
    TRADING_POSITIONS: pa.schema(
        [
            ("trader_id", pa.string()),
            ("symbol", pa.string()),
            ("position_size", pa.int64()),
            ("avg_price", pa.float64()),
            ("current_pnl", pa.float64()),
            (TIME_COLUMN, pa.timestamp("us")),
        ]
    ),
    ORDER_BOOK_UPDATES: pa.schema(
        [
            ("symbol", pa.string()),
            ("side", pa.string()),
            ("price", pa.float64()),
            ("quantity", pa.int64()),
            ("order_type", pa.string()),
            (TIME_COLUMN, pa.timestamp("us")),
        ]
    ),
}
"""Arrow columns of each topic. Position sizes are signed: negative is short."""

KEYS: Final[dict[str, tuple[str, ...]]] = {
    MARKET_DATA: ("symbol",),
    TRADING_POSITIONS: ("trader_id", "symbol"),
    ORDER_BOOK_UPDATES: ("symbol",),
}
"""Columns that form each topic's record key."""
