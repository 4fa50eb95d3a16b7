"""Streaming SQL for people who live in notebooks.

>>> import velostream_nb as velo
>>> with velo.connect() as s:
...     done = s.sql("START JOB dear AS SELECT symbol, price FROM trades WHERE price > 100")  # doctest: +SKIP

Importing this package loads nothing heavy: DuckDB, Arrow and sqlglot come with the first `connect`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from velostream_nb.core.errors import ConfigError, VeloError

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session

__version__ = "0.1.0"

__all__ = ["VeloError", "__version__", "connect", "load_ipython_extension", "unload_ipython_extension"]


def connect(url: str | None = None, **options: Any) -> Session:
    """Open a session: the engine in this process, or a remote one behind the same interface.

    Args:
        url: None opens an embedded session, unless the environment names a server (`VELO_SERVER`, with its token in
            `VELO_TOKEN`); ``"http://host:8080"`` connects to that server.
        **options: of the session: ``broker=`` and ``clock=`` when embedded, ``token=`` when remote.

    Raises:
        ConfigError: a URL that is none of these.
        ServerError: the server refused or cannot be reached.
    """
    if url is None:
        url = os.environ.get("VELO_SERVER") or None
        if url is not None:
            options.setdefault("token", os.environ.get("VELO_TOKEN"))
    if url is None:
        from velostream_nb.jobs.session import Session

        return Session(**options)
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme in ("http", "https"):
        from velostream_nb.client import RemoteSession

        # it is no subclass, but the same interface; declared so for the sake of completion in editors
        return cast("Session", RemoteSession(url, **options))
    if scheme == "kafka":
        raise ConfigError(
            f"Kafka is not in this release (got {url!r})",
            hint="use velo.connect() for the embedded broker and s.produce(topic, rows) to fill it",
        )
    raise ConfigError(
        f"cannot connect to {url!r}", hint="use connect() for this process, or connect('http://host:8080') for a server"
    )


def load_ipython_extension(ip: Any) -> None:
    """`%load_ext velostream_nb`: registers ``%%velo_sql`` and ``%velo``."""
    from velostream_nb import notebook

    notebook.load_ipython_extension(ip)


def unload_ipython_extension(ip: Any) -> None:
    """`%unload_ext velostream_nb`: takes the magics off and closes their session."""
    from velostream_nb import notebook

    notebook.unload_ipython_extension(ip)
