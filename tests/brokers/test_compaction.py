"""What stands in a changelog can always be read, however much has come and gone; the log stays bounded."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velostream_nb.brokers.contract import Reader, Retention
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.core.records import OP, Lines, RecordSet
from velostream_nb.core.schema import StreamSchema

COLUMNS = pa.schema([("k", pa.string()), ("x", pa.int64())])
KEEP = 40

UPSERTS = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["upsert", "upsert", "delete"]), st.integers(0, 9), st.integers(0, 99)), max_size=12
    ),
    max_size=40,
)


def opened(changelog: str, key: tuple[str, ...] = (), rows: int = KEEP) -> EmbeddedBroker:
    broker = EmbeddedBroker()
    schema = StreamSchema(COLUMNS, None, key, changelog=changelog)
    broker.create_topic("t", schema=schema, retention=Retention(rows=rows, bytes=None))
    return broker


def append(broker: EmbeddedBroker, changes: list[tuple[str, Any, int]], *, keyed: bool = True) -> None:
    batch = pa.record_batch(
        {
            "k": pa.array([f"k{k}" for _, k, _ in changes], pa.string()),
            "x": pa.array([x for _, _, x in changes], pa.int64()),
            OP: pa.array([op for op, _, _ in changes], pa.string()),
        }
    )
    broker.produce("t", batch, keys=batch.column("k").cast(pa.binary()) if keyed else None)


def records(sets: list[RecordSet]) -> list[tuple[str, str, int]]:
    found = []
    for run in sets:
        for row in run.payload.to_pylist():
            found.append((row[OP], row["k"], row["x"]))
        if run.keys is not None:
            assert run.keys.to_pylist() == [row["k"].encode() for row in run.payload.to_pylist()]
    offsets = [int(offset) for run in sets for offset in run.offsets]
    assert offsets == sorted(set(offsets))
    assert len(offsets) == len(found)
    return found


def all_of(reader: Reader, step: int = 1_000) -> list[tuple[str, str, int]]:
    sets: list[RecordSet] = []
    while polled := reader.poll(step):
        sets += polled
    assert reader.lag_rows() == 0
    return records(sets)


def state(changes: list[Any], before: dict[str, int] | None = None) -> dict[str, int]:
    found = dict(before or {})
    for op, k, x in changes:
        found.pop(k, None)
        if op != "delete":
            found[k] = x
    return found


def named(changes: list[Any]) -> list[Any]:
    return [(op, f"k{k}", x) for op, k, x in changes]


@settings(deadline=None, max_examples=60)
@given(UPSERTS, st.integers(1, 50), st.integers(0, 400))
def test_the_newest_row_of_every_key_is_kept(batches: list[Any], step: int, after: int) -> None:
    broker = opened("upsert", ("k",))
    close, behind = broker.reader("t"), broker.reader("t")
    seen, half = [], {}
    given_rows: list[Any] = []
    for number, batch in enumerate(batches):
        append(broker, batch)
        given_rows += named(batch)
        seen += all_of(close, step)
        if number == len(batches) // 2:
            half = state(records(behind.poll(15)))
        assert broker.topic("t").rows <= 2 * KEEP + 20 + 12
    assert seen == given_rows  # who follows closely misses nothing
    assert close.skipped == 0
    kept = records(broker.read_range({"t": None}, 10**9)["t"][0])
    assert state(kept) == state(given_rows)
    assert all_of(broker.reader("t"), step) == kept
    caught_up = state(all_of(behind, step), half)
    assert behind.skipped > 0 or caught_up == state(given_rows)
    sets, end, skipped = broker.read_range({"t": after}, 10**9)["t"]
    assert end == len(given_rows)
    if after <= end:
        assert len(records(sets)) + skipped == end - after
    broker.close()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 1)), max_size=12), max_size=40))
def test_a_bag_keeps_the_rows_that_did_not_go(batches: list[Any]) -> None:
    broker = opened("retract")
    close = broker.reader("t")
    bag: Counter[Any] = Counter()
    seen: Counter[Any] = Counter()
    for batch in batches:
        changes = []
        for comes, k, x in batch:
            if comes or bag[f"k{k}", x]:
                changes.append(("insert" if comes else "delete", k, x))
                bag[f"k{k}", x] += 1 if comes else -1
        append(broker, changes, keyed=False)
        for op, k, x in all_of(close, 7):
            seen[k, x] += -1 if op == "delete" else 1
    assert +seen == +bag
    net: Counter[Any] = Counter()
    for op, k, x in records(broker.read_range({"t": None}, 10**9)["t"][0]):
        net[k, x] += -1 if op == "delete" else 1
        assert net[k, x] >= 0
    assert +net == +bag
    assert broker.topic("t").rows <= max(2 * bag.total(), KEEP) + KEEP + 24
    broker.close()


def test_one_row_without_a_key_stays_one() -> None:
    broker = opened("upsert")
    for x in range(500):
        append(broker, [("upsert", 0, x)], keyed=False)
    kept = records(broker.read_range({"t": None}, 10**9)["t"][0])
    assert kept[-1] == ("upsert", "k0", 499)
    assert len(kept) <= KEEP + 1
    broker.close()


def test_a_state_larger_than_retention_is_kept_whole_and_rarely_looked_at() -> None:
    broker = opened("upsert", ("k",), rows=100)
    looks = 0
    log = broker._topics["t"].logs[0]
    compact = log._compact

    def counted() -> bool:
        nonlocal looks
        before = log.rows
        done = compact()
        looks += before != log.rows
        return done

    log._compact = counted  # type: ignore[method-assign]
    for n in range(6_000):
        append(broker, [("upsert", n % 1_000, n)])
    assert len(state(records(broker.read_range({"t": None}, 10**9)["t"][0]))) == 1_000
    assert broker.topic("t").rows < 4_500
    assert looks < 20
    broker.close()


@pytest.mark.parametrize("schema", [None, StreamSchema(COLUMNS, None, ("k",), changelog="upsert")])
def test_records_that_do_not_tell_their_key_are_kept_by_age(schema: StreamSchema | None) -> None:
    broker = EmbeddedBroker(retention=Retention(rows=KEEP, bytes=None))
    broker.create_topic("t", schema=schema)
    reader = broker.reader("t")
    for n in range(200):
        broker.produce("t", Lines(b'{"k":"a","x":%d}' % n, 1))
    assert broker.topic("t").rows <= KEEP
    reader.poll(1)
    assert reader.skipped >= 200 - KEEP - 1
    broker.close()


def test_a_reader_that_may_have_missed_a_delete_is_told() -> None:
    broker = opened("upsert", ("k",), rows=10)
    append(broker, [("upsert", 1, 1), ("upsert", 2, 2)])
    paused = broker.reader("t")
    paused.poll(2)
    append(broker, [("delete", 1, 0)])
    for n in range(200):
        append(broker, [("upsert", 2, n)])
    assert state(all_of(broker.reader("t"))) == {"k2": 199}
    all_of(paused)
    assert paused.skipped > 0
    fresh = broker.reader("t")
    all_of(fresh)
    assert fresh.skipped == 0
    broker.close()
