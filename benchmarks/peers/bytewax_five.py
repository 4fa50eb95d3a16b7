"""The five trading jobs in Bytewax, written by hand: one worker, one thread, JSON lines in and out.

Run by `python -m benchmarks`; by hand, with the packages of bytewax.txt installed:

    python bytewax_five.py '{"sources": {"market_data": "day/market_data.jsonl", ...}, "out": "."}'

Bytewax has no event-time alignment of inputs, without which the as-of join answers wrongly; so one source reads the
three files and merges them by timestamp, as hand-written code would have to. Differences from the SQL: rows are taken
as in order of time (nothing waits for stragglers), and sliding windows are sums a 10 s slice and symbol, written as
plain Python, which is several times faster than Bytewax's own window operator here.
"""

import heapq
import json
import sys
from collections import deque
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

Row = dict[str, Any]
BATCH = 1_000
SLICE_MS, WINDOW_MS = 10_000, 60_000
# at equal times a quote comes before the position that it values
ORDER = {"market_data": 0, "order_book_updates": 1, "trading_positions": 2}


def records(topic: str, path: str) -> Iterator[tuple[int, int, Row]]:
    """(time, rank of the topic, row) of each line."""
    rank = ORDER[topic]
    with Path(path).open("rb") as lines:
        for line in lines:
            row = orjson.loads(line)
            yield row["timestamp"], rank, row


class Merged(StatefulSourcePartition):
    """All three files in order of time."""

    def __init__(self, sources: dict[str, str]) -> None:
        each = [records(topic, path) for topic, path in sources.items()]
        self._rows = heapq.merge(*each, key=lambda record: record[:2])

    def next_batch(self) -> list[tuple[int, int, Row]]:
        batch = []
        for record in self._rows:
            batch.append(record)
            if len(batch) == BATCH:
                return batch
        if not batch:
            raise StopIteration
        return batch

    def snapshot(self) -> None:
        return None


class Files(FixedPartitionedSource):
    def __init__(self, sources: dict[str, str]) -> None:
        self._sources = sources

    def list_parts(self) -> list[str]:
        return ["all"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> Merged:  # noqa: ARG002 (Bytewax's interface)
        return Merged(self._sources)


class Lines(DynamicSink):
    """Appends rows to a JSON-lines file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "LinesPart":  # noqa: ARG002 (Bytewax's interface)
        return LinesPart(self._path)


class LinesPart(StatelessSinkPartition):
    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write_batch(self, items: list[Row]) -> None:
        self._file.write(b"".join(orjson.dumps(row) + b"\n" for row in items))

    def close(self) -> None:
        self._file.close()


class Immediate(StatefulLogic):
    """A logic that answers each row at once; `rows` is its work."""

    def on_item(self, row: Row) -> tuple[list[Row], bool]:
        return self.rows(row), StatefulLogic.RETAIN

    def rows(self, row: Row) -> list[Row]:
        raise NotImplementedError

    def snapshot(self) -> None:
        return None


class PriceMoves(Immediate):
    def __init__(self) -> None:
        self._before: float | None = None

    def rows(self, row: Row) -> list[Row]:
        before, price = self._before, row["price"]
        self._before = price
        if before is None:
            return []
        change = (price - before) / before * 100
        if abs(change) <= 5:
            return []
        return [
            {
                "symbol": row["symbol"], "exchange": row["exchange"], "price": price, "prev_price": before,
                "price_change_pct": round(change, 2), "volume": row["volume"], "detection_time": row["timestamp"],
            }
        ]  # fmt: skip


class VolumeSpikes(Immediate):
    def __init__(self) -> None:
        self._last: deque[int] = deque()
        self._sum = 0

    def rows(self, row: Row) -> list[Row]:
        last, volume, found = self._last, row["volume"], []
        if len(last) == 20:
            usual = self._sum / 20
            if volume > 3 * usual:
                found.append(
                    {
                        "symbol": row["symbol"], "exchange": row["exchange"], "price": row["price"], "volume": volume,
                        "avg_volume_20": usual, "volume_ratio": round(volume / usual, 2),
                        "detection_time": row["timestamp"],
                    }
                )  # fmt: skip
            self._sum -= last.popleft()
        last.append(volume)
        self._sum += volume
        return found


class Arbitrage(Immediate):
    """The quotes of a symbol in the last second, against each new one, both ways round."""

    def __init__(self) -> None:
        self._recent: deque[Row] = deque()

    def rows(self, row: Row) -> list[Row]:
        recent, time, exchange = self._recent, row["timestamp"], row["exchange"]
        while recent and recent[0]["timestamp"] < time - 1_000:
            recent.popleft()
        found = []
        bid, ask = row["bid_price"], row["ask_price"]
        for other in recent:
            if other["exchange"] != exchange:
                if (bid - other["ask_price"]) / other["ask_price"] * 1e4 >= 10:
                    found.append(self._chance(other, row))
                if (other["bid_price"] - ask) / ask * 1e4 >= 10:
                    found.append(self._chance(row, other))
        recent.append(row)
        return found

    @staticmethod
    def _chance(buy: Row, sell: Row) -> Row:
        spread, size = sell["bid_price"] - buy["ask_price"], min(buy["ask_size"], sell["bid_size"])
        return {
            "symbol": buy["symbol"], "buy_exchange": buy["exchange"], "sell_exchange": sell["exchange"],
            "ask_price": buy["ask_price"], "bid_price": sell["bid_price"], "spread": round(spread, 4),
            "spread_bps": round(spread / buy["ask_price"] * 1e4, 1), "available_volume": size,
            "potential_profit": round(spread * size, 2), "detection_time": max(buy["timestamp"], sell["timestamp"]),
        }  # fmt: skip


class Imbalance(StatefulLogic):
    """Volumes by side and 10 s slice of one symbol; a window closes with the first order at or after its end."""

    def __init__(self) -> None:
        self._symbol = ""
        self._slices: dict[int, list[int | None]] = {}
        self._end = 0

    def on_item(self, row: Row) -> tuple[list[Row], bool]:
        time = row["timestamp"]
        start = time - time % SLICE_MS
        found = []
        if not self._slices:
            self._symbol, self._end = row["symbol"], start + SLICE_MS
        while self._end <= start:
            found += self._close()
            if not self._slices:
                self._end = start + SLICE_MS
        sums = self._slices.setdefault(start, [None, None])
        side = row["side"] == "BUY"
        sums[side] = (sums[side] or 0) + row["quantity"]
        return found, StatefulLogic.RETAIN

    def on_eof(self) -> tuple[list[Row], bool]:
        found = []
        while self._slices:
            found += self._close()
        return found, StatefulLogic.DISCARD

    def snapshot(self) -> None:
        return None

    def _close(self) -> list[Row]:
        """The window that ends at `_end`, if it is one to tell of; moves on to the next."""
        end, start = self._end, self._end - WINDOW_MS
        parts = list(self._slices.values())
        self._slices.pop(start, None)
        self._end += SLICE_MS
        # a sum over no rows is NULL in SQL
        sells, buys = ([sums[side] for sums in parts if sums[side] is not None] for side in (0, 1))
        bought, sold = sum(buys), sum(sells)
        total = bought + sold
        if total < 10_000 or max(bought, sold) <= 0.7 * total:
            return []
        return [
            {
                "symbol": self._symbol, "buy_volume": bought if buys else None,
                "sell_volume": sold if sells else None, "total_volume": total,
                "buy_ratio": round(bought / total, 4), "window_start": start, "window_end": end,
            }
        ]  # fmt: skip


class Valued(Immediate):
    """Each position with its symbol's last price."""

    def __init__(self) -> None:
        self._price: float | None = None

    def rows(self, row: Row) -> list[Row]:
        if "trader_id" not in row:
            self._price = row["price"]
            return []
        return [{**row, "price": self._price}]


class Risk(StatefulLogic):
    """A trader's total P&L; rows of one moment share the total after all of them, so they wait for the next one."""

    def __init__(self) -> None:
        self._pnl: dict[str, float] = {}
        self._total = 0.0
        self._waiting: list[Row] = []

    def on_item(self, row: Row) -> tuple[list[Row], bool]:
        found = []
        if self._waiting and self._waiting[0]["timestamp"] != row["timestamp"]:
            found = self._tell()
        pnl = row["current_pnl"] or 0
        self._total += pnl - self._pnl.get(row["symbol"], 0)
        self._pnl[row["symbol"]] = pnl
        self._waiting.append(row)
        return found, StatefulLogic.RETAIN

    def on_eof(self) -> tuple[list[Row], bool]:
        return self._tell(), StatefulLogic.DISCARD

    def snapshot(self) -> None:
        return None

    def _tell(self) -> list[Row]:
        found = []
        for row in self._waiting:
            value = 0 if row["price"] is None else abs(row["position_size"] * row["price"])
            if value > 1_000_000:
                kind = "POSITION_LIMIT_EXCEEDED"
            elif self._total < -50_000:
                kind = "DAILY_LOSS_LIMIT_EXCEEDED"
            elif value > 500_000:
                kind = "POSITION_WARNING"
            else:
                continue
            found.append(
                {
                    "trader_id": row["trader_id"], "symbol": row["symbol"], "position_size": row["position_size"],
                    "price": row["price"], "position_value": None if row["price"] is None else round(value, 2),
                    "current_pnl": row["current_pnl"], "total_pnl": round(self._total, 2), "alert_type": kind,
                    "detection_time": row["timestamp"],
                }
            )  # fmt: skip
        self._waiting.clear()
        return found


def flow(sources: dict[str, str], out: Path) -> Dataflow:
    made = Dataflow("five")
    everything = op.input("files", made, Files(sources))

    def only(name: str, *ranks: int) -> Any:
        return op.flat_map(name, everything, lambda record: (record[2],) if record[1] in ranks else ())

    def job(name: str, rows: Any, key: Any, logic: Any) -> Any:
        keyed = op.key_on(f"{name}_key", rows, key)
        return op.map(f"{name}_rows", op.stateful(name, keyed, lambda _state: logic()), lambda pair: pair[1])

    market, orders, both = only("market", 0), only("orders", 1), only("both", 0, 2)
    valued = job("valued", both, lambda row: row["symbol"], Valued)
    answers = {
        "price_alerts": job("moves", market, lambda row: row["symbol"] + row["exchange"], PriceMoves),
        "volume_spikes": job("spikes", market, lambda row: row["symbol"] + row["exchange"], VolumeSpikes),
        "risk_alerts": job("risk", valued, lambda row: row["trader_id"], Risk),
        "order_imbalance_alerts": job("imbalance", orders, lambda row: row["symbol"], Imbalance),
        "arbitrage_opportunities": job("arbitrage", market, lambda row: row["symbol"], Arbitrage),
    }
    for topic, rows in answers.items():
        op.output(f"out_{topic}", rows, Lines(out / f"{topic}.jsonl"))
    return made


def main() -> None:
    options = json.loads(sys.argv[1])
    run_main(flow(options["sources"], Path(options["out"])))
    print(json.dumps({"versions": {"bytewax": version("bytewax"), "orjson": version("orjson")}}))


if __name__ == "__main__":
    main()
