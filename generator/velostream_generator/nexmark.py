"""Nexmark: people, auctions and bids of an auction house, as the streaming benchmark of that name has them.

Of 50 events one is a new person, three are new auctions and 46 are bids. Some auctions, bidders, sellers and channels
are hot: half of all bids go to the newest hot auction, three in four come from the newest hot bidder. Ids grow with
time, and a few references run ahead of what there is: a bid may name an auction, or an auction a seller, that comes
later or never. The proportions and ratios are those of the benchmark's original generator (Apache Beam, Nexmark); the
draws are our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from velostream_generator.checks import require_integer, require_number
from velostream_generator.config import DEFAULT_START_MS
from velostream_generator.encode import to_json_lines
from velostream_generator.errors import MarketConfigError, near_names

Integers: TypeAlias = npt.NDArray[np.int64]

NEXMARK_TIME: Final = "dateTime"
"""Event time of all three topics: ``timestamp[us]`` in Arrow (whole milliseconds), epoch milliseconds in JSON."""

_TEXT, _WHOLE, _TIME = pa.string(), pa.int64(), pa.timestamp("us")
NEXMARK_SCHEMAS: Final[dict[str, pa.Schema]] = {
    "person": pa.schema(
        [
            ("id", _WHOLE), ("name", _TEXT), ("emailAddress", _TEXT), ("creditCard", _TEXT), ("city", _TEXT),
            ("state", _TEXT), (NEXMARK_TIME, _TIME), ("extra", _TEXT),
        ]
    ),
    "auction": pa.schema(
        [
            ("id", _WHOLE), ("itemName", _TEXT), ("description", _TEXT), ("initialBid", _WHOLE), ("reserve", _WHOLE),
            (NEXMARK_TIME, _TIME), ("expires", _TIME), ("seller", _WHOLE), ("category", _WHOLE), ("extra", _TEXT),
        ]
    ),
    "bid": pa.schema(
        [
            ("auction", _WHOLE), ("bidder", _WHOLE), ("price", _WHOLE), ("channel", _TEXT), ("url", _TEXT),
            (NEXMARK_TIME, _TIME), ("extra", _TEXT),
        ]
    ),
}  # fmt: skip
"""Arrow columns of each topic. Prices are cents."""

NEXMARK_TOPICS: Final = tuple(NEXMARK_SCHEMAS)

_PERSONS, _AUCTIONS, _EVENTS = 1, 3, 50
"""Persons, auctions and all events in one round."""
_FIRST_ID = 1_000
_FIRST_CATEGORY, _CATEGORIES = 10, 5
_ACTIVE_PEOPLE = 1_000
_OPEN_AUCTIONS = 100
_LEAD = 10
"""How far ids that are referred to may run ahead of those that exist."""
_HOT = 100
"""One id in so many is a hot one."""
_HOT_AUCTIONS, _HOT_BIDDERS, _HOT_SELLERS, _HOT_CHANNELS = 2, 4, 4, 2
"""All but one in so many references go to the hot one."""
_CHANNELS = 10_000
_HOT_CHANNEL_NAMES = ("Google", "Facebook", "Baidu", "Apple")
_STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
_CITIES = (
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne",
)  # fmt: skip
_FIRST_NAMES = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
_LAST_NAMES = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")
_BYTES = {"person": 200, "auction": 500, "bid": 100}
"""About how large a record is; `extra` fills it up."""
_FIXED_BYTES = {"person": 110, "auction": 120, "bid": 90}

_BLOCK_EVENTS = 50_000
"""Events drawn at once, a whole number of rounds; draws follow from (seed, block) alone."""

NEXMARK_FORMATS = ("jsonl", "parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class NexmarkConfig:
    """An auction house to simulate. Equal configurations give equal rows.

    Attributes:
        events: over the three topics together.
        seed: 0 or more; every draw follows from it.
        start_ms: event time of the first event, epoch milliseconds.
        rate: events a second of event time.
        disorder_ms: how far behind the newest record of its topic a record may arrive; 0 is event-time order.
    """

    events: int = 100_000
    seed: int = 42
    start_ms: int = DEFAULT_START_MS
    rate: float = 1_000.0
    disorder_ms: int = 0

    def __post_init__(self) -> None:
        require_integer("events", self.events, 1, 2**40)
        require_integer("seed", self.seed, 0, 2**63 - 1)
        require_integer("start_ms", self.start_ms, 0, 2**52)
        require_integer("disorder_ms", self.disorder_ms, 0, 86_400_000)
        require_number("rate", self.rate, 0.001, 1e6, "events a second of event time")


def nexmark(config: NexmarkConfig) -> dict[str, pa.Table]:
    """All rows of the three topics (`NEXMARK_TOPICS`), each in the order in which they arrive."""
    parts: dict[str, list[pa.RecordBatch]] = {topic: [] for topic in NEXMARK_TOPICS}
    for block in nexmark_blocks(config):
        for topic, batch in block.items():
            parts[topic].append(batch)
    return {t: pa.Table.from_batches(b, NEXMARK_SCHEMAS[t]).combine_chunks() for t, b in parts.items()}


def nexmark_blocks(config: NexmarkConfig) -> Iterator[dict[str, pa.RecordBatch]]:
    """The same rows in pieces that fit into memory, in the order of arrival over all the topics."""
    waiting = {t: (np.empty(0), pa.RecordBatch.from_pylist([], NEXMARK_SCHEMAS[t])) for t in NEXMARK_TOPICS}
    for first in range(0, config.events, _BLOCK_EVENTS):
        count = min(_BLOCK_EVENTS, config.events - first)
        random = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(first // _BLOCK_EVENTS,)))
        drawn = _Draw(config, random, np.arange(first, first + count)).batches()
        last = first + count >= config.events
        # whatever comes later arrives after its own event time
        until_ms = np.inf if last else float(_times(config, np.array([first + count]))[0])
        out = {}
        for topic, (times_ms, batch) in drawn.items():
            delay_ms = random.uniform(0, config.disorder_ms, len(times_ms)) if config.disorder_ms else 0.0
            arrival = np.concatenate([waiting[topic][0], times_ms + delay_ms])
            rows = pa.concat_batches([waiting[topic][1], batch])
            order = np.argsort(arrival, kind="stable")
            split = int(np.searchsorted(arrival[order], until_ms, side="left"))
            out[topic] = rows.take(pa.array(order[:split]))
            waiting[topic] = (arrival[order[split:]], rows.take(pa.array(order[split:])))
        yield out


def write_nexmark(
    config: NexmarkConfig,
    out_dir: str | Path,
    *,
    format: str = "jsonl",  # noqa: A002 - the name of the command-line option
) -> dict[str, int]:
    """Write ``person.jsonl``, ``auction.jsonl`` and ``bid.jsonl`` (or ``.parquet``); files of these names are replaced.

    Returns:
        Records written, per topic.

    Raises:
        MarketConfigError: an unknown format, or `out_dir` (made when it is missing) cannot be written to.
    """
    if format not in NEXMARK_FORMATS:
        raise MarketConfigError(f"unknown format {format!r}", hint=near_names(str(format), NEXMARK_FORMATS))
    folder = Path(out_dir)
    written = dict.fromkeys(NEXMARK_TOPICS, 0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if format == "parquet":
            writers = {t: pq.ParquetWriter(folder / f"{t}.parquet", s) for t, s in NEXMARK_SCHEMAS.items()}
            append = {topic: writer.write_batch for topic, writer in writers.items()}
            closing = list(writers.values())
        else:
            files = {t: (folder / f"{t}.jsonl").open("wb") for t in NEXMARK_TOPICS}
            append = {t: lambda batch, file=file: file.write(to_json_lines(batch)) for t, file in files.items()}
            closing = list(files.values())
        try:
            for block in nexmark_blocks(config):
                for topic, batch in block.items():
                    append[topic](batch)
                    written[topic] += batch.num_rows
        finally:
            for file in closing:
                file.close()
    except OSError as error:
        raise MarketConfigError(f"cannot write to {folder}: {error}", hint="give a folder you may write to") from error
    return written


def _times(config: NexmarkConfig, number: Integers) -> Integers:
    """Event time of each event, epoch milliseconds."""
    times: Integers = config.start_ms + (number * (1_000.0 / config.rate)).astype(np.int64)
    return times


class _Draw:
    """One block of events.

    Attributes:
        number: of each event, from 0.
        slot: its place in its round.
    """

    def __init__(self, config: NexmarkConfig, random: np.random.Generator, number: Integers) -> None:
        self.config = config
        self.random = random
        self.number = number
        self.slot = number % _EVENTS
        self.times_ms = _times(config, number)

    def batches(self) -> dict[str, tuple[Integers, pa.RecordBatch]]:
        """Event times and rows per topic, by event time."""
        persons = self.slot < _PERSONS
        auctions = ~persons & (self.slot < _PERSONS + _AUCTIONS)
        bids = ~persons & ~auctions
        makers = {"person": (persons, self._persons), "auction": (auctions, self._auctions), "bid": (bids, self._bids)}
        found = {}
        for topic, (mask, make) in makers.items():
            times_ms = self.times_ms[mask]
            columns = {**make(self.number[mask], times_ms), NEXMARK_TIME: pa.array(times_ms * 1_000).view(_TIME)}
            columns["extra"] = self._extra(topic, len(times_ms))
            schema = NEXMARK_SCHEMAS[topic]
            found[topic] = (times_ms, pa.RecordBatch.from_arrays([columns[n] for n in schema.names], schema=schema))
        return found

    # -- topics -----------------------------------------------------------------------------------------------------

    def _persons(self, number: Integers, times_ms: Integers) -> dict[str, pa.Array]:
        rows = len(times_ms)
        first, last = self._pick(_FIRST_NAMES, rows), self._pick(_LAST_NAMES, rows)
        letters = self.random.integers(0, 26**4, rows)
        host = [chr(97 + n % 26) + chr(97 + n // 26 % 26) + chr(97 + n // 676 % 26) for n in letters.tolist()]
        cards = self.random.integers(0, 10**16, rows)
        return {
            "id": pa.array(_last_person(number) + _FIRST_ID),
            "name": pa.array([f"{a} {b}" for a, b in zip(first, last, strict=True)], _TEXT),
            "emailAddress": pa.array(
                [f"{a}.{b}@{h}.com".lower() for a, b, h in zip(first, last, host, strict=True)], _TEXT
            ),
            "creditCard": pa.array([_card(n) for n in cards.tolist()], _TEXT),
            "city": pa.array(self._pick(_CITIES, rows), _TEXT),
            "state": pa.array(self._pick(_STATES, rows), _TEXT),
        }

    def _auctions(self, number: Integers, times_ms: Integers) -> dict[str, pa.Array]:
        rows = len(times_ms)
        initial, more = self._prices(rows), self._prices(rows)
        hot = self.random.integers(0, _HOT_SELLERS, rows) > 0
        people = _last_person(number)
        seller = np.where(hot, people // _HOT * _HOT, self._person(people))
        # long enough that about `_OPEN_AUCTIONS` are open at a time
        horizon_ms = max(1.0, _OPEN_AUCTIONS * _EVENTS / _AUCTIONS * 1_000 / self.config.rate * 2)
        length_ms = 1 + self.random.integers(0, max(1, int(horizon_ms)), rows)
        names = self.random.integers(0, 5_000, rows).tolist()
        return {
            "id": pa.array(_last_auction(number) + _FIRST_ID),
            "itemName": pa.array([f"item {n}" for n in names], _TEXT),
            "description": pa.array([f"one of {n * 7 % 97} of its kind" for n in names], _TEXT),
            "initialBid": pa.array(initial),
            "reserve": pa.array(initial + more),
            "expires": pa.array((times_ms + length_ms) * 1_000).view(_TIME),
            "seller": pa.array(seller + _FIRST_ID),
            "category": pa.array(_FIRST_CATEGORY + self.random.integers(0, _CATEGORIES, rows)),
        }

    def _bids(self, number: Integers, times_ms: Integers) -> dict[str, pa.Array]:
        rows = len(times_ms)
        newest, people = _last_auction(number), _last_person(number)
        hot_auction = self.random.integers(0, _HOT_AUCTIONS, rows) > 0
        hot_bidder = self.random.integers(0, _HOT_BIDDERS, rows) > 0
        oldest = np.maximum(newest - _OPEN_AUCTIONS, 0)
        auction = oldest + self.random.integers(0, newest - oldest + 1 + _LEAD)
        channel, url = self._channels(rows)
        return {
            "auction": pa.array(np.where(hot_auction, newest // _HOT * _HOT, auction) + _FIRST_ID),
            "bidder": pa.array(np.where(hot_bidder, people // _HOT * _HOT + 1, self._person(people)) + _FIRST_ID),
            "price": pa.array(self._prices(rows)),
            "channel": channel,
            "url": url,
        }

    # -- draws ------------------------------------------------------------------------------------------------------

    def _channels(self, rows: int) -> tuple[pa.Array, pa.Array]:
        """Hot channels have a page each, the others thousands; nine in ten of those say their id in the URL."""
        hot = self.random.integers(0, _HOT_CHANNELS, rows) > 0
        told = self.random.random(rows) < 0.9
        famous = self.random.integers(0, len(_HOT_CHANNEL_NAMES), rows)
        other = len(_HOT_CHANNEL_NAMES) + self.random.integers(0, _CHANNELS, rows) + np.where(told, 0, _CHANNELS)
        names, urls = _channel_pool()
        which = pa.array(np.where(hot, famous, other))
        return names.take(which), urls.take(which)

    def _person(self, newest: Integers) -> Integers:
        """An active person, or one of the next few to come."""
        active = np.minimum(newest + 1, _ACTIVE_PEOPLE)
        picked: Integers = newest + 1 - active + self.random.integers(0, active + _LEAD)
        return picked

    def _prices(self, rows: int) -> Integers:
        """From 1 to a million dollars, evenly over the powers of ten, in cents."""
        cents: Integers = np.rint(10 ** (self.random.random(rows) * 6) * 100).astype(np.int64)
        return cents

    def _extra(self, topic: str, rows: int) -> pa.Array:
        """Filler, so that records are as large as the benchmark's; one of 64 texts of letters."""
        fill = max(8, _BYTES[topic] - _FIXED_BYTES[topic])
        random = np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(0, fill)))
        lengths = random.integers(fill * 8 // 10, fill * 12 // 10 + 1, 64)
        pool = ["".join(map(chr, random.integers(97, 123, length))) for length in lengths.tolist()]
        return pa.array(pool, _TEXT).take(pa.array(self.random.integers(0, len(pool), rows)))

    def _pick(self, values: tuple[str, ...], rows: int) -> list[str]:
        return [values[i] for i in self.random.integers(0, len(values), rows).tolist()]


def _last_person(number: Integers) -> Integers:
    """The newest person's number (from 0) at each event."""
    return number // _EVENTS


def _last_auction(number: Integers) -> Integers:
    """The newest auction's number (from 0) at each event; 0 before there is one."""
    slot = number % _EVENTS
    rounds = number // _EVENTS * _AUCTIONS
    newest: Integers = rounds + np.clip(slot - _PERSONS, -1, _AUCTIONS - 1)
    return np.maximum(newest, 0)


@cache
def _channel_pool() -> tuple[pa.Array, pa.Array]:
    """Name and URL of every channel: the hot ones, the others with their id in the URL, and those again without."""
    count = len(_HOT_CHANNEL_NAMES)
    names = [*_HOT_CHANNEL_NAMES, *(f"channel-{n}" for n in range(_CHANNELS))]
    pages = [
        f"https://www.nexmark.com/{_word(n)}/{_word(n * 31 + 7)}/{_word(n * 17 + 3)}/item.htm?query=1"
        for n in range(count + _CHANNELS)
    ]
    told = [f"{page}&channel_id={n * 2_654_435_761 % 2**31}" for n, page in enumerate(pages[count:])]
    return pa.array([*names, *names[count:]], _TEXT), pa.array([*pages[:count], *told, *pages[count:]], _TEXT)


def _card(number: int) -> str:
    text = f"{number:016d}"
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def _word(number: int) -> str:
    """A short path element."""
    letters = []
    for _ in range(5):
        number, letter = divmod(number * 7 + 11, 26)
        letters.append(chr(97 + letter))
    return "".join(letters)
