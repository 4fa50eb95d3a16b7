"""What completion and the verbs know of a session: topics, their columns, streams, jobs."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import TYPE_CHECKING

from velostream_nb.core.errors import UnknownTopicError, VeloError, did_you_mean
from velostream_nb.core.model import SessionLike

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

FRESH_US = 1_000_000
"""For so long a snapshot is used without a second look."""
PATIENCE_S = 0.015
"""How long one completion waits for a look at the session; a slow server is looked at in the background."""
FIRST_PATIENCE_S = 0.2
"""The same for the very first look, before which there is nothing to offer."""


@dataclass(frozen=True, slots=True)
class Names:
    """One look.

    Attributes:
        topics: topics and streams, each with its columns (name to DuckDB type); no columns while they are unknown.
        jobs: names of all jobs.
    """

    topics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()

    def columns(self, topic: str) -> Mapping[str, str]:
        """The columns of a topic named in any case; none for an unknown one."""
        folded = {name.lower(): columns for name, columns in self.topics.items()}
        return self.topics.get(topic) or folded.get(topic.lower(), {})


def look(session: SessionLike) -> Names:
    """Read the names of a session."""
    topics: dict[str, Mapping[str, str]] = {topic.name: topic.columns for topic in session.topics()}
    shown = _shown(session)
    for name, topic in _declared(shown).items():
        topics.setdefault(name, topics.get(topic, {}))
    for row in (*shown["TABLES"], *shown["VIEWS"]):
        topics.setdefault(row.get("table") or row["view"], _columns(row["columns"]))
    return Names(topics, tuple(job.name for job in session.jobs()))


def streams(session: SessionLike) -> dict[str, str]:
    """Declared streams and tables, and the topic behind each."""
    return _declared(_shown(session))


def _shown(session: SessionLike) -> dict[str, list[dict[str, str]]]:
    """Rows of SHOW STREAMS, TABLES and VIEWS, in one round trip."""
    kinds = ("STREAMS", "TABLES", "VIEWS")
    results = session.sql("; ".join(f"SHOW {kind}" for kind in kinds))
    return {kind: r.table.to_pylist() for kind, r in zip(kinds, results, strict=True) if r.table is not None}


def _declared(shown: Mapping[str, list[dict[str, str]]]) -> dict[str, str]:
    found = {row["stream"]: row["topic"] for row in shown["STREAMS"]}
    return found | {row["table"]: row["source"] for row in shown["TABLES"] if row["kind"] == "topic"}


def _columns(written: str) -> dict[str, str]:
    """``a BIGINT, b DECIMAL(18,2)`` as SHOW writes it."""
    parts = re.split(r", (?![^(]*\))", written) if written else []
    return {name: kind for name, _, kind in (part.partition(" ") for part in parts)}


def topic_of(session: SessionLike, name: str) -> str:
    """The topic of that name, or the one behind the stream of that name; exact first, then in any case.

    Raises:
        UnknownTopicError: there is none, with near names.
    """
    topics = {topic.name: topic.name for topic in session.topics()}
    known = {**streams(session), **topics}
    found = known.get(name) or {k.lower(): v for k, v in known.items()}.get(name.lower())
    if found is None:
        hint = did_you_mean(name, known) or "there are no topics yet: %velo market start makes some"
        raise UnknownTopicError(f"unknown topic {name!r}", hint=hint)
    return found


class Snapshot:
    """Names of the current session, never older than needed and never waited for long.

    Args:
        session: gives the session to look at, None while there is none.
    """

    def __init__(self, session: Callable[[], SessionLike | None]) -> None:
        self._session = session
        self._names = Names()
        self._of: SessionLike | None = None
        self._read_us: int | None = None
        self._thread: threading.Thread | None = None

    def names(self) -> Names:
        """What is known; read again when it is older than `FRESH_US`, but waited for no longer than `PATIENCE_S`."""
        session = self._session()
        if session is None:
            return Names()
        if session is not self._of:
            self._of, self._names, self._read_us = session, Names(), None
        fresh = self._read_us is not None and monotonic_ns() // 1_000 - self._read_us < FRESH_US
        patience_s = PATIENCE_S
        if not fresh and (self._thread is None or not self._thread.is_alive()):
            patience_s = FIRST_PATIENCE_S if self._read_us is None else PATIENCE_S
            self._thread = threading.Thread(target=self._read, args=(session,), name="velo-names", daemon=True)
            self._thread.start()
        if not fresh and self._thread is not None:
            self._thread.join(patience_s)
        return self._names

    def _read(self, session: SessionLike) -> None:
        try:
            names = look(session)
        except VeloError:  # closed, or its server is away: what was known is better than nothing
            logger.debug("no look at the session", exc_info=True)
            return
        if session is self._of:
            self._names, self._read_us = names, monotonic_ns() // 1_000
