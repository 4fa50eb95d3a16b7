"""One anywidget for every piece of HTML on screen: it patches itself in place and reports clicks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

logger = logging.getLogger(__name__)

_HERE = Path(__file__).parent


class Board(anywidget.AnyWidget):  # type: ignore[misc]
    """HTML written by the kernel. Elements with ``data-act`` (and ``data-arg``) send an action when used.

    Whoever writes `html` escapes every text that came from a record (`text.escape`).

    Traits:
        html: the whole content; children with ``data-key`` are moved, not rebuilt.
        fault: an error strip above the content; plain text, '' hides it.
        title: the page's title on Voila pages; '' leaves it alone.
        hotkeys: key -> [action, argument], while the focus is in no input.
    """

    _esm = (_HERE / "board.js").read_text(encoding="utf-8")
    _css = (_HERE / "velo.css").read_text(encoding="utf-8")
    html = traitlets.Unicode("").tag(sync=True)
    fault = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    hotkeys = traitlets.Dict().tag(sync=True)

    def __init__(self, *classes: str, on_action: Callable[[str, str], None] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name in classes:
            self.add_class(name)
        self._on_action = on_action
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """Any thread, any time: `on_action` must only enqueue."""
        if self._on_action is None or not isinstance(content, dict) or "act" not in content:
            logger.debug("board message ignored: %r", content)
            return
        self._on_action(str(content["act"]), str(content.get("arg", "")))
