"""Where the boxes of a plan go: a layered layout, sources on top, no overlaps, long edges around the boxes.

The usual steps (Sugiyama's): layers by the longest way from a source, an order in each layer that has few crossings,
then places as close to their neighbours as the order and the widths allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP_X = 36.0
"""Between two boxes of a layer."""
GAP_Y = 46.0
"""Between two layers: edges bend there, and the numbers of rows stand there."""
MARGIN = 12.0
_LANE = 14.0
"""Width of an edge that passes a layer."""
_PASSES = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; x and y are those of its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one box down to another.

    Attributes:
        points: (x, y) from the bottom of the source to the top of the target. Between points 2i and 2i + 1 the edge
            bends through the gap of two layers; between 2i + 1 and 2i + 2 it goes straight down past a layer.
    """

    source: int
    target: int
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes in the order they were given."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def layout(sizes: Sequence[tuple[float, float]], inputs: Sequence[Sequence[int]]) -> Layout:
    """Place boxes of these (width, height); `inputs` are the boxes each one reads, all of them earlier ones."""
    return _Plan(sizes, inputs).placed()


class _Plan:
    """Items are boxes, numbered as given, and after them lanes: one for each layer that an edge passes."""

    def __init__(self, sizes: Sequence[tuple[float, float]], inputs: Sequence[Sequence[int]]) -> None:
        self.sizes = list(sizes)
        self.widths = [width for width, _ in sizes]
        self.edges = [(source, target) for target, sources in enumerate(inputs) for source in sources]
        self.layer = _layers(inputs)
        self.lanes: list[list[int]] = []
        self.links: list[tuple[int, int]] = []
        self._split_edges()
        self.rows: list[list[int]] = [[] for _ in range(max(self.layer, default=0) + 1)]
        for item, layer in enumerate(self.layer):
            self.rows[layer].append(item)
        self.above: list[list[int]] = [[] for _ in self.layer]
        self.below: list[list[int]] = [[] for _ in self.layer]
        for upper, lower in self.links:
            self.below[upper].append(lower)
            self.above[lower].append(upper)

    def _split_edges(self) -> None:
        """A lane in every layer that an edge passes."""
        for source, target in self.edges:
            lanes = []
            for layer in range(self.layer[source] + 1, self.layer[target]):
                lanes.append(len(self.layer))
                self.layer.append(layer)
                self.widths.append(_LANE)
            self.lanes.append(lanes)
            chain = [source, *lanes, target]
            self.links += pairwise(chain)

    # -- order ------------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        """Few crossings: each item goes to the middle of its neighbours, layer by layer, down and up again."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for turn in range(_PASSES):
            down = turn % 2 == 0
            for row in self.rows if down else reversed(self.rows):
                rank = {item: at for layer in self.rows for at, item in enumerate(layer)}
                neighbours = self.above if down else self.below
                middle = {
                    item: sum(rank[n] for n in neighbours[item]) / len(neighbours[item])
                    if neighbours[item]
                    else rank[item]
                    for item in row
                }
                row.sort(key=lambda item: (middle[item], rank[item]))
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    def _crossings(self) -> int:
        rank = {item: at for row in self.rows for at, item in enumerate(row)}
        found = 0
        for number, (a, b) in enumerate(self.links):
            for c, d in self.links[:number]:
                if self.layer[a] == self.layer[c]:
                    found += (rank[a] - rank[c]) * (rank[b] - rank[d]) < 0
        return found

    # -- places -----------------------------------------------------------------------------------------------------

    def _centres(self) -> list[float]:
        """The middle of every item: as near to its neighbours' as order and widths allow."""
        centres = [0.0] * len(self.layer)
        for row in self.rows:
            self._place(row, [0.0] * len(row), centres)
        for turn in range(_PASSES):
            down = turn % 2 == 0
            for row in self.rows if down else reversed(self.rows):
                wanted = []
                for item in row:
                    near = (self.above if down else self.below)[item] or (self.below if down else self.above)[item]
                    wanted.append(sum(centres[n] for n in near) / len(near) if near else centres[item])
                self._place(row, wanted, centres)
        return centres

    def _place(self, row: list[int], wanted: list[float], centres: list[float]) -> None:
        """Least squares under the order: neighbours that come too close move as one block to their common mean."""
        offsets, at = [], 0.0
        for number, item in enumerate(row):
            if number:
                at += (self.widths[row[number - 1]] + self.widths[item]) / 2 + GAP_X
            offsets.append(at)
        blocks: list[tuple[float, int]] = []  # (mean of wanted places without offsets, items)
        for want, offset in zip(wanted, offsets, strict=True):
            mean, count = want - offset, 1
            while blocks and blocks[-1][0] > mean:
                before, size = blocks.pop()
                mean, count = (before * size + mean * count) / (size + count), size + count
            blocks.append((mean, count))
        places = [mean for mean, count in blocks for _ in range(count)]
        for item, place, offset in zip(row, places, offsets, strict=True):
            centres[item] = place + offset

    # -- the result -------------------------------------------------------------------------------------------------

    def placed(self) -> Layout:
        self._order()
        centres = self._centres()
        left = min((c - w / 2 for c, w in zip(centres, self.widths, strict=True)), default=0.0) - MARGIN
        centres = [c - left for c in centres]
        tops, at = [], MARGIN
        heights = [max((self.sizes[i][1] for i in row if i < len(self.sizes)), default=0.0) for row in self.rows]
        for height in heights:
            tops.append(at)
            at += height + GAP_Y
        boxes = tuple(
            Box(centres[i] - width / 2, tops[self.layer[i]], width, height)
            for i, (width, height) in enumerate(self.sizes)
        )
        right = max((c + w / 2 for c, w in zip(centres, self.widths, strict=True)), default=0.0) + MARGIN
        edges = self._ways(boxes, centres, tops, heights)
        return Layout(boxes, edges, right, at - GAP_Y + MARGIN)

    def _ways(
        self, boxes: tuple[Box, ...], centres: list[float], tops: list[float], heights: list[float]
    ) -> tuple[Edge, ...]:
        ends = self._ports(boxes, centres)
        ways = []
        for number, (source, target) in enumerate(self.edges):
            box = boxes[source]
            start = box.x + box.width / 2
            points = [(start, box.y + box.height)]
            # a box that is lower than its layer leaves room below it, which the edge passes straight
            bottom = tops[self.layer[source]] + heights[self.layer[source]]
            if bottom > box.y + box.height:
                points = [(start, box.y + box.height), (start, box.y + box.height), (start, bottom)]
            for lane in self.lanes[number]:
                top = tops[self.layer[lane]]
                points += [(centres[lane], top), (centres[lane], top + heights[self.layer[lane]])]
            points.append((ends[number], boxes[target].y))
            ways.append(Edge(source, target, tuple(points)))
        return tuple(ways)

    def _ports(self, boxes: tuple[Box, ...], centres: list[float]) -> list[float]:
        """Where each edge meets the top of its target: side by side, in the order they come from."""
        ends = [0.0] * len(self.edges)
        for target, box in enumerate(boxes):
            mine = [n for n, (_, t) in enumerate(self.edges) if t == target]
            mine.sort(key=lambda n: centres[self.lanes[n][-1]] if self.lanes[n] else centres[self.edges[n][0]])
            for place, number in enumerate(mine, start=1):
                ends[number] = box.x + box.width * place / (len(mine) + 1)
        return ends


def _layers(inputs: Sequence[Sequence[int]]) -> list[int]:
    """By the longest way from a source; sources stand right above the first box that reads them."""
    layer: list[int] = []
    for sources in inputs:
        layer.append(1 + max((layer[s] for s in sources), default=-1))
    readers: list[list[int]] = [[] for _ in inputs]
    for target, sources in enumerate(inputs):
        for source in sources:
            readers[source].append(target)
    return [
        min((layer[r] for r in readers[item]), default=layer[item] + 1) - 1 if not inputs[item] else layer[item]
        for item in range(len(inputs))
    ]
