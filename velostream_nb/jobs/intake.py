"""What a tick reads: one cut of all the inputs, each topic decoded once for all the jobs at one position."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from velostream_nb.brokers.contract import Broker, Reader
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import VeloError
from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.feeds import Feed, aligned, groups

Positions = Mapping[str, Mapping[int, int]]
"""Offsets by topic and partition."""


@dataclass(slots=True)
class BatchSize:
    """How many records a feed polls at once: small while a tick takes long, large while there is a backlog.

    Attributes:
        rows: the size now.
        least, most: its bounds, inclusive.
        target_us: a tick that takes less than half of it may grow the size, one that takes twice of it shrinks it.
            None: always `most`, for runs where only throughput counts.
    """

    rows: int = 2_000
    least: int = 500
    most: int = 100_000
    target_us: int | None = 100_000

    def adapt(self, took_us: int, *, full: bool) -> None:
        """Learn from one tick; `full` when some feed had at least `rows` to read."""
        if self.target_us is None:
            self.rows = self.most
        elif full and took_us < self.target_us // 2:
            self.rows = min(self.rows * 2, self.most)
        elif took_us > self.target_us * 2:
            self.rows = max(self.rows // 2, self.least)


@dataclass(frozen=True, slots=True)
class Input:
    """What a job wants of one topic: decoded by `schema`, these columns of it."""

    topic: str
    schema: StreamSchema
    columns: tuple[str, ...]


@dataclass(slots=True)
class Cut:
    """What one tick has read.

    Attributes:
        batches: decoded runs by job and topic.
        full: some feed had at least as much to read as it may.
        lost: by job, records that retention removed before they could be read.
        failed: jobs whose input cannot be read, with the reason; they are off their feeds.
    """

    batches: dict[str, dict[str, list[Decoded]]] = field(default_factory=dict)
    full: bool = False
    lost: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)


class Intake:
    """The feeds of all jobs. Belongs to the thread that ticks.

    A job that starts where others are shares their feeds. One that starts elsewhere (from the earliest record, say)
    reads by itself until it has nearly caught up, and is then moved over, all its topics in one tick.

    Args:
        size: how much a feed polls at once.
        held: whether the inputs of a job should wait; asked of every job in every tick.
    """

    def __init__(
        self, broker: Broker, codec: Codec, clock: Clock, size: BatchSize, held: Callable[[str], bool] | None = None
    ) -> None:
        self._broker = broker
        self._codec = codec
        self._clock = clock
        self._size = size
        self._held = held
        self._feeds: list[Feed] = []

    # -- who reads where --------------------------------------------------------------------------------------------

    def join(self, job: str, inputs: list[Input], start: str, positions: Positions) -> None:
        """Place a job on its inputs: at `positions`, and at `start` in topics that are not among them.

        Raises:
            BrokerError: an input cannot be read; the job is then on no feed.
        """
        opened: list[Feed] = []
        try:
            for wish in inputs:
                reader = self._broker.reader(wish.topic, positions.get(wish.topic) or start)
                opened.append(Feed(wish.topic, wish.schema, reader, self._clock.now_us()))
        except VeloError:
            for feed in opened:
                feed.reader.close()
            raise
        shared = self._shared(opened)
        for feed, wish in zip(opened, inputs, strict=True):
            known = shared.get(id(feed))
            if known is None:
                self._feeds.append(feed)
            else:
                feed.reader.close()
            (known or feed).wanted[job] = wish.columns

    def leave(self, job: str) -> None:
        """Take a job off its feeds; those nobody reads any more are closed."""
        for feed in self._feeds:
            if feed.wanted.pop(job, None) is not None and not feed.wanted:
                feed.reader.close()
        self._feeds = [feed for feed in self._feeds if feed.wanted]

    def positions(self, job: str) -> dict[str, dict[int, int]]:
        """Where a job stands: the next offset to read, by topic and partition."""
        return {feed.topic: dict(feed.positions()) for feed in self._feeds if job in feed.wanted}

    def idle(self, job: str, timeout_us: Callable[[str], int | None]) -> frozenset[tuple[str, int]]:
        """Partitions that do not hold a job's watermark back: silent for the topic's timeout, or ended.

        Args:
            timeout_us: by topic; None means never.
        """
        now_us = self._clock.now_us()
        found: set[tuple[str, int]] = set()
        for feed in self._feeds:
            if job in feed.wanted:
                limit_us = timeout_us(feed.topic)
                if limit_us is not None or feed.reader.ended:
                    found.update((feed.topic, p) for p in feed.idle(now_us, limit_us or 0))
        return frozenset(found)

    def readers(self) -> list[Reader]:
        """The readers in use."""
        return [feed.reader for feed in self._feeds]

    def backlog(self, topic: str) -> int:
        """The most records any reader of a topic had before it at the beginning of this tick."""
        return max((feed.lag_rows for feed in self._feeds if feed.topic == topic), default=0)

    def _shared(self, opened: list[Feed]) -> dict[int, Feed]:
        """By id, the feed to share instead of each: of all topics that others read, or of none.

        A job that shared one topic while it catches up in another would hold back everybody in the first.
        """
        shared: dict[int, Feed] = {}
        for feed in opened:
            others = [f for f in self._feeds if _alike(f, feed)]
            equal = next((f for f in others if f.positions() == feed.positions()), None)
            if equal is not None:
                shared[id(feed)] = equal
            elif others:
                return {}
        return shared

    # -- the cut ----------------------------------------------------------------------------------------------------

    def take(self) -> Cut:
        """Read what this tick gets: at most `size.rows` records a feed, nobody far ahead in event time."""
        cut = Cut()
        for feed in list(self._feeds):
            self._guarded(feed, cut, feed.look)
        catching_up = []
        for group in groups(self._feeds):
            if self._leaders(group):
                catching_up.append(group)
                continue
            for feed in aligned(group):
                if self._held is None or not any(self._held(job) for job in feed.wanted):
                    self._poll(feed, cut)
        # those that catch up read last, up to where the feeds they join now stand
        for group in catching_up:
            self._merge(group, self._leaders(group), cut)
        return cut

    def _leaders(self, group: list[Feed]) -> dict[int, Feed]:
        """For a group that has nearly caught up: the feed that each of its feeds can merge into, by id.

        Empty unless every feed of the group that has a counterpart is within one batch behind it: a group joins as a
        whole, else its slowest feed would hold back the jobs it joins.
        """
        leaders: dict[int, Feed] = {}
        for feed in group:
            rivals = [f for f in self._feeds if _alike(f, feed) and f not in group]
            gaps = [(gap, i) for i, f in enumerate(rivals) if (gap := feed.gap(f)) is not None]
            if rivals and (not gaps or min(gaps)[0] > self._size.most):
                return {}
            if gaps:
                leaders[id(feed)] = rivals[min(gaps)[1]]
        return leaders

    def _merge(self, group: list[Feed], leaders: Mapping[int, Feed], cut: Cut) -> None:
        """Bring a group up to the feeds it follows, and move its jobs onto those whose position it reached."""
        polled = aligned(group)
        for feed in group:
            leader = leaders.get(id(feed))
            if leader is not None:
                self._guarded(feed, cut, partial(self._follow, feed, leader, cut))
            elif feed in polled:
                self._poll(feed, cut)
        self._feeds = [feed for feed in self._feeds if feed.wanted]

    def _follow(self, feed: Feed, leader: Feed, cut: Cut) -> None:
        sets, arrived = feed.poll_to(leader.positions(), self._size.most)
        self._decode(feed, sets, cut)
        if arrived:
            leader.wanted.update(feed.wanted)
            feed.wanted.clear()
            feed.reader.close()

    def _poll(self, feed: Feed, cut: Cut) -> None:
        def poll() -> None:
            sets = feed.poll(self._size.rows)
            cut.full |= sum(records.rows for records in sets) >= self._size.rows
            self._decode(feed, sets, cut)

        self._guarded(feed, cut, poll)

    def _decode(self, feed: Feed, sets: list[RecordSet], cut: Cut) -> None:
        for job in feed.wanted if (lost := feed.newly_lost()) else ():
            cut.lost[job] = cut.lost.get(job, 0) + lost
        for job, runs in feed.decode(self._codec, sets, self._clock.now_us()).items() if sets else ():
            cut.batches.setdefault(job, {}).setdefault(feed.topic, []).extend(runs)

    def _guarded(self, feed: Feed, cut: Cut, read: Callable[[], None]) -> None:
        """Read from one feed; what it raises takes its jobs off all their feeds, and nobody else's."""
        if not feed.wanted:  # its last job was taken off a moment ago, in this very tick
            return
        try:
            read()
        except Exception as error:  # noqa: BLE001 (whatever one topic raises must not end the jobs that do not read it)
            for job in list(feed.wanted):
                cut.failed[job] = error
                self.leave(job)


def _alike(one: Feed, other: Feed) -> bool:
    return one.topic == other.topic and (one.schema is other.schema or one.schema == other.schema)
