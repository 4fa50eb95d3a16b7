"""A session whose topics are files: what `velo sql --source` asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from velostream_nb.brokers.files import FilesBroker
from velostream_nb.jobs.session import Session


@contextmanager
def session_over_files(files: Mapping[str, str | Path]) -> Iterator[Session]:
    """A session that reads each file as the topic of that name; closed at the end, with its broker.

    Raises:
        BrokerError: a file is missing or unreadable, or a name cannot name a topic.
        ConfigError: a file's ending is unknown.
    """
    broker = FilesBroker(files)
    try:
        with Session(broker=broker) as session:
            yield session
    finally:
        broker.close()
