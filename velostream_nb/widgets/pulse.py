"""The heart between browser and kernel: acknowledges painted updates, beats, and tells whether the page is visible."""

from __future__ import annotations

from typing import Any

import anywidget
import ipywidgets
import traitlets

_ESM = """
function render({ model }) {
  const later = () => requestAnimationFrame(() => requestAnimationFrame(() => {
    model.set("ack", model.get("seq"));
    model.save_changes();
  }));
  const look = () => {
    model.set("visible", document.visibilityState === "visible");
    model.set("beat", Date.now());
    model.save_changes();
    later();
  };
  const beat = setInterval(() => { model.set("beat", Date.now()); model.save_changes(); }, 2000);
  model.on("change:seq", later);
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearInterval(beat);
    model.off("change:seq", later);
    document.removeEventListener("visibilitychange", look);
  };
}
export default { render };
"""


class Pulse(anywidget.AnyWidget):  # type: ignore[misc]
    """Shown (invisibly) once in every live panel; all views share the one model of the kernel.

    Traits:
        seq: written by the pump after each update.
        ack: the newest `seq` the browser has painted; hidden pages do not paint, so they do not acknowledge.
        visible: is the page in front?
        beat: the browser's clock in milliseconds, every 2 s; only its change matters.
    """

    _esm = _ESM
    seq = traitlets.Int(0).tag(sync=True)
    ack = traitlets.Int(0).tag(sync=True)
    visible = traitlets.Bool(True).tag(sync=True)
    beat = traitlets.Float(0.0).tag(sync=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_class("velo-pulse")


def close_tree(root: Any) -> None:
    """Close a widget and all that it holds: children, marks, axes, scales, layouts; but not the shared pulse.

    ipywidgets closes only what it is told to, and keeps every model alive until then.
    """
    waiting, seen = [root], set()
    while waiting:
        widget = waiting.pop()
        if id(widget) in seen or isinstance(widget, Pulse):
            continue
        seen.add(id(widget))
        for name in widget.keys:
            waiting += _widgets_in(getattr(widget, name))
        widget.close()


def _widgets_in(value: Any) -> list[Any]:
    if isinstance(value, ipywidgets.Widget):
        return [value]
    if isinstance(value, dict):
        return [found for item in value.values() for found in _widgets_in(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in _widgets_in(item)]
    return []
