"""How Voila must be set up so that dashboards work offline and their kernels end with their tabs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

TEMPLATE = "velo"
WIDGET_EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "bqplot",
    "bqscales",
)


def template_root() -> Path:
    """The folder to add to ``JUPYTER_PATH``: it holds ``voila/templates/velo``."""
    return Path(__file__).parent / "voila_template"


def voila_environment(base: dict[str, str] | None = None) -> dict[str, str]:
    """Environment variables for the process that serves Voila; kernels started by it inherit them.

    Set them (``os.environ.update``) before Voila's server extension is loaded: it looks for templates then.
    ``VELO_DASHBOARD=1`` makes a kernel end itself when no browser looks at it any more.
    """
    earlier = (base if base is not None else os.environ).get("JUPYTER_PATH", "")
    root = str(template_root())
    paths = [root, *(part for part in earlier.split(os.pathsep) if part and part != root)]
    return {"JUPYTER_PATH": os.pathsep.join(paths), "VELO_DASHBOARD": "1"}


def voila_config() -> dict[str, dict[str, Any]]:
    """Settings (traitlets) configuration for Voila as a Jupyter Server extension (``Config(voila_config())``).

    Why each value: closing a tab sends a beacon that needs the ``_xsrf`` cookie, which the hook sets; a streaming
    kernel never looks idle and its messages would be buffered without bound for a page that is gone.
    """
    return {
        "VoilaConfiguration": {
            "template": TEMPLATE,
            "theme": "dark",
            "strip_sources": True,
            "show_tracebacks": False,
            "file_allowlist": [],
            "extension_allowlist": list(WIDGET_EXTENSIONS),
            "prelaunch_hook": keep_xsrf_cookie,
            "page_config_hook": stay_offline,
        },
        # a kernel that ended itself because nobody looked must stay ended
        "KernelManager": {"autorestart": False},
        "MappingKernelManager": {
            "buffer_offline_messages": False,
            "cull_interval": 60,
            "cull_idle_timeout": 120,
            "cull_connected": False,
        },
    }


def keep_xsrf_cookie(request: Any, notebook: Any, **_unused: Any) -> Any:
    """Voila's prelaunch hook: touching the token sets its cookie, without which the closing beacon gets a 403."""
    _ = request.xsrf_token
    return notebook


def stay_offline(current_page_config: dict[str, Any], **_unused: Any) -> dict[str, Any]:
    """Voila's page config hook: without it every page asks a CDN for MathJax, which no dashboard of ours uses."""
    return {**current_page_config, "fullMathjaxUrl": "null", "mathjaxConfig": "null"}
