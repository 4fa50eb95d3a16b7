"""A market as files: one per topic, written in pieces, so that memory does not grow with the size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from velostream_generator.config import MarketConfig
from velostream_generator.encode import to_json_lines
from velostream_generator.errors import MarketConfigError, near_names
from velostream_generator.feed import Feed, Payload
from velostream_generator.schemas import SCHEMAS, TOPICS

FORMATS = ("jsonl", "parquet")

_STEP_ROWS = 60_000
"""Rows over all topics that are in memory at a time."""


def write(
    config: MarketConfig,
    out_dir: str | Path,
    *,
    format: str = "jsonl",  # noqa: A002 - the name of the command-line option
    events: int | None = None,
    rows: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Write ``market_data.jsonl``, ``trading_positions.jsonl``, ``order_book_updates.jsonl`` (or ``.parquet``).

    Files of these names are replaced. The records are those that `Feed` delivers: `config.faults` is applied.

    Args:
        out_dir: made when it is missing.
        events: records over the three topics, shared out as the intervals have it.
        rows: instead of `events`: records per topic; a topic left out, or with 0, gets no file. The topic that needs
            the most event time for its rows keeps its interval and the others' are lengthened, so that all of them
            span the same time.

    Returns:
        Records written, per topic.

    Raises:
        MarketConfigError: an option does not fit, or `out_dir` cannot be written to.
    """
    if format not in FORMATS:
        raise MarketConfigError(f"unknown format {format!r}", hint=near_names(str(format), FORMATS))
    if format == "parquet" and config.faults.malformed:
        raise MarketConfigError("malformed records do not fit into parquet", hint="write jsonl, or set malformed to 0")
    if (events is None) == (rows is None):
        raise MarketConfigError("neither or both of events and rows were given", hint="give one of them")
    wanted = _shared_out(config, events) if events is not None else _checked(rows or {})
    if rows is not None:
        config = stretched(config, wanted)
    folder = Path(out_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_all(config, folder, format, {topic: count for topic, count in wanted.items() if count})
    except OSError as error:
        raise MarketConfigError(f"cannot write to {folder}: {error}", hint="give a folder you may write to") from error


def stretched(config: MarketConfig, rows: Mapping[str, int]) -> MarketConfig:
    """The same market with intervals that give these rows per topic over one span of event time."""
    intervals = {
        "market_data": "market_interval_ms",
        "trading_positions": "positions_interval_ms",
        "order_book_updates": "orders_interval_ms",
    }
    ticks = {
        topic: rows[topic] / per_tick
        for topic, per_tick in zip(TOPICS, config.rows_per_tick, strict=True)
        if rows.get(topic)
    }
    span_ms = max(count * getattr(config, intervals[topic]) for topic, count in ticks.items())
    return replace(config, **{intervals[topic]: max(1, round(span_ms / count)) for topic, count in ticks.items()})


def _write_all(config: MarketConfig, folder: Path, format_name: str, wanted: Mapping[str, int]) -> dict[str, int]:
    written = dict.fromkeys(wanted, 0)
    feed = Feed(config)
    step_ms = max(1, round(1_000 * _STEP_ROWS / config.rows_per_second))
    with ExitStack() as stack:
        files: dict[str, _File] = {}
        for topic in wanted:
            path = folder / f"{topic}.{format_name}"
            files[topic] = (
                _Jsonl(stack.enter_context(path.open("wb")))
                if format_name == "jsonl"
                else _Parquet(stack.enter_context(pq.ParquetWriter(path, SCHEMAS[topic])))
            )
        while any(written[topic] < count for topic, count in wanted.items()):
            arrived = feed.step(step_ms)
            for topic, count in wanted.items():
                for payload in _first(arrived[topic], count - written[topic]):
                    files[topic].append(payload)
                    written[topic] += len(payload)
    return written


def _first(payloads: Iterable[Payload], rows: int) -> Iterable[Payload]:
    """As many of the records, from the front."""
    for payload in payloads:
        if rows <= 0:
            return
        yield payload[:rows]
        rows -= len(payload)


class _File(Protocol):
    def append(self, payload: Payload) -> None: ...


class _Jsonl:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def append(self, payload: Payload) -> None:
        if isinstance(payload, list):
            self._file.write(b"".join(record + b"\n" for record in payload))
        else:
            self._file.write(to_json_lines(payload))


class _Parquet:
    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file

    def append(self, payload: Payload) -> None:
        assert isinstance(payload, pa.RecordBatch), "malformed records were refused before"
        self._file.write_batch(payload)


def _shared_out(config: MarketConfig, events: int) -> dict[str, int]:
    """How many of the events fall to each topic, by the largest remainder."""
    if not isinstance(events, int) or isinstance(events, bool) or events < 1:
        raise MarketConfigError(f"events is {events!r}", hint="give a whole number, 1 or more")
    cadence = config.cadence
    intervals_us = (cadence.market_us, cadence.positions_us, cadence.orders_us)
    rates = [count / us for count, us in zip(config.rows_per_tick, intervals_us, strict=True)]
    exact = {topic: events * rate / sum(rates) for topic, rate in zip(TOPICS, rates, strict=True)}
    shares = {topic: int(share) for topic, share in exact.items()}
    by_remainder = sorted(TOPICS, key=lambda topic: shares[topic] - exact[topic])
    for topic in by_remainder[: events - sum(shares.values())]:
        shares[topic] += 1
    return shares


def _checked(rows: Mapping[str, int]) -> dict[str, int]:
    for topic, count in rows.items():
        if topic not in TOPICS:
            raise MarketConfigError(f"unknown topic {topic!r}", hint=near_names(str(topic), TOPICS))
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise MarketConfigError(f"rows of {topic} is {count!r}", hint="give a whole number, 0 or more")
    if not any(rows.values()):
        raise MarketConfigError("no rows were asked for", hint=f"give a number for one of {', '.join(TOPICS)}")
    return {topic: rows[topic] for topic in TOPICS if topic in rows}
