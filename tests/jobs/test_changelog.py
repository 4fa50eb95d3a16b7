"""Changelogs outside the engine: folded, summed up, compared; and as records that come and go."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velostream_nb.codecs.json import JsonCodec
from velostream_nb.core.errors import SchemaError
from velostream_nb.core.records import OP, POS, TS, Decoded, Payload, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.jobs.changelog import condense, difference, fold, split
from velostream_nb.jobs.tombstones import decode_changes, key_texts, record_key, record_keys, to_raw

CODEC = JsonCodec()
UNTIMED = settings(deadline=None, max_examples=60)


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    """Rows of (op, k, x)."""
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    op, k, x = (list(column) for column in columns)
    return pa.table({"k": pa.array(k, pa.string()), "x": pa.array(x, pa.int64()), OP: pa.array(op, pa.string())})


def rows(found: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in found.to_pylist()]


# -- what changes amount to ---------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["a", "b", "c", None])
UPSERTS = st.lists(st.tuples(st.sampled_from(["upsert", "delete", None]), KEYS, st.integers(0, 3) | st.none()))
BAGS = st.lists(st.tuples(st.sampled_from(["insert", "delete", None]), KEYS, st.integers(0, 1)))


def folded(changes: list[tuple[Any, ...]]) -> dict[Any, Any]:
    state: dict[Any, Any] = {}
    for op, k, x in changes:
        state.pop(k, None)
        if op != "delete":
            state[k] = x
    return state


@UNTIMED
@given(UPSERTS)
def test_upserts_fold_to_the_newest_row_of_each_key_in_the_order_of_their_last_change(changes: list[Any]) -> None:
    assert rows(fold(table(changes), "upsert", ["k"])) == list(folded(changes).items())


@UNTIMED
@given(UPSERTS)
def test_no_key_is_one_row_in_all(changes: list[Any]) -> None:
    expected = [] if not changes or changes[-1][0] == "delete" else [changes[-1][1:]]
    assert rows(fold(table(changes), "upsert", [])) == expected


def bag(changes: list[tuple[Any, ...]]) -> Counter[Any]:
    net: Counter[Any] = Counter()
    for op, k, x in changes:
        net[k, x] += -1 if op == "delete" else 1
    return +net


@UNTIMED
@given(BAGS)
def test_a_bag_folds_to_the_rows_that_came_and_did_not_go(changes: list[Any]) -> None:
    assert Counter(rows(fold(table(changes), "retract", []))) == bag(changes)


@UNTIMED
@given(UPSERTS, UPSERTS)
def test_condensed_upserts_do_the_same_with_one_change_a_key(before: list[Any], changes: list[Any]) -> None:
    fewer = [(op, k, x) for k, x, op in rows(condense(table(changes), "upsert", ["k"]))]
    assert len({k for _, k, _ in fewer}) == len(fewer)
    assert folded(before + fewer) == folded(before + changes)


@UNTIMED
@given(BAGS)
def test_a_condensed_bag_has_no_row_that_comes_and_goes_and_deletes_come_first(changes: list[Any]) -> None:
    fewer = [(op or "insert", k, x) for k, x, op in rows(condense(table(changes), "retract", []))]
    net = Counter({row: n for row, n in _net(changes).items() if n})
    assert _net(fewer) == net
    assert len(fewer) == sum(map(abs, net.values()))
    assert [op == "delete" for op, _, _ in fewer] == sorted((op == "delete" for op, _, _ in fewer), reverse=True)


def _net(changes: list[tuple[Any, ...]]) -> Counter[Any]:
    net: Counter[Any] = Counter()
    for op, k, x in changes:
        net[k, x] += -1 if op == "delete" else 1
    return net


@UNTIMED
@given(UPSERTS, UPSERTS)
def test_a_difference_makes_one_state_of_the_other_and_says_no_more(one: list[Any], other: list[Any]) -> None:
    before, after = (fold(table(changes), "upsert", ["k"]) for changes in (one, other))
    changes = difference(before, after, "upsert", ["k"])
    whole = pa.concat_tables([before.append_column(OP, pa.array(["upsert"] * before.num_rows, pa.string())), changes])
    assert sorted(rows(fold(whole, "upsert", ["k"])), key=repr) == sorted(rows(after), key=repr)
    assert not set(rows(before)) & {(k, x) for k, x, op in rows(changes) if op == "upsert"}


@UNTIMED
@given(BAGS, BAGS)
def test_a_difference_of_bags_is_their_difference(one: list[Any], other: list[Any]) -> None:
    before, after = (fold(table(changes), "retract", []) for changes in (one, other))
    changes = [(op, k, x) for k, x, op in rows(difference(before, after, "retract", []))]
    found = Counter(rows(before))
    found.update(_net(changes))
    assert +found == Counter(rows(after))


def test_a_look_at_changes_says_what_stands_and_what_went() -> None:
    changes = table([("upsert", "a", 1), ("upsert", "b", 2), ("delete", "a", None), ("delete", "z", None)])
    stands, gone = split(changes, "upsert", ["k"])
    assert (rows(stands), rows(gone), gone.column_names) == ([("b", 2)], [("a",), ("z",)], ["k"])
    changes = table([("insert", "a", 1), ("insert", "b", 2), ("delete", "a", 1), ("delete", "z", 0)])
    stands, gone = split(changes, "retract", [])
    assert (rows(stands), rows(gone)) == ([("b", 2)], [("z", 0)])


# -- keys ---------------------------------------------------------------------------------------------------------------


@UNTIMED
@given(st.lists(st.lists(st.text(max_size=4), min_size=2, max_size=2), min_size=1))
def test_composite_keys_are_told_apart_and_read_back(parts: list[list[str]]) -> None:
    batch = pa.record_batch({"a": [p[0] for p in parts], "b": [p[1] for p in parts]})
    keys = record_keys(batch, ["a", "b"])
    assert keys is not None
    for key, texts in zip(keys.to_pylist(), parts, strict=True):
        assert key == record_key(texts)
        if not key.startswith(b"{"):
            assert key_texts(key, ["a", "b"]) == texts


def test_keys_of_other_systems_are_read_where_they_name_the_columns() -> None:
    assert key_texts(b'{"b": 7, "a": "x"}', ["a", "b"]) == ["x", "7"]
    assert key_texts(b'{"c": 7}', ["a"]) == ['{"c": 7}']
    with pytest.raises(SchemaError, match="has 3 parts, the table's key 2: a, b"):
        key_texts(b"x|y|z", ["a", "b"])
    with pytest.raises(SchemaError, match="not UTF-8"):
        key_texts(b"\xff", ["a"])


# -- records ------------------------------------------------------------------------------------------------------------

LIMITS = StreamSchema(
    pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("most", pa.float64(), nullable=False)]),
    key=("id",),
    changelog="upsert",
)
PAIRS = StreamSchema(pa.schema([("k", pa.string()), ("x", pa.int64())]), changelog="retract")


def run(payload: Payload, keys: list[bytes | None] | None = None, rows: int | None = None) -> RecordSet:
    count = len(payload) if rows is None else rows
    offsets = np.arange(10, 10 + count, dtype=np.int64)
    return RecordSet("t", 0, offsets, offsets * 1_000, payload, None if keys is None else pa.array(keys, pa.binary()))


def decoded(found: Decoded, *columns: str) -> list[tuple[Any, ...]]:
    assert found.batch.schema.names[-1] == OP
    return [tuple(row[name] for name in columns) for row in found.batch.to_pylist()]


def test_typed_deletes_need_the_key_alone_and_keep_their_place() -> None:
    payload = pa.record_batch({"id": [1, 2, 1, 3], "most": [1.0, 2.0, None, 3.0], OP: ["upsert", None, "delete", None]})
    found = decode_changes(CODEC, run(payload), LIMITS, ["id", "most"])
    assert decoded(found, "id", "most", OP, POS, TS) == [
        (1, 1.0, "upsert", 10, 10_000_000),
        (2, 2.0, "upsert", 11, 11_000_000),
        (1, None, "delete", 12, 12_000_000),
        (3, 3.0, "upsert", 13, 13_000_000),
    ]
    assert not found.rejected


def test_tombstones_of_raw_topics_are_deletes_of_their_key() -> None:
    payload = pa.array([b'{"id": 1, "most": 2}', None, b'{"id": 2, "most": 3}', None, None, b"{"], pa.binary())
    found = decode_changes(CODEC, run(payload, [b"1", b"1", b"2", b"two", None, b"3"]), LIMITS, ["id", "most"])
    assert decoded(found, "id", "most", OP, POS) == [
        (1, 2.0, "upsert", 10),
        (1, None, "delete", 11),
        (2, 3.0, "upsert", 12),
    ]
    assert [(r.offset, r.raw) for r in found.rejected] == [(13, b"two"), (14, b""), (15, b"{")]
    assert "is no BIGINT for id" in found.rejected[0].reason


def test_a_record_without_its_required_columns_is_rejected_only_where_it_is_no_delete() -> None:
    payload = pa.record_batch({"id": [1, 2], "most": pa.array([None, None], pa.float64()), OP: ["upsert", "delete"]})
    found = decode_changes(CODEC, run(payload), LIMITS, ["id", "most"])
    assert decoded(found, "id", OP) == [(2, "delete")]
    assert [r.offset for r in found.rejected] == [10]


def test_a_delete_may_say_when_it_holds_from() -> None:
    schema = StreamSchema(
        pa.schema([("id", pa.int64()), ("ts", pa.timestamp("us"))]), "ts", key=("id",), changelog="upsert"
    )
    said = dt.datetime(1970, 1, 1, 0, 0, 7)
    payload = pa.record_batch({"id": [1, 1], "ts": pa.array([said, None], pa.timestamp("us")), OP: ["delete"] * 2})
    assert decoded(decode_changes(CODEC, run(payload), schema, ["id"]), "id", TS) == [(1, 7_000_000), (1, 11_000_000)]


def test_bags_read_the_operation_from_a_field_beside_their_columns() -> None:
    lines = [b'{"op": "insert", "k": "a", "x": 1}', b'{"op": "delete", "k": "a", "x": 1}', b'{"k": "b"}']
    odd = [b'{"op": "upsert", "k": "c"}', b'{"op": 3, "k": "d"}']
    found = decode_changes(CODEC, run(pa.array([*lines, *odd], pa.binary())), PAIRS, ["k", "x"])
    assert decoded(found, "k", "x", OP) == [("a", 1, "insert"), ("a", 1, "delete"), ("b", None, "insert")]
    assert [(r.offset, r.path) for r in found.rejected] == [(13, "op"), (14, "op")]
    assert "'upsert', neither 'insert' nor 'delete'" in found.rejected[0].reason


@pytest.mark.parametrize("schema", [LIMITS, PAIRS, StreamSchema(pa.schema([("k", pa.string()), ("op", pa.int64())]))])
def test_changes_survive_the_trip_as_json(schema: StreamSchema) -> None:
    mode = schema.changelog
    if mode == "upsert":
        payload = pa.record_batch({"id": [1, 2, 1], "most": [1.0, 2.0, 9.0], OP: ["upsert", None, "delete"]})
    elif mode == "retract":
        payload = pa.record_batch({"k": ["a", "b", "a"], "x": [1, 2, 1], OP: ["insert", None, "delete"]})
    else:
        payload = pa.record_batch({"k": ["a"], "op": [7]})
    keys = record_keys(payload, schema.key)
    raw = to_raw(payload, CODEC, schema)
    if mode is None:
        assert raw.to_pylist() == [b'{"k":"a","op":7}']
        return
    sent = run(raw, None if keys is None else keys.to_pylist())
    one = decode_changes(CODEC, sent, schema, schema.names)
    other = decode_changes(CODEC, run(payload, None if keys is None else keys.to_pylist()), schema, schema.names)
    if mode == "upsert":
        assert raw.to_pylist()[2] is None
        assert decoded(one, "id", OP) == decoded(other, "id", OP) == [(1, "upsert"), (2, "upsert"), (1, "delete")]
    else:
        assert json.loads(raw.to_pylist()[2]) == {"k": "a", "x": 1, "op": "delete"}
        assert one.batch.equals(other.batch)


def test_an_op_of_the_users_own_is_left_alone() -> None:
    schema = StreamSchema(pa.schema([("op", pa.string()), ("x", pa.int64())]), changelog="retract")
    payload = pa.record_batch({"op": ["mine"], "x": [1], OP: ["delete"]})
    raw = to_raw(payload, CODEC, schema)
    assert json.loads(raw.to_pylist()[0]) == {"op": "mine", "x": 1, "_op": "delete"}
    assert decoded(decode_changes(CODEC, run(raw), schema, ["op", "x"]), "op", "x", OP) == [("mine", 1, "delete")]
