"""The session that the magics of one kernel share: opened at the first use, closed with the extension."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from velostream_nb.notebook.market import current_market
from velostream_nb.widgets.pump import ui_pump

if TYPE_CHECKING:
    from velostream_nb.jobs.session import Session


class DefaultSession:
    """Holds at most one open session. Safe to use from any thread."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._lock = threading.RLock()

    def get(self) -> Session:
        """The session; `velostream_nb.connect()` opens it when there is none, or when it was closed by hand.

        Raises:
            ServerError: ``VELO_SERVER`` names a server that does not answer.
        """
        from velostream_nb import connect

        with self._lock:
            if self._session is None or self._session.closed:
                self._session = connect()
            return self._session

    def peek(self) -> Session | None:
        """The session if it is open; opens none."""
        session = self._session
        return None if session is None or session.closed else session

    def connect(self, url: str | None, token: str | None = None) -> Session:
        """Open a session there, and only then close the one before it.

        Args:
            url: as for `velostream_nb.connect`; None is a fresh embedded session, whatever the environment says.
        """
        from velostream_nb import connect

        if url is None:
            from velostream_nb.jobs.session import Session

            opened: Session = Session()
        else:
            opened = connect(url, **({"token": token} if token else {}))
        with self._lock:
            self.close()
            self._session = opened
        return opened

    def close(self) -> None:
        """Close the session, with its market, and take its widgets off the screen. Safe to call twice."""
        with self._lock:
            session, self._session = self._session, None
        if session is None:
            return
        if (market := current_market(session)) is not None:
            market.stop()
        forget_panels(session)
        session.close()


def forget_panels(session: object) -> None:
    """Close the live widgets of a session; the pump's thread ends with the last one."""
    pump = ui_pump()
    for panel in pump.panels:
        if panel.session is session:
            pump.unregister(panel)
    if not pump.panels:
        pump.stop()


default = DefaultSession()
"""Of this kernel."""
