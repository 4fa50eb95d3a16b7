"""EXPLAIN under a cell: a picture in a notebook, the same in lines of text elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from velostream_nb.core.model import PLAN_METADATA
from velostream_nb.notebook.plan_layout import Box, Edge, layout
from velostream_nb.notebook.rows import Rows
from velostream_nb.widgets.text import escape

WIDTH = 268.0
_PAD = 12.0
_LINE = 16.0
_TITLE_PX, _TEXT_PX = 13.0, 11.5
_MOST_LINES = 7
"""Lines of a step's detail in its box; all of it is in the box's tooltip."""

_NARROW, _WIDE = "ijl.,;:'|!()[]{}ft ", "mwMW@%—…"

STYLE = """<style>
.velo-plan { --bg: var(--jp-layout-color1, #ffffff); --box: var(--jp-layout-color2, #f5f7fa);
  --ink: var(--jp-ui-font-color1, #1b1f27); --dim: var(--jp-ui-font-color2, #5b6472);
  --line: var(--jp-border-color1, #b9c2cf); --append: #2f7fc1; --changelog: #b5731a; --hot: #c2410c;
  max-width: 100%; overflow-x: auto; margin: 2px 0 6px; font-family: var(--jp-ui-font-family, system-ui, sans-serif); }
.velo-plan svg { display: block; }
.velo-plan .box { fill: var(--box); stroke: var(--line); }
.velo-plan .append { fill: var(--append); }
.velo-plan .changelog { fill: var(--changelog); }
.velo-plan .hot { fill: var(--hot); }
.velo-plan .edge { fill: none; stroke: var(--line); stroke-width: 1.6; }
.velo-plan .edge.changes { stroke-dasharray: 5 3; }
.velo-plan .head { fill: var(--line); }
.velo-plan text { fill: var(--ink); font-size: 11.5px; }
.velo-plan text.title { font-size: 13px; font-weight: 600; }
.velo-plan text.dim { fill: var(--dim); }
.velo-plan text.rows { fill: var(--dim); font-variant-numeric: tabular-nums;
  paint-order: stroke; stroke: var(--bg); stroke-width: 4px; stroke-linejoin: round; }
.velo-plan .foot { color: var(--dim); font-size: 11.5px; line-height: 1.5; padding: 2px; }
.velo-plan .key { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin: 0 4px 0 10px; }
@media (prefers-color-scheme: dark) { .velo-plan { --bg: var(--jp-layout-color1, #14171c);
  --box: var(--jp-layout-color2, #1f242c); --ink: var(--jp-ui-font-color1, #e6e9ee);
  --dim: var(--jp-ui-font-color2, #9aa4b2); --line: var(--jp-border-color1, #4a5463); } }
</style>"""


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    kind: str


class Plan:
    """What EXPLAIN gave, to look at.

    Args:
        table: its rows; a table of EXPLAIN says in its metadata what the picture needs.
    """

    def __init__(self, table: pa.Table, caption: str, *, limit: int) -> None:
        self._rows = Rows(table, caption, limit=limit, whole=True)
        self._plan: dict[str, Any] = json.loads((table.schema.metadata or {})[PLAN_METADATA])
        self._analyzed = table.column_names != ["plan"]

    @staticmethod
    def fits(table: pa.Table) -> bool:
        """Is the table one of EXPLAIN?"""
        return PLAN_METADATA in (table.schema.metadata or {})

    def svg(self) -> str:
        """The picture alone; its style is in `_repr_html_`."""
        steps = self._plan["steps"]
        busiest = max((step["live"]["busy_us"] for step in steps if step["live"]), default=0)
        texts = [list(_lines(step)) for step in steps]
        sizes = [(WIDTH, 2 * _PAD + _LINE * len(lines) + (6 if busiest else 0)) for lines in texts]
        found = layout(sizes, [[number - 1 for number in step["inputs"]] for step in steps])
        parts = [_arrow(edge, steps[edge.source]) for edge in found.edges]
        for step, lines, box in zip(steps, texts, found.boxes, strict=True):
            parts.append(_drawn(step, lines, box, busiest))
        height = found.height + (_LINE if any(step["live"] for step in steps) else 0)  # the last step's rows
        shown = f"{len(steps)} steps: {', '.join(step['operator'] for step in steps)}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{found.width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {found.width:.0f} {height:.0f}" role="img" aria-label="{escape(shown)}">'
            f"{''.join(parts)}</svg>"
        )

    def _repr_html_(self) -> str:
        rows = self._rows._repr_html_() if self._analyzed else ""
        return f'{STYLE}<div class="velo-plan">{self.svg()}<div class="foot">{self._foot()}</div></div>{rows}'

    def __repr__(self) -> str:
        return repr(self._rows)

    def _foot(self) -> str:
        plan, output = self._plan, self._plan["output"]
        modes = {
            "append": "rows are added",
            "upsert": f"one row per ({', '.join(output['key'])})" if output["key"] else "one row",
            "retract": "rows come and go",
        }
        columns = ", ".join(f"{name} {kind}" for name, kind in output["columns"].items())
        lines = [f"output: {modes[output['mode']]}; {columns}", *(f"watermark {w}" for w in plan["watermark"])]
        lines += [f"note: {note}" for note in plan["notes"]]
        keys = [("append", "rows are added"), ("changelog", "rows change")]
        legend = "".join(f'<span class="key" style="background:var(--{k})"></span>{text}' for k, text in keys)
        if any(step["live"] for step in plan["steps"]):
            legend += '<span class="key" style="background:var(--hot)"></span>share of the time'
        return "<br>".join([legend, *map(escape, lines)])


def _lines(step: Mapping[str, Any]) -> Iterator[_Line]:
    """The texts of one box, wrapped to its width."""
    inner = WIDTH - 2 * _PAD
    for text in _wrapped(f"{step['step']}  {step['operator']}", _TITLE_PX * 1.08, inner):
        yield _Line(text, "title")
    detail = list(_wrapped(step["detail"], _TEXT_PX, inner))
    for text in detail[: _MOST_LINES - 1] if len(detail) > _MOST_LINES else detail:
        yield _Line(text, "")
    if len(detail) > _MOST_LINES:
        yield _Line("…", "dim")
    facts = []
    if step["mode"] == "changelog" and step["key"] is not None:
        facts.append(f"one row per ({', '.join(step['key'])})" if step["key"] else "one row")
    if step["keeps"]:
        facts.append(f"keeps {step['keeps']}")
        facts += [step["bound"]] if step["bound"] else []
    live = step["live"]
    if live and step["keeps"]:
        facts.append(f"now {_rows(live['state_rows'])}, {_size(live['state_bytes'])}")
    if live:
        took = f", {live['busy_us'] / 1_000:,.1f} ms" if step["inputs"] else ""
        facts.append(f"{_rows(live['rows_in'])} in{took}")
    for fact in facts:
        for text in _wrapped(fact, _TEXT_PX, inner):
            yield _Line(text, "dim")


def _wrapped(text: str, px: float, width: float) -> Iterator[str]:
    """Lines no wider than `width` in any usual sans-serif; words that are too long are cut."""
    line = ""
    for word in text.split():
        while _extent(word, px) > width:
            fits = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or _extent(word[:n], px) <= width)
            if line:
                yield line
                line = ""
            yield word[:fits]
            word = word[fits:]
        joined = f"{line} {word}" if line else word
        if _extent(joined, px) > width:
            yield line
            joined = word
        line = joined
    if line:
        yield line


def _extent(text: str, px: float) -> float:
    """An upper bound of a text's width: no font is asked, and none may be wider."""
    units = sum(
        0.38 if c in _NARROW else 0.98 if c in _WIDE or ord(c) > 0x2E80 else 0.75 if c.isupper() else 0.62 for c in text
    )
    return units * px


def _drawn(step: Mapping[str, Any], lines: list[_Line], box: Box, busiest: int) -> str:
    mode = step["mode"]
    parts = [
        f"<title>{escape(step['detail'])}</title>",
        f'<rect class="box" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="7"/>',
        f'<rect class="{mode}" x="{box.x:.1f}" y="{box.y + 7:.1f}" width="3.5" '
        f'height="{box.height - 14:.1f}" rx="1.5"/>',
    ]
    for number, line in enumerate(lines):
        y = box.y + _PAD + _LINE * (number + 0.75)
        parts.append(f'<text class="{line.kind}" x="{box.x + _PAD:.1f}" y="{y:.1f}">{escape(line.text)}</text>')
    if busiest and step["live"]:
        share = step["live"]["busy_us"] / busiest
        y, full = box.y + box.height - 8, box.width - 2 * _PAD
        parts.append(
            f'<rect class="hot" x="{box.x + _PAD:.1f}" y="{y:.1f}" width="{full * share:.1f}" height="3" rx="1.5"/>'
        )
    if step["live"]:
        rows = _rows(step["live"]["rows_out"])
        x, y = box.x + box.width / 2 + 9, box.y + box.height + 15
        parts.append(f'<text class="rows" x="{x:.1f}" y="{y:.1f}">{rows}</text>')
    return f"<g>{''.join(parts)}</g>"


def _arrow(edge: Edge, source: Mapping[str, Any]) -> str:
    """The way of the rows: bends between layers, straight lines past them, and a head at its end."""
    x, y = edge.points[0]
    path = [f"M{x:.1f} {y:.1f}"]
    for number, (to_x, to_y) in enumerate(edge.points[1:], start=1):
        last = number == len(edge.points) - 1
        end = to_y - 6 if last else to_y
        if number % 2:
            middle = (y + end) / 2
            path.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {end:.1f}")
        else:
            path.append(f"L{to_x:.1f} {end:.1f}")
        x, y = to_x, end
    kind = "edge changes" if source["mode"] == "changelog" else "edge"
    head = f"M{x - 4:.1f} {y - 1:.1f}L{x:.1f} {y + 6:.1f}L{x + 4:.1f} {y - 1:.1f}Z"
    return f'<path class="{kind}" d="{"".join(path)}"/><path class="head" d="{head}"/>'


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
