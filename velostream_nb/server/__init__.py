"""Sessions over HTTP: a Jupyter Server extension, and `JobServer`, which runs it with dashboards in this process.

In a Jupyter Server of your own: ``jupyter server --ServerApp.jpserver_extensions="{'velostream_nb.server': True}"``.
"""

from typing import Any

from velostream_nb.server.serving import JobServer

__all__ = ["JobServer", "_jupyter_server_extension_points", "_load_jupyter_server_extension"]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "velostream_nb.server"}]


def _load_jupyter_server_extension(server_app: Any) -> None:
    from velostream_nb.server.extension import load  # imported late: Jupyter Server takes a second to import

    load(server_app)
