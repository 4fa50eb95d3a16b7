"""The Jupyter Server extension: our routes in somebody's web application."""

from __future__ import annotations

from typing import Any

from jupyter_server.utils import url_path_join

from velostream_nb.server.handlers import ROUTES
from velostream_nb.server.service import SETTING, Service


def load(server_app: Any) -> None:
    """Add the routes; opens an embedded session unless the application's settings name one."""
    web_app = server_app.web_app
    if SETTING not in web_app.settings:
        from velostream_nb.jobs.session import Session

        web_app.settings[SETTING] = Service(Session())
    base = web_app.settings["base_url"]
    web_app.add_handlers(".*$", [(url_path_join(base, pattern), handler) for pattern, handler in ROUTES])
