"""Notebook face: ``%%velo_sql``, ``%velo``, completion, and jobs that show themselves as live cards.

``%load_ext velostream_nb`` calls `load_ipython_extension`.
"""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING, Any

from velostream_nb.core.handle import JobHandle
from velostream_nb.notebook.completion import install_completion, remove_completion
from velostream_nb.notebook.default import default
from velostream_nb.notebook.magics import VeloMagics
from velostream_nb.notebook.market import Market, market
from velostream_nb.notebook.show import job_bundle
from velostream_nb.notebook.warm import warm_up

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session

__all__ = ["Market", "load_ipython_extension", "market", "session", "unload_ipython_extension"]


def session() -> Session:
    """The session behind the magics of this kernel, opened if there is none: ``s = %velo session`` is the same."""
    return default.get()


def load_ipython_extension(ip: Any) -> None:
    """Register magics, completion and the live card of jobs. Loading twice does no harm.

    The engine is imported in a thread meanwhile (`warm_up`), so that the first cell need not wait for it.
    """
    unload_magics(ip)
    ip.register_magics(VeloMagics(ip, default))
    install_completion(ip, default.peek)
    ip.display_formatter.mimebundle_formatter.for_type(JobHandle, _show_handle)
    # before the session's own finalizer: the pump must not look at a session that is going away
    atexit.unregister(default.close)
    atexit.register(default.close)
    warm_up()


def unload_ipython_extension(ip: Any) -> None:
    """Take everything off again and close the session, which ends its jobs and its market."""
    unload_magics(ip)
    default.close()
    atexit.unregister(default.close)


def unload_magics(ip: Any) -> None:
    """Take magics, completion and formatter off; the session stays open."""
    for kind in ("line", "cell"):
        for name in ("velo", "velo_sql"):
            ip.magics_manager.magics[kind].pop(name, None)
    ip.magics_manager.registry.pop("VeloMagics", None)
    ip.configurables[:] = [kept for kept in ip.configurables if not isinstance(kept, VeloMagics)]
    remove_completion(ip)
    ip.display_formatter.mimebundle_formatter.pop(JobHandle, None)


def _show_handle(job: JobHandle, **_: Any) -> dict[str, Any]:
    """A handle as the value of a cell is the job's live card."""
    return job_bundle(job._session, job.name, repr(job))
