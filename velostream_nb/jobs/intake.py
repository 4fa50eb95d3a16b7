"""What a tick reads: one cut of all the inputs, each topic decoded once for all the jobs at one position."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from velostream_nb.brokers.contract import Broker, Reader
from velostream_nb.brokers.file_reader import FileReader
from velostream_nb.codecs.contract import Codec
from velostream_nb.core.clock import Clock
from velostream_nb.core.errors import UnknownTopicError, VeloError
from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.jobs.crew import Task
from velostream_nb.jobs.feeds import ALIGN_SLACK_US, Feed, Input, aligned, groups
from velostream_nb.jobs.read_ahead import AheadReader
from velostream_nb.jobs.widening import Narrow

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


@dataclass(slots=True)
class Cut:
    """What one tick has read.

    Attributes:
        batches: decoded runs by job and topic.
        full: some feed had at least as much to read as it may.
        lost: by job, records that retention removed before they could be read.
        failed: jobs whose input cannot be read, with the reason; they are off their feeds.
        narrow: jobs that have met numbers which a column does not hold; they are off their feeds, and stand where the
            last tick has left them.
    """

    batches: dict[str, dict[str, list[Decoded]]] = field(default_factory=dict)
    full: bool = False
    lost: dict[str, int] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)
    narrow: dict[str, Narrow] = field(default_factory=dict)


class Intake:
    """The feeds of all jobs. Belongs to the thread that ticks.

    A job that starts where others are shares their feeds. One that starts elsewhere (from the earliest record, say)
    reads by itself until it has nearly caught up, and is then moved over, all its topics in one tick.

    What a job writes is handed to the jobs that read it within the tick (`hand_over`), if they stand at the topic's
    end; those that are behind read the log until they do.

    Args:
        size: how much a feed polls at once.
        held: whether the inputs of a job should wait; asked of every job in every tick.
        ahead: read files ahead (`reading_ahead`).
    """

    def __init__(
        self,
        broker: Broker,
        codec: Codec,
        clock: Clock,
        size: BatchSize,
        held: Callable[[str], bool] | None = None,
        *,
        ahead: bool = False,
    ) -> None:
        self._broker = broker
        self._codec = codec
        self._clock = clock
        self._size = size
        self._held = held
        self._ahead = ahead
        self._feeds: list[Feed] = []
        self._made: Container[str] = frozenset()

    # -- who reads where --------------------------------------------------------------------------------------------

    def join(self, job: str, inputs: list[Input], start: str, positions: Positions) -> None:
        """Place a job on its inputs: at `positions`, and at `start` in topics that are not among them.

        Raises:
            BrokerError: an input cannot be read; the job is then on no feed.
        """
        opened: list[Feed] = []
        try:
            for wish in inputs:
                reader = self._reader(wish.topic, positions, start)
                opened.append(Feed(wish.topic, reader, self._clock.now_us()))
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
            (known or feed).wanted[job] = wish

    def _reader(self, topic: str, positions: Positions, start: str) -> Reader:
        reader = self._broker.reader(topic, positions.get(topic) or start)
        return AheadReader(reader) if self._ahead and isinstance(reader, FileReader) else reader

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

    def topics(self) -> set[str]:
        """The topics that are read."""
        return {feed.topic for feed in self._feeds}

    def readers(self) -> list[Reader]:
        """The readers in use."""
        readers = [feed.reader for feed in self._feeds]
        return [reader.inner if isinstance(reader, AheadReader) else reader for reader in readers]

    def reading_ahead(self) -> list[Task]:
        """What can be read and decoded for the next tick while others work at this one. Each task has its own feed."""
        feeds = [feed for feed in self._feeds if feed.can_read_ahead]
        rows = self._size.rows
        return [Task(partial(feed.read_ahead, self._codec, rows), rows, feed.cost) for feed in feeds]

    def backlog(self, topic: str) -> int:
        """The most records any reader of a topic had before it at the beginning of this tick."""
        return max((feed.lag_rows for feed in self._feeds if feed.topic == topic), default=0)

    def behind(self, job: str) -> bool:
        """Whether another job has read more of one of its inputs, or one that jobs write is not read to its end."""
        return any(
            (feed.topic in self._made and feed.reader.lag_rows() > 0)
            or any(feed.trails(other) for other in self._rivals(feed))
            for feed in self._feeds
            if job in feed.wanted
        )

    def _rivals(self, feed: Feed) -> list[Feed]:
        return [other for other in self._feeds if other.topic == feed.topic and other is not feed and other.wanted]

    def _shared(self, opened: list[Feed]) -> dict[int, Feed]:
        """By id, the feed to share instead of each: of all topics that others read, or of none.

        A job that shared one topic while it catches up in another would hold back everybody in the first.
        """
        shared: dict[int, Feed] = {}
        for feed in opened:
            others = self._rivals(feed)
            equal = next((f for f in others if f.positions() == feed.positions()), None)
            if equal is not None:
                shared[id(feed)] = equal
            elif others:
                return {}
        return shared

    # -- the cut ----------------------------------------------------------------------------------------------------

    def take(self, made: Container[str] = frozenset()) -> Cut:
        """Read what this tick gets: at most `size.rows` records a feed, nobody far ahead in event time.

        Args:
            made: topics that jobs write; no tick is under way, so each ends with a whole publish.
        """
        cut = Cut()
        self._made = made
        for feed in list(self._feeds):
            self._guarded(feed, cut, feed.look)
        self._take_whole(cut)
        catching_up = []
        for group in groups(feed for feed in self._feeds if not feed.whole(made)):
            if self._leaders(group):
                catching_up.append(group)
                continue
            for feed in aligned(group):
                if not self._is_held(feed):
                    self._poll(feed, cut)
        # those that catch up read last, up to where the feeds they join now stand
        for group in catching_up:
            self._merge(group, self._leaders(group), cut)
        self._feeds = [feed for feed in self._feeds if feed.wanted]
        return cut

    def hand_over(self, sets: Sequence[RecordSet], cut: Cut) -> None:
        """Give records of the tick's open transaction to the jobs that stand right before them."""
        for topic in dict.fromkeys(records.topic for records in sets):
            run = [records for records in sets if records.topic == topic]
            for feed in [feed for feed in self._feeds if feed.topic == topic]:
                self._guarded(feed, cut, partial(self._hand_to, feed, run, cut))

    def _hand_to(self, feed: Feed, run: list[RecordSet], cut: Cut) -> None:
        if feed.reader.lag_rows() or not (feed.whole(self._made) or self._may_advance(feed)):
            return
        if feed.reader.take(run):
            self._decode(feed, run, cut)

    def _may_advance(self, feed: Feed) -> bool:
        """Whether a feed at its end may go on: nobody whom it is read with is far behind, nobody it feeds either."""
        if self._is_held(feed):
            return False
        (group,) = (g for g in groups(f for f in self._feeds if not f.whole(self._made)) if feed in g)
        waiting = [other.front_us for other in group if other is not feed and other.reader.lag_rows()]
        return not waiting or feed.front_us <= min(waiting) + ALIGN_SLACK_US

    def _is_held(self, feed: Feed) -> bool:
        return self._held is not None and any(self._held(job) for job in feed.wanted)

    def _take_whole(self, cut: Cut) -> None:
        """Read what must not be read in part, all of it as of one moment; feeds that then stand alike become one."""
        whole = [feed for feed in self._feeds if feed.whole(self._made)]
        try:
            ends = self._broker.ends({feed.topic for feed in whole})
        except UnknownTopicError:  # it was deleted a moment ago: the next tick's look at its feed finds out
            return
        for feed in whole:
            self._guarded(feed, cut, partial(self._poll_to, feed, ends[feed.topic], cut))
        for feed in whole:
            equal = next((other for other in self._rivals(feed) if other.positions() == feed.positions()), None)
            if equal is not None and feed.wanted:
                self._move(feed, equal)
        self._feeds = [feed for feed in self._feeds if feed.wanted]

    def _poll_to(self, feed: Feed, goal: Mapping[int, int], cut: Cut) -> bool:
        sets, arrived = feed.poll_to(goal, self._size.most)
        self._decode(feed, sets, cut)
        return arrived

    def _leaders(self, group: list[Feed]) -> dict[int, Feed]:
        """For a group that has nearly caught up: the feed that each of its feeds can merge into, by id.

        Empty unless every feed of the group that has a counterpart is within one batch behind it: a group joins as a
        whole, else its slowest feed would hold back the jobs it joins.
        """
        leaders: dict[int, Feed] = {}
        for feed in group:
            rivals = [f for f in self._rivals(feed) if f not in group]
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

    def _follow(self, feed: Feed, leader: Feed, cut: Cut) -> None:
        if self._poll_to(feed, leader.positions(), cut):
            self._move(feed, leader)

    @staticmethod
    def _move(feed: Feed, leader: Feed) -> None:
        leader.wanted.update(feed.wanted)
        feed.wanted.clear()
        feed.reader.close()

    def _poll(self, feed: Feed, cut: Cut) -> None:
        def poll() -> None:
            sets = feed.poll(self._size.rows, self._front(feed))
            cut.full |= sum(records.rows for records in sets) >= self._size.rows
            self._decode(feed, sets, cut)

        self._guarded(feed, cut, poll)

    def _front(self, feed: Feed) -> dict[int, int] | None:
        """Up to where others have read, for a feed that trails one of them: it must not overtake in one partition."""
        rivals = [other.positions() for other in self._rivals(feed) if feed.trails(other)]
        return {p: max(r.get(p, 0) for r in [feed.positions(), *rivals]) for p in feed.positions()} if rivals else None

    def _decode(self, feed: Feed, sets: list[RecordSet], cut: Cut) -> None:
        for job in feed.wanted if (lost := feed.newly_lost()) else ():
            cut.lost[job] = cut.lost.get(job, 0) + lost
        for job, runs in feed.decode(self._codec, sets, self._clock.now_us()).items() if sets else ():
            if wider := {path: dtype for run in runs for path, dtype in run.widen.items()}:
                cut.narrow[job] = Narrow(feed.topic, wider)
                cut.batches.pop(job, None)
                self.leave(job)
                continue
            cut.batches.setdefault(job, {}).setdefault(feed.topic, []).extend(runs)

    def _guarded(self, feed: Feed, cut: Cut, read: Callable[[], object]) -> None:
        """Read from one feed; what it raises takes its jobs off all their feeds, and nobody else's."""
        if not feed.wanted:  # its last job was taken off a moment ago, in this very tick
            return
        try:
            read()
        except Exception as error:  # noqa: BLE001 (whatever one topic raises must not end the jobs that do not read it)
            for job in list(feed.wanted):
                cut.failed[job] = error
                self.leave(job)
