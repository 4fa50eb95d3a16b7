"""The graph of a job's operators, and the stream its user hangs code on. The one door to streamz.

streamz links downstream nodes by weak reference, so whoever builds a graph owns its nodes and takes it apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from streamz import Stream
from streamz.core import Stream as _Node

if TYPE_CHECKING:
    from velostream_nb.engine.delta import Delta
    from velostream_nb.engine.job import EngineNode


class GraphNode(Stream):  # type: ignore[misc]
    """A node of a graph that does not change once it is built, in which nothing waits.

    So an emit needs no reference counts, and no look through weak references for who listens: 3 µs instead of 15.
    """

    _listeners: tuple[Stream, ...] = ()

    def settle(self) -> None:
        """The graph is built: who listens now is who listens."""
        self._listeners = tuple(self.downstreams)

    def _emit(self, x: Any, metadata: Any = None) -> list[Any]:
        for node in self._listeners:
            node.update(x, who=self, metadata=metadata)
        return []

    def destroy(self, streams: Any = None) -> None:
        """Unlink from the upstreams."""
        self._listeners = ()
        super().destroy(streams)


class SourceNode(GraphNode):
    """Where a tick enters the graph: `emit` a source's delta here."""


class OperatorNode(GraphNode):
    """One operator: waits for one delta of every input of the tick, steps once, emits once.

    Because every node emits exactly once a tick, a node whose inputs share an ancestor (a self-join, say) sees both
    sides of the same tick: a diamond has no glitch.
    """

    def __init__(self, operator: EngineNode, upstreams: Sequence[Stream]) -> None:
        self._operator = operator
        self._waiting: dict[int, list[int]] = {}
        for index, upstream in enumerate(upstreams):
            self._waiting.setdefault(id(upstream), []).append(index)
        self._inputs: list[Delta | None] = [None] * len(upstreams)
        self._missing = len(upstreams)
        # a node that reads the same upstream twice is linked to it once and fills both places
        super().__init__(upstreams=list({id(u): u for u in upstreams}.values()), stream_name=operator.name)

    def update(self, x: Delta, who: Stream | None = None, metadata: Any = None) -> list[Any]:
        """Called by streamz with the delta of one upstream."""
        for index in self._waiting[id(who)]:
            if self._inputs[index] is not None:
                raise RuntimeError(f"operator {self.name} got two deltas of one input in one tick")
            self._inputs[index] = x
            self._missing -= 1
        if self._missing:
            return []
        inputs = [delta for delta in self._inputs if delta is not None]
        self.clear()
        return self._emit(self._operator.step(inputs), metadata)

    def clear(self) -> None:
        """Forget what a tick that did not end has left."""
        self._inputs = [None] * len(self._inputs)
        self._missing = len(self._inputs)


class EndNode(GraphNode):
    """Where a tick leaves the graph."""

    def __init__(self, upstream: Stream, out: list[Delta]) -> None:
        self._out = out
        super().__init__(upstream)

    def update(self, x: Delta, who: Stream | None = None, metadata: Any = None) -> list[Any]:  # noqa: ARG002
        """Called by streamz with the root's delta."""
        self._out.append(x)
        return []


class JobGraph:
    """A job's operators as streamz nodes; owns them.

    Args:
        operators: in topological order, the root last; sources have no inputs.
    """

    def __init__(self, operators: Sequence[EngineNode]) -> None:
        self._nodes: list[GraphNode] = []
        self._sources: dict[int, SourceNode] = {}
        self._out: list[Delta] = []
        for index, operator in enumerate(operators):
            if operator.is_source:
                node: GraphNode = SourceNode(stream_name=operator.name)
                self._sources[index] = node
            else:
                node = OperatorNode(operator, [self._nodes[i] for i in operator.inputs])
            self._nodes.append(node)
        self._end = EndNode(self._nodes[-1], self._out)
        for node in self._nodes:
            node.settle()

    def tick(self, deltas: Mapping[int, Delta]) -> Delta:
        """Run one tick: one delta for every source, by its index among the operators; gives the root's delta.

        Raises whatever an operator raises; the graph is then clean for `destroy`, its operators' state is not.
        """
        try:
            for index, source in self._sources.items():
                source.emit(deltas[index])
            (out,) = self._out
        except BaseException:
            for node in self._nodes:
                if isinstance(node, OperatorNode):
                    node.clear()
            raise
        finally:
            self._out.clear()
        return out

    def destroy(self) -> None:
        """Unlink every node. Safe to call twice."""
        if self._nodes:
            self._end.destroy()
        for node in reversed(self._nodes):
            node.destroy()
        self._nodes.clear()
        self._sources.clear()


class UserStream:
    """The plain streamz `Stream` of a job, and what became of the code its user hung on it.

    Attributes:
        stream: receives one `pyarrow.Table` of output rows per tick that had any, after they were published.
        errors: how many ticks' tables made the user's code raise.
        last_error: the newest of these, in words; None when there was none.
    """

    def __init__(self, name: str) -> None:
        self.stream: Stream = Stream(stream_name=name)
        self.errors = 0
        self.last_error: str | None = None

    @property
    def is_heard(self) -> bool:
        """Does anything hang on it?"""
        return bool(self.stream.downstreams)

    def emit(self, rows: pa.Table) -> None:
        """Hand one tick's rows to the user's code; what it raises is counted, and never reaches the engine."""
        try:
            self.stream.emit(rows)
        except Exception as error:  # noqa: BLE001 (anything may come out of the user's code; it is shown in the job's notes)
            self.errors += 1
            self.last_error = f"{type(error).__name__}: {error}"

    def destroy(self) -> None:
        """Take the user's nodes apart, so that streamz lets go of their sinks. Safe to call twice."""
        pending: list[_Node] = [self.stream]
        reached: dict[int, _Node] = {}
        while pending:
            node = pending.pop()
            for child in node.downstreams:
                if id(child) not in reached:
                    reached[id(child)] = child
                    pending.append(child)
        for node in reached.values():
            if node.upstreams:
                node.destroy()
