"""The way of records from one session to its panels: one `frames` call a pull, whatever the number of panels."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa

from velostream_nb.core.errors import VeloError
from velostream_nb.core.model import Frame, JobInfo, SessionLike
from velostream_nb.core.records import OP
from velostream_nb.sinks.frame import LiveFrame
from velostream_nb.widgets.panel import Panel

FIRST_ROWS = 20_000
"""Rows of a topic asked for at first, so that charts start filled."""
PULL_ROWS = 5_000
"""Rows of a topic asked for in each later pull."""
JOBS_EVERY_US = 1_000_000
RATE_OVER_US = 5_000_000


class TopicFeed:
    """Where one topic has been read up to, and its newest rows for panels that join later."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.after: int | None = None
        self.total = 0
        self._kept: deque[pa.Table] = deque()
        self._kept_rows = 0
        self._changelog: str | None = None
        self._latest: LiveFrame | None = None

    def take(self, frame: Frame) -> bool:
        """Advance; False when the topic began anew (its server restarted) and must be read from its newest rows."""
        if frame.total < self.total:
            self.after, self.total = None, 0
            self._kept.clear()
            self._kept_rows = 0
            self._latest = None
            return False
        self.after, self.total = frame.next, frame.total
        if frame.changelog == "upsert" and frame.key:
            self._take_latest(frame)
        elif frame.rows.num_rows:
            self._kept.append(frame.rows)
            self._kept_rows += frame.rows.num_rows
            while self._kept_rows - self._kept[0].num_rows >= FIRST_ROWS:
                self._kept_rows -= self._kept.popleft().num_rows
        return True

    def _take_latest(self, frame: Frame) -> None:
        """Keep the newest row of each key, and forget keys that were deleted."""
        if self._latest is None or self._latest.key != frame.key:
            self._latest = LiveFrame(FIRST_ROWS, frame.key)
        self._changelog = frame.changelog
        stands = frame.rows.append_column(OP, pa.array(["upsert"] * frame.rows.num_rows, pa.string()))
        gone = frame.rows.slice(0, 0).select(frame.key) if frame.deleted is None else frame.deleted
        gone = gone.append_column(OP, pa.array(["delete"] * gone.num_rows, pa.string()))
        self._latest.append(pa.concat_tables([stands, gone], promote_options="permissive"))

    def backfill(self) -> Frame | None:
        """The kept rows as one frame, None before the first read."""
        if self.after is None:
            return None
        if self._latest is not None:
            rows, key = self._latest.snapshot(), self._latest.key
            return Frame(
                self.topic, rows, self.after, 0, self.total, self._changelog, key, rows.slice(0, 0).select(key)
            )
        if not self._kept:
            return Frame(self.topic, pa.table({}), self.after, total=self.total)
        # a topic's schema may have been refined since its first rows
        rows = pa.concat_tables(list(self._kept), promote_options="permissive")
        return Frame(self.topic, rows, self.after, total=self.total)


class SessionFeed:
    """All panels of one session. Called by the pump only."""

    def __init__(self, session: SessionLike) -> None:
        self.session = session
        self.panels: list[Panel] = []
        self.away: str | None = None
        self.away_since_us: int | None = None
        self.skipped = 0
        self.rows_per_s = 0.0
        self._topics: dict[str, TopicFeed] = {}
        self._jobs: list[JobInfo] = []
        self._jobs_us: int | None = None
        self._totals: deque[tuple[int, int]] = deque()

    def join(self, panel: Panel, now_us: int) -> None:
        """Add a panel and give it what is known; topics nobody followed yet are read from their newest rows."""
        known = [topic for topic in panel.topics if topic in self._topics]
        for topic in panel.topics:
            self._topics.setdefault(topic, TopicFeed(topic))
        self.panels.append(panel)
        for topic in known:
            if (frame := self._topics[topic].backfill()) is not None:
                panel.ingest(frame, now_us)
        new = [topic for topic in panel.topics if topic not in known]
        for receiver, work in self._pull_topics(new, now_us):
            if receiver is panel:
                work()
        if panel.wants_jobs and self.away is None:
            self._look_at_jobs(now_us)
            panel.ingest_jobs(self._jobs)

    def leave(self, panel: Panel) -> None:
        """Remove a panel, and the topics only it followed."""
        if panel in self.panels:
            self.panels.remove(panel)
        followed = {topic for kept in self.panels for topic in kept.topics}
        self._topics = {name: feed for name, feed in self._topics.items() if name in followed}

    def pull(self, now_us: int) -> Iterator[tuple[Panel, Callable[[], None]]]:
        """Read all topics in one call, and the jobs once a second; yields what each panel has to take in."""
        yield from self._pull_topics(list(self._topics), now_us)
        due = self._jobs_us is None or now_us - self._jobs_us >= JOBS_EVERY_US
        watchers = [panel for panel in self.panels if panel.wants_jobs]
        if watchers and due and self.away is None and self._look_at_jobs(now_us):
            for panel in watchers:
                yield panel, partial(panel.ingest_jobs, self._jobs)

    def _pull_topics(self, topics: list[str], now_us: int) -> Iterator[tuple[Panel, Callable[[], None]]]:
        if not topics:
            return
        wanted = {topic: self._topics[topic].after for topic in topics}
        limit = FIRST_ROWS if None in wanted.values() else PULL_ROWS
        frames: dict[str, Frame] = {}

        def read() -> None:
            frames.update(self.session.frames(wanted, limit=limit))

        if not self._try(read, now_us):
            return
        for topic, frame in frames.items():
            first = wanted.get(topic) is None
            if topic not in self._topics or not self._topics[topic].take(frame):
                continue
            # before its first look a reader has missed nothing
            self.skipped += 0 if first else frame.skipped
            gone = 0 if frame.deleted is None else frame.deleted.num_rows
            if frame.rows.num_rows + gone == 0 and not first:
                continue
            for panel in self.panels:
                if topic in panel.topics:
                    yield panel, partial(panel.ingest, frame, now_us)
        self._measure(now_us)

    def _look_at_jobs(self, now_us: int) -> bool:
        self._jobs_us = now_us

        def read() -> None:
            self._jobs = self.session.jobs()

        return self._try(read, now_us)

    def _try(self, read: Callable[[], None], now_us: int) -> bool:
        """Run one call to the session; False, and `away` set, when it cannot be reached."""
        try:
            read()
        except (VeloError, OSError) as error:
            if self.away is None:
                self.away_since_us = now_us
            self.away = error.message if isinstance(error, VeloError) else str(error)
            self.rows_per_s = 0.0
            self._totals.clear()
            return False
        self.away = self.away_since_us = None
        return True

    def _measure(self, now_us: int) -> None:
        total = sum(feed.total for feed in self._topics.values())
        if self._totals and total < self._totals[-1][1]:
            self._totals.clear()
        self._totals.append((now_us, total))
        while len(self._totals) > 2 and now_us - self._totals[1][0] >= RATE_OVER_US:
            self._totals.popleft()
        (start_us, start), (end_us, end) = self._totals[0], self._totals[-1]
        if end_us > start_us:
            self.rows_per_s = (end - start) * 1_000_000 / (end_us - start_us)
