"""Feeds: one reader of a topic, shared by all the jobs that stand at its position."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from velostream_nb.brokers.contract import Reader
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.crew import Cost
from velostream_nb.jobs.read_ahead import AheadReader
from velostream_nb.jobs.runs import coalesce, decode_for

ALIGN_SLACK_US = 10_000_000
"""How far in event time a feed may run ahead of another one with a backlog. Enough that live topics, which trail each
other by their producers' pace, are read together; little enough that joins buffer seconds and not hours."""


@dataclass(frozen=True, slots=True)
class Input:
    """What a job wants of one topic: decoded by `schema`, these columns of it.

    Attributes:
        whole: what the job writes is a state, not a list of facts, so it must not see half of what another job
            published.
    """

    topic: str
    schema: StreamSchema
    columns: tuple[str, ...]
    whole: bool = False


@dataclass(slots=True, eq=False)
class Feed:
    """One reader and its jobs.

    Attributes:
        wanted: by job, what it wants.
        front_us: newest event time of the last batch; `WATERMARK_MIN_US` before the first.
        lag_rows: records there were to poll when this tick looked; see `look`.
        skipped: records lost to retention that the jobs were told of.
        heard_us: per partition, when (by the session's clock) records last came.
        ahead: what the reader holds, decoded for those who wanted it then; None when nothing is.
        cost: how long it takes to read ahead.
    """

    topic: str
    reader: Reader
    began_us: int
    wanted: dict[str, Input] = field(default_factory=dict)
    front_us: int = WATERMARK_MIN_US
    lag_rows: int = 0
    skipped: int = 0
    heard_us: dict[int, int] = field(default_factory=dict)
    ahead: _Ahead | None = None
    cost: Cost = field(default_factory=Cost)

    def whole(self, made: Container[str]) -> bool:
        """Whether it is read to its end in every tick: a changelog, and what jobs write (`made`) for some jobs."""
        return any((i.whole and self.topic in made) or i.schema.changelog is not None for i in self.wanted.values())

    def positions(self) -> dict[int, int]:
        return self.reader.positions()

    def look(self) -> None:
        """See how much there is to poll. Raises when the topic is gone."""
        self.lag_rows = self.reader.lag_rows()

    def poll(self, max_rows: int, until: Mapping[int, int] | None = None) -> list[RecordSet]:
        return self.reader.poll(max_rows, until)

    def poll_to(self, goal: Mapping[int, int], max_rows: int) -> tuple[list[RecordSet], bool]:
        """Read up to `goal` (per partition, exclusive), and in no partition past it; True when it was reached."""
        sets: list[RecordSet] = []
        while not self.reached(goal):
            polled = self.reader.poll(max_rows, goal)
            if not polled:
                return sets, False
            sets += polled
        return sets, True

    def newly_lost(self) -> int:
        """Records that retention removed before they were read, since the last time this was asked."""
        lost = self.reader.skipped - self.skipped
        self.skipped += lost
        return lost

    def reached(self, goal: Mapping[int, int]) -> bool:
        """Whether every partition of `goal` is read up to it."""
        return reached(self.positions(), goal)

    def trails(self, other: Feed) -> bool:
        """Whether the other feed has read more of some partition."""
        mine = self.positions()
        return any(offset > mine.get(p, 0) for p, offset in other.positions().items())

    def gap(self, ahead: Feed) -> int | None:
        """Records between this feed and one further ahead; None when it is ahead itself in some partition."""
        mine, theirs = self.positions(), ahead.positions()
        gaps = [theirs.get(p, 0) - offset for p, offset in mine.items()]
        return None if any(g < 0 for g in gaps) else sum(gaps)

    @property
    def can_read_ahead(self) -> bool:
        """Whether `read_ahead` has anything to do."""
        return isinstance(self.reader, AheadReader) and not self.reader.is_full and bool(self.wanted)

    def read_ahead(self, codec: Codec, max_rows: int) -> None:
        """Let the reader hold its next records, and decode them for the jobs that stand here now.

        May run on another thread while nobody else uses the feed.
        """
        assert isinstance(self.reader, AheadReader)
        self.reader.fill(max_rows)
        sets = list(self.reader.held)
        if sets:
            wanted = dict(self.wanted)
            self.ahead = _Ahead(sets, wanted, _decoded(codec, coalesce(sets), wanted))

    def decode(self, codec: Codec, sets: list[RecordSet], now_us: int) -> dict[str, list[Decoded]]:
        """Decode for every job of this feed, once a schema; notes how far event time has come, and who was heard."""
        for records in sets:
            self.heard_us[records.partition] = now_us
        ahead, self.ahead = self.ahead, None
        if ahead is not None and ahead.fits(sets, self.wanted):
            decoded, front_us = ahead.decoded
        else:
            decoded, front_us = _decoded(codec, coalesce(sets), self.wanted)
        if front_us is not None:
            self.front_us = front_us
        return decoded

    def idle(self, now_us: int, timeout_us: int) -> set[int]:
        """Partitions from which nothing came for `timeout_us`, and nothing waits; those of an ended file always."""
        partitions = self.positions()
        if self.reader.ended:
            return set(partitions)
        if self.lag_rows:
            return set()
        return {p for p in partitions if now_us - self.heard_us.get(p, self.began_us) >= timeout_us}


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Records decoded before their turn.

    Attributes:
        decoded: runs by job, and their newest event time.
    """

    sets: list[RecordSet]
    wanted: Mapping[str, Input]
    decoded: tuple[dict[str, list[Decoded]], int | None]

    def fits(self, sets: list[RecordSet], wanted: Mapping[str, Input]) -> bool:
        """Whether this is what has been polled, all of it, and the same jobs want the same of it."""
        same = len(sets) == len(self.sets) and all(a is b for a, b in zip(sets, self.sets, strict=True))
        return same and wanted == self.wanted


def _decoded(
    codec: Codec, runs: list[RecordSet], wanted: Mapping[str, Input]
) -> tuple[dict[str, list[Decoded]], int | None]:
    """Runs by job, decoded once a schema; and the newest event time, None when there is no row."""
    decoded: dict[str, list[Decoded]] = {}
    newest_us = None
    for schema in _distinct(wish.schema for wish in wanted.values()):
        columns = {job: wish.columns for job, wish in wanted.items() if wish.schema == schema}
        mine = decode_for(codec, runs, schema, columns)
        fronts = [times.newest_us for d in next(iter(mine.values()), []) if (times := d.times) is not None]
        newest_us = max(fronts, default=newest_us)
        decoded |= mine
    return decoded, newest_us


def reached(positions: Mapping[int, int], goal: Mapping[int, int]) -> bool:
    """Whether `positions` is at or past `goal` in every partition of it."""
    return all(positions.get(p, 0) >= offset for p, offset in goal.items())


def aligned(feeds: Iterable[Feed]) -> list[Feed]:
    """Of feeds that some job reads together, those to poll now: none runs far ahead of one that has a backlog.

    The feed that is furthest behind in event time is always among them, so there is progress. A held feed is at most
    one batch past the slack, which bounds what joins buffer.
    """
    waiting = [feed for feed in feeds if feed.lag_rows > 0]
    if not waiting:
        return []
    limit_us = min(feed.front_us for feed in waiting) + ALIGN_SLACK_US
    return [feed for feed in waiting if feed.front_us <= limit_us]


def groups(feeds: Iterable[Feed]) -> list[list[Feed]]:
    """Feeds connected through the jobs that read them, oldest group first."""
    found: list[tuple[set[str], list[Feed]]] = []
    for feed in feeds:
        jobs, members = set(feed.wanted), [feed]
        apart = []
        for other in found:
            if other[0] & jobs:
                jobs |= other[0]
                members = other[1] + members
            else:
                apart.append(other)
        found = [*apart, (jobs, members)]
    return [members for _, members in found]


def _distinct(schemas: Iterable[StreamSchema]) -> list[StreamSchema]:
    found: list[StreamSchema] = []
    for schema in schemas:
        if not any(schema is other or schema == other for other in found):
            found.append(schema)
    return found
