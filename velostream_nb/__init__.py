"""Streaming SQL for people who live in notebooks.

>>> import velostream_nb as velo
>>> with velo.connect() as s:
...     done = s.sql("START JOB dear AS SELECT symbol, price FROM trades WHERE price > 100")  # doctest: +SKIP

Importing this package loads nothing heavy: DuckDB, Arrow and sqlglot come with the first `connect`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from velostream_nb.core.errors import ConfigError, VeloError

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session

__version__ = "0.1.0"

__all__ = ["VeloError", "__version__", "connect", "function", "load_ipython_extension", "unload_ipython_extension"]


def connect(url: str | None = None, **options: Any) -> Session:
    """Open a session: the engine in this process, or a remote one behind the same interface.

    Args:
        url: None opens an embedded session, unless the environment names a server (`VELO_SERVER`, with its token in
            `VELO_TOKEN`); ``"http://host:8080"`` connects to that server.
        **options: of the session: ``broker=``, ``clock=`` and ``threads=`` (that work at the jobs; else one for each
            core) when embedded, ``token=`` when remote.

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


def function(call: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a Python function one that SQL can call, in every session of this process. The function stays as it is.

    Bare, with types read from the annotations, or with options::

        @velo.function
        def mid(bid: float, ask: float) -> float:
            return (bid + ask) / 2

        @velo.function(returns="DOUBLE", parameters=["DOUBLE"], vectorized=True)
        def root(x):                       # pyarrow arrays in and out; numpy or pandas where annotated so
            return pyarrow.compute.sqrt(x)

    Defined anew, jobs that start from then on use the new one; running ones keep theirs until they are restarted. An
    exception sends its row to the job's dead letters, with the exception's type and text; the others are answered.

    Args:
        **options: `name` in SQL; `returns` and `parameters`, DuckDB's type names (a parameter without a type takes any
            value); `vectorized`, called with whole columns; `null`, 'skip' (NULL in, NULL out) or 'call' (called with
            None); `deterministic`, False for one whose answer does not depend on its arguments alone.

    Raises:
        ConfigError: it cannot be a SQL function, and why.
    """
    from velostream_nb.jobs.functions import decorator

    register = decorator(**options)
    return register if call is None else register(call)


def load_ipython_extension(ip: Any) -> None:
    """`%load_ext velostream_nb`: registers ``%%velo_sql`` and ``%velo``."""
    from velostream_nb import notebook

    notebook.load_ipython_extension(ip)


def unload_ipython_extension(ip: Any) -> None:
    """`%unload_ext velostream_nb`: takes the magics off and closes their session."""
    from velostream_nb import notebook

    notebook.unload_ipython_extension(ip)
