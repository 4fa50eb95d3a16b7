"""What only the embedded broker promises: no copies, long chains of small batches stay cheap, mixed payloads."""

import gc
import tracemalloc

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from velostream_nb.brokers.contract import Output, Retention
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.brokers.payload import concat_payloads, line_ends, partition_of, payload_bytes, slice_payload
from velostream_nb.core.records import Lines


def raw(*records: bytes) -> pa.BinaryArray:
    return pa.array(records, pa.binary())


def test_an_appended_batch_is_kept_as_it_is():
    broker = EmbeddedBroker()
    batch = pa.record_batch({"x": np.arange(5_000.0)})
    broker.produce("t", batch)
    (records,) = broker.reader("t").poll(10_000)
    assert records.payload is batch
    (head,) = broker.reader("t").poll(10)
    assert head.payload.column("x").buffers()[1].address == batch.column("x").buffers()[1].address


def test_small_appends_are_read_as_few_record_sets():
    broker = EmbeddedBroker()
    for n in range(5_000):
        broker.produce("t", raw(b"%d" % n), timestamps_ms=np.array([n]), keys=raw(b"k") if n % 2 else None)
    sets = broker.reader("t").poll(5_000)
    assert len(sets) == 1
    assert sets[0].payload.to_pylist() == [b"%d" % n for n in range(5_000)]
    assert sets[0].timestamps_ms.tolist() == list(range(5_000))
    assert sets[0].keys.to_pylist() == [b"k" if n % 2 else None for n in range(5_000)]


def test_a_chain_of_single_rows_does_not_keep_an_object_for_each():
    broker = EmbeddedBroker()
    row = pa.record_batch({"x": [1.0], "s": ["abc"]})
    tracemalloc.start()
    for _ in range(20_000):
        broker.produce("t", row)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 20_000 * 100
    assert sum(s.rows for s in broker.reader("t").poll(50_000)) == 20_000


def test_reading_in_tiny_polls_is_linear():
    broker = EmbeddedBroker()
    broker.produce("t", Lines(b'{"a":1}\n' * 20_000, 20_000))
    reader, rows = broker.reader("t"), 0
    while sets := reader.poll(10):
        rows += sum(s.rows for s in sets)
    assert rows == 20_000


def test_payloads_of_different_forms_in_one_topic_are_not_mixed_up():
    broker = EmbeddedBroker()
    payloads = [
        raw(b"1"), Lines(b"2\n3", 2), pa.record_batch({"a": [4]}), pa.record_batch({"a": [5]}),
        pa.record_batch({"a": [6.0]}), raw(b"7"), raw(b"8"), Lines(b"9\n", 1), Lines(b"10", 1),
    ]  # fmt: skip
    broker.publish([Output("t", payload) for payload in payloads])
    sets = broker.reader("t").poll(100)
    assert [type(s.payload).__name__ for s in sets] == [
        "BinaryArray", "Lines", "RecordBatch", "RecordBatch", "BinaryArray", "Lines",
    ]  # fmt: skip
    assert [s.rows for s in sets] == [1, 2, 2, 1, 2, 2]
    assert sets[-1].payload.data.splitlines() == [b"9", b"10"]


appends = st.lists(st.integers(0, 300), max_size=40)


@given(appends, st.integers(1, 700), st.integers(1, 400), st.integers(0, 900))
def test_the_log_is_a_suffix_of_what_was_appended(sizes, keep_rows, max_rows, after):
    broker = EmbeddedBroker(retention=Retention(rows=keep_rows, bytes=None))
    broker.create_topic("t")
    total = 0
    for size in sizes:
        broker.produce("t", raw(*(b"%d" % n for n in range(total, total + size))))
        total += size
        info = broker.topic("t")
        assert info.latest == total
        assert info.latest - info.earliest == info.rows
        assert info.rows >= min(total, 1)
        newest = next((s for s in reversed(sizes[: sizes.index(size) + 1]) if s), 0)
        assert info.rows <= max(keep_rows, newest, 300)
    reader, seen = broker.reader("t"), []
    while sets := reader.poll(max_rows):
        for one in sets:
            assert [int(v) for v in one.payload.to_pylist()] == one.offsets.tolist()
            seen += one.offsets.tolist()
    assert seen == list(range(broker.topic("t").earliest, total))
    sets, end, _ = broker.read_range({"t": after}, max_rows)["t"]
    found = [int(v) for one in sets for v in one.payload.to_pylist()]
    assert end == total
    first = max(0 if after > total else after, total - max_rows)
    assert found == [n for n in seen if n >= first]


def test_joining_small_batches_leaves_retention_fine_grained():
    broker = EmbeddedBroker(retention=Retention(rows=1_000, bytes=None))
    for n in range(10_000):
        broker.produce("t", raw(b"%d" % n))
        if n >= 1_000:
            assert 870 <= broker.topic("t").rows <= 1_000


def test_bytes_of_a_slice_are_its_share():
    batch = pa.record_batch({"x": np.arange(1_000), "s": ["ab"] * 1_000})
    assert abs(payload_bytes(batch) - batch.nbytes) < 100
    assert abs(payload_bytes(batch.slice(10, 10)) - batch.slice(10, 10).nbytes) < 50
    assert payload_bytes(pa.record_batch({"b": [True, False]})) > 0


@given(st.lists(st.none() | st.binary(max_size=3), max_size=30), st.integers(1, 9))
def test_a_key_always_has_the_same_partition(keys, partitions):
    array = pa.array(keys, pa.binary())
    together = partition_of(array, partitions).tolist()
    alone = [int(partition_of(array.slice(at, 1), partitions)[0]) for at in range(len(keys))]
    assert together == alone
    assert all(0 <= partition < partitions for partition in together)


@given(st.lists(st.binary(min_size=1, max_size=3).filter(lambda b: b"\n" not in b), min_size=1, max_size=9), st.data())
def test_lines_are_cut_and_joined_like_lists(records, data):
    lines = Lines(b"\n".join(records), len(records))
    start = data.draw(st.integers(0, len(records)))
    rows = data.draw(st.integers(0, len(records) - start))
    parts = [
        slice_payload(lines, a, n) for a, n in ((0, start), (start, rows), (start + rows, len(records) - start - rows))
    ]
    assert [part.rows for part in parts] == [start, rows, len(records) - start - rows]
    assert len(line_ends(parts[1].data)) == rows
    filled = [part for part in parts if part.rows]
    assert concat_payloads(filled).data.removesuffix(b"\n").split(b"\n") == records
