"""The streamz graph of a job, and the stream that users hang code on."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from streamz.sinks import _global_sinks

from velostream_nb.engine.delta import Delta
from velostream_nb.jobs.graph import JobGraph, UserStream


@dataclass
class Adder:
    """An operator whose output is the concatenation of its inputs; notes every step."""

    name: str
    inputs: tuple[int, ...] = ()
    is_source: bool = False
    steps: list[list[list[int]]] = field(default_factory=list)
    error: Exception | None = None

    def step(self, inputs: list[Delta]) -> Delta:
        self.steps.append([d.rows["x"].to_pylist() for d in inputs])
        if self.error is not None:
            raise self.error
        return delta(*[x for d in inputs for x in d.rows["x"].to_pylist()])


def delta(*values: int) -> Delta:
    return Delta(pa.table({"x": pa.array(values, pa.int64())}), 0)


def values(out: Delta) -> list[int]:
    found: list[int] = out.rows["x"].to_pylist()
    return found


def test_a_diamond_steps_once_a_tick_with_both_sides_of_the_same_tick() -> None:
    source, left, right = Adder("source", is_source=True), Adder("left", (0,)), Adder("right", (0,))
    join = Adder("join", (1, 2))
    graph = JobGraph([source, left, right, join])
    assert values(graph.tick({0: delta(1)})) == [1, 1]
    assert values(graph.tick({0: delta(2, 3)})) == [2, 3, 2, 3]
    assert join.steps == [[[1], [1]], [[2, 3], [2, 3]]]


def test_an_operator_that_reads_one_input_twice_gets_it_in_both_places() -> None:
    join = Adder("self join", (0, 0))
    graph = JobGraph([Adder("source", is_source=True), join])
    assert values(graph.tick({0: delta(7)})) == [7, 7]
    assert join.steps == [[[7], [7]]]


def test_inputs_arrive_in_the_order_of_the_operator_and_not_of_the_sources() -> None:
    graph = JobGraph([Adder("a", is_source=True), Adder("b", is_source=True), Adder("join", (1, 0))])
    assert values(graph.tick({0: delta(1), 1: delta(2)})) == [2, 1]


def test_a_source_alone_is_a_graph() -> None:
    assert values(JobGraph([Adder("source", is_source=True)]).tick({0: delta(4)})) == [4]


def test_a_tick_that_raises_leaves_nothing_for_the_next_one() -> None:
    left = Adder("left", (0,))
    graph = JobGraph([Adder("a", is_source=True), left, Adder("b", is_source=True), Adder("join", (1, 2))])
    left.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        graph.tick({0: delta(1), 2: delta(2)})
    left.error = None
    assert values(graph.tick({0: delta(3), 2: delta(4)})) == [3, 4]


def test_a_graph_survives_collection_while_it_is_owned_and_lets_go_when_destroyed() -> None:
    sinks = len(_global_sinks)
    graph = JobGraph([Adder("source", is_source=True), Adder("a", (0,)), Adder("b", (1,))])
    gc.collect()
    assert values(graph.tick({0: delta(1)})) == [1]
    graph.destroy()
    graph.destroy()
    assert len(_global_sinks) == sinks


def test_user_code_gets_each_table_and_its_sinks_end_with_the_stream() -> None:
    sinks = len(_global_sinks)
    user, seen, other = UserStream("spikes"), [], []
    user.stream.map(lambda t: t.num_rows).sink(seen.append)
    second = user.stream.sink(other.append)
    gc.collect()
    user.emit(pa.table({"x": [1, 2]}))
    second.destroy()
    user.emit(pa.table({"x": [3]}))
    assert (seen, len(other)) == ([2, 1], 1)
    user.destroy()
    user.destroy()
    user.emit(pa.table({"x": [4]}))
    assert seen == [2, 1]
    assert len(_global_sinks) == sinks


def test_what_user_code_raises_is_counted_and_goes_no_further() -> None:
    user, seen = UserStream("spikes"), []

    def fail(_table: pa.Table) -> None:
        raise KeyError("price")

    user.stream.sink(seen.append)
    user.stream.sink(fail)
    user.emit(pa.table({"x": [1]}))
    user.emit(pa.table({"x": [2]}))
    assert (user.errors, user.last_error, len(seen)) == (2, "KeyError: 'price'", 2)
    user.destroy()
