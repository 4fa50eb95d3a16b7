"""The live frame: the newest rows, bounded, by key or not."""

import threading

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import OP, POS, TS
from velostream_nb.sinks.frame import LiveFrame


def rows(*pairs: tuple[object, int], op: list[str] | None = None) -> pa.Table:
    columns = {"k": pa.array([k for k, _ in pairs], pa.string()), "v": pa.array([v for _, v in pairs], pa.int64())}
    return pa.table(columns if op is None else {**columns, OP: op})


def test_an_empty_frame_has_no_columns():
    frame = LiveFrame()
    assert (frame.snapshot().num_columns, frame.version, frame.dropped) == (0, 0, 0)


def test_the_newest_rows_stay_and_hidden_columns_do_not():
    frame = LiveFrame(max_rows=3)
    frame.append(pa.record_batch({"v": [1, 2], TS: [1, 2], POS: [1, 2], OP: ["upsert"] * 2}))
    frame.append(pa.table({"v": [3, 4]}))
    assert frame.snapshot().to_pydict() == {"v": [2, 3, 4]}
    assert frame.dropped == 1
    frame.append(pa.table({"v": list(range(10))}))
    assert frame.snapshot().to_pydict() == {"v": [7, 8, 9]}
    assert frame.dropped == 11


def test_version_moves_with_rows_only_and_a_snapshot_is_made_once():
    frame = LiveFrame()
    frame.append(pa.table({"v": [1]}))
    first = frame.snapshot()
    frame.append(pa.table({"v": pa.array([], pa.int64())}))
    assert frame.version == 1
    assert frame.snapshot() is first
    frame.append(pa.table({"v": [2]}))
    assert frame.version == 2
    assert first.num_rows == 1


def test_by_key_the_last_row_counts_in_the_order_of_changes():
    frame = LiveFrame(max_rows=2, key=["k"])
    frame.append(rows(("a", 1), ("b", 2)))
    frame.append(rows(("a", 3)))
    assert frame.snapshot().to_pydict() == {"k": ["b", "a"], "v": [2, 3]}
    frame.append(rows(("c", 4)))
    assert frame.snapshot().to_pydict() == {"k": ["a", "c"], "v": [3, 4]}
    assert frame.dropped == 1


def test_a_delete_removes_its_key_until_it_comes_again():
    frame = LiveFrame(key=["k"])
    frame.append(rows(("a", 1), ("b", 2), ("a", 3), op=["upsert", "upsert", "delete"]))
    assert frame.snapshot().to_pydict() == {"k": ["b"], "v": [2]}
    frame.append(rows(("a", 4), (None, 5), op=["upsert", "upsert"]))
    frame.append(rows((None, 6)))
    assert frame.snapshot().to_pydict() == {"k": ["b", "a", None], "v": [2, 4, 6]}


def test_what_does_not_continue_is_refused():
    frame = LiveFrame(key=["k"])
    with pytest.raises(SchemaError, match="key column 'k'"):
        frame.append(pa.table({"v": [1]}))
    frame.append(rows(("a", 1)))
    with pytest.raises(SchemaError, match="do not continue"):
        frame.append(pa.table({"k": ["a"], "w": [1]}))
    frame.clear()
    frame.append(pa.table({"k": ["a"], "w": [1]}))
    assert frame.snapshot().column_names == ["k", "w"]
    with pytest.raises(ValueError, match="at least one row"):
        LiveFrame(0)


changes = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", None]), st.sampled_from([1, 2, None]), st.sampled_from(["upsert", "delete"])
        ),
        max_size=6,
    ),
    max_size=8,
)


@given(changes, st.booleans())
def test_a_keyed_frame_is_the_fold_of_its_changes(batches, look_between):
    frame = LiveFrame(max_rows=100, key=["k", "j"])
    expected: dict[tuple, int] = {}
    number = 0
    for batch in batches:
        numbers = list(range(number, number + len(batch)))
        number += len(batch)
        ks, js, ops = ([change[i] for change in batch] for i in range(3))
        frame.append(
            pa.table({
                "k": pa.array(ks, pa.string()), "j": pa.array(js, pa.int64()),
                "v": pa.array(numbers, pa.int64()), OP: pa.array(ops, pa.string()),
            })
        )  # fmt: skip
        for k, j, op, value in zip(ks, js, ops, numbers, strict=True):
            expected.pop((k, j), None)
            if op == "upsert":
                expected[(k, j)] = value
        if look_between:
            frame.snapshot()
    found = frame.snapshot()
    if found.num_columns:
        assert list(zip(*(found[name].to_pylist() for name in ("k", "j", "v")), strict=True)) == [
            (*key, value) for key, value in expected.items()
        ]
    else:
        assert not expected


def test_a_busy_keyed_frame_stays_small():
    frame = LiveFrame(max_rows=10, key=["k"])
    for start in range(0, 50_000, 500):
        frame.append(pa.table({"k": [n % 20 for n in range(start, start + 500)], "v": range(start, start + 500)}))
        assert frame._held_rows <= 2 * 10 + 4_096 + 500
    assert frame.snapshot()["v"].to_pylist() == list(range(49_990, 50_000))


def test_readers_and_a_writer_at_once():
    frame = LiveFrame(max_rows=1_000)
    done = threading.Event()

    def write() -> None:
        for n in range(2_000):
            frame.append(pa.table({"v": [n]}))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    newest = -1
    while not done.is_set():
        seen = frame.snapshot()
        if seen.num_rows:
            values = seen["v"].to_pylist()
            assert values == list(range(values[0], values[0] + len(values)))
            assert values[-1] >= newest
            newest = values[-1]
    writer.join()
    assert frame.snapshot()["v"].to_pylist() == list(range(1_000, 2_000))


def test_a_column_may_widen_while_it_is_looked_at():
    frame = LiveFrame()
    frame.append(pa.table({"x": pa.array([1], pa.int64())}))
    frame.append(pa.table({"x": pa.array([0.5])}))
    assert frame.snapshot().column("x").to_pylist() == [1.0, 0.5]
