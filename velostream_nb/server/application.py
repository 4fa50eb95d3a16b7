"""The Jupyter Server application that `JobServer` runs: one token, no user configuration, no files left behind."""

from __future__ import annotations

import logging
import secrets
import warnings
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.manager import KernelManager
from jupyter_server.serverapp import JupyterServerAuthWarning, ServerApp
from traitlets.config import Config
from voila import server_extension as voila

from velostream_nb.dashboards.serving import voila_config
from velostream_nb.server.kernels import DashboardKernels, OwnKernelSpecs, ShippedNotebooks
from velostream_nb.server.service import SETTING, Service

DASHBOARD = "trading_dashboard.ipynb"
"""The notebook that opens at the server's root."""

_LOG = logging.getLogger("velostream_nb.server")


class DashboardApp(ServerApp):  # type: ignore[misc]
    """A `ServerApp` that is embedded: whoever runs it handles signals, and nothing of ``~/.jupyter`` is read.

    Only the services that Voila's pages need are served: kernels, not files, terminals or configuration.
    """

    name = "velo-server"
    default_services = ("api", "kernels")

    def init_signal(self) -> None:
        """Signals belong to the command that runs the server."""

    def load_config_file(self, suppress_errors: bool = True) -> None:
        """A user's configuration is for his own server."""

    def migrate_config(self) -> None:
        """There is nothing of an older version here."""

    def write_server_info_file(self) -> None:
        """Not listed among the user's Jupyter servers: the token stays with who was told it."""


def make_app(
    service: Service,
    *,
    ip: str,
    port: int,
    token: str,
    notebooks: Path,
    scratch: Path,
    kernel_env: dict[str, str],
    remote: bool,
) -> DashboardApp:
    """A configured application, initialized on this thread's event loop, not yet listening.

    Args:
        notebooks: the folder whose notebooks Voila renders; only read.
        scratch: a folder for connection files, histories and the like, of this server alone.
        kernel_env: variables for kernels, beside the ones inherited.
        remote: whether requests may name a host that is not this machine.
    """
    for part in ("config", "data", "runtime", "ipython"):
        (scratch / part).mkdir(mode=0o700)
    app = DashboardApp(
        config=_config(ip, port, token, notebooks, scratch, kernel_env, remote),
        config_dir=str(scratch / "config"),
        data_dir=str(scratch / "data"),
        runtime_dir=str(scratch / "runtime"),
    )
    # not as configuration, which traitlets would copy
    app.tornado_settings.update({SETTING: service, "log_function": _log_failures})
    app.initialize(argv=[], find_extensions=False, new_httpserver=False)
    _load_voila(app)
    app.log.setLevel(logging.WARNING)  # traitlets sets it for handlers only, and every request makes debug records
    logging.getLogger("tornado.general").addFilter(_is_news)
    return app


def _config(
    ip: str,
    port: int,
    token: str,
    notebooks: Path,
    scratch: Path,
    kernel_env: dict[str, str],
    remote: bool,
) -> Config:
    screens = voila_config()
    kernels = {
        # the traits of its base class, under the name of the class that runs
        **screens["MappingKernelManager"],
        "kernel_env": {**kernel_env, "IPYTHONDIR": str(scratch / "ipython")},
        "kernel_cwd": str(scratch),
    }
    server = {
        "ip": ip,
        "port": port,
        "root_dir": str(notebooks),
        "default_url": f"/voila/render/{DASHBOARD}",
        "open_browser": False,
        "allow_remote_access": remote,
        "allow_unauthenticated_access": False,
        "cookie_secret": secrets.token_bytes(32),
        "jpserver_extensions": {"velostream_nb.server": True},
        "kernel_manager_class": DashboardKernels,
        "kernel_spec_manager_class": OwnKernelSpecs,
        "contents_manager_class": ShippedNotebooks,
    }
    return Config(
        {
            **screens,
            "Application": {"log_level": logging.WARNING},
            "ServerApp": server,
            "IdentityProvider": {"token": token},
            "DashboardKernels": kernels,
            "KernelManager": {"shutdown_wait_time": 2.0, **_encryption()},
        }
    )


def _encryption() -> dict[str, str]:
    """Keys for the way between server and kernels, where their versions know how."""
    known = "transport_encryption" in KernelManager.class_trait_names() and zmq.has("curve")
    return {"transport_encryption": "auto"} if known else {}


def _load_voila(app: DashboardApp) -> None:
    """Add Voila's routes, configured by the application alone.

    Left to itself it would also execute a ``voila.py`` found in the folder that the user happens to be in.
    """
    theirs = voila.load_config_file
    voila.load_config_file = lambda: None
    try:
        with warnings.catch_warnings():
            # its style sheets and scripts ask for no token, and hold no data
            warnings.simplefilter("ignore", JupyterServerAuthWarning)
            voila._load_jupyter_server_extension(app)
    finally:
        voila.load_config_file = theirs


def _log_failures(handler: Any) -> None:
    """Log what went wrong on our side; a mistyped statement is answered, not logged."""
    if handler.get_status() >= 500 and handler.get_status() != 503:
        _LOG.error("%s %s answered %d", handler.request.method, handler.request.path, handler.get_status())


def _is_news(record: logging.LogRecord) -> bool:
    """Jupyter Server writes its ping times in milliseconds, tornado reads seconds, and complains of the difference."""
    return "websocket_ping_timeout" not in record.getMessage()
