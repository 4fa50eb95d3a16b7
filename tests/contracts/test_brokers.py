"""The contract of brokers, over all of them. What one cannot do is declared beside it and has to fail that way."""

import threading
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from velostream_nb.brokers.contract import Broker, Output, Retention
from velostream_nb.brokers.embedded import EmbeddedBroker
from velostream_nb.brokers.files import FilesBroker
from velostream_nb.core.clock import ManualClock
from velostream_nb.core.errors import BrokerError, UnknownTopicError
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.core.schema import StreamSchema

CLOCK_MS = 1_700_000_000_000
SCHEMA = StreamSchema(pa.schema([("a", pa.int64())]), key=("a",))


@pytest.fixture(params=["embedded", "files"])
def broker(request, tmp_path):
    clock = ManualClock(CLOCK_MS * 1_000)
    if request.param == "embedded":
        made: Broker = EmbeddedBroker(clock)
    else:
        (tmp_path / "day.jsonl").write_bytes(b'{"a":1}\n')
        made = FilesBroker({"day": tmp_path / "day.jsonl"}, clock=clock)
    yield made
    made.close()


def raw(*records: bytes) -> pa.BinaryArray:
    return pa.array(records, pa.binary())


def numbered(first: int, rows: int) -> pa.BinaryArray:
    return raw(*(str(n).encode() for n in range(first, first + rows)))


def values(sets: list[RecordSet]) -> list[bytes]:
    out: list[bytes] = []
    for one in sets:
        if isinstance(one.payload, Lines):
            out += one.payload.data.splitlines()
        elif isinstance(one.payload, pa.RecordBatch):
            out += [str(row["a"]).encode() for row in one.payload.to_pylist()]
        else:
            out += one.payload.to_pylist()
        assert one.rows == len(one.timestamps_ms)
    return out


def offsets(sets: list[RecordSet]) -> list[int]:
    return [int(offset) for one in sets for offset in one.offsets]


# topics


def test_topics_are_created_listed_described_and_deleted(broker):
    before = {info.name for info in broker.topics()}
    broker.create_topic("b", partitions=2, schema=SCHEMA)
    broker.create_topic("a")
    assert {info.name for info in broker.topics()} - before == {"a", "b"}
    assert [info.name for info in broker.topics()] == sorted(before | {"a", "b"}) == broker.names()
    assert [broker.partitions(name) for name in broker.names()] == [info.partitions for info in broker.topics()]
    with pytest.raises(UnknownTopicError):
        broker.partitions("c")
    info = broker.topic("b")
    assert (info.partitions, info.rows, info.earliest, info.latest) == (2, 0, 0, 0)
    assert (info.columns, info.key) == ({"a": "BIGINT"}, ("a",))
    broker.delete_topic("b")
    assert not broker.exists("b")
    assert broker.exists("a")


def test_creating_again_is_fine_with_as_many_partitions_only(broker):
    broker.create_topic("t", partitions=2)
    broker.create_topic("t", partitions=2, schema=SCHEMA)
    assert broker.schema("t") == SCHEMA
    broker.create_topic("t", partitions=2)
    assert broker.schema("t") == SCHEMA
    with pytest.raises(BrokerError, match="2 partitions, not 3"):
        broker.create_topic("t", partitions=3)
    with pytest.raises(BrokerError, match="at least one partition"):
        broker.create_topic("u", partitions=0)


@pytest.mark.parametrize("name", ["", "a b", "ü", "x" * 250, ".", "..", "a/b", "a\n"])
def test_names_follow_kafkas_rule(broker, name):
    with pytest.raises(BrokerError, match="cannot name a topic"):
        broker.create_topic(name)
    with pytest.raises(BrokerError, match="cannot name a topic"):
        broker.produce(name, raw(b"x"))


def test_an_unknown_topic_is_named_with_near_ones(broker):
    broker.create_topic("market_data")
    for look in (broker.topic, broker.reader, broker.schema, broker.delete_topic):
        with pytest.raises(UnknownTopicError, match="did you mean market_data"):
            look("market_dat")


def test_a_schema_can_be_set_later(broker):
    broker.create_topic("t")
    assert broker.schema("t") is None
    broker.set_schema("t", SCHEMA)
    assert broker.schema("t") == SCHEMA
    with pytest.raises(UnknownTopicError):
        broker.set_schema("u", SCHEMA)


# producing and reading


PAYLOADS = {
    "raw": lambda: raw(b"1", b"2", b"3"),
    "lines": lambda: Lines(b"1\n2\n3", 3),
    "typed": lambda: pa.record_batch({"a": [1, 2, 3]}),
}


@pytest.mark.parametrize("form", PAYLOADS)
def test_what_is_produced_is_read_in_order_with_offsets_and_times(broker, form):
    assert broker.produce("t", PAYLOADS[form]()) == 3
    assert broker.produce("t", PAYLOADS[form](), timestamps_ms=np.array([7, 8, 9])) == 3
    sets = broker.reader("t").poll(100)
    assert values(sets) == [b"1", b"2", b"3"] * 2
    assert offsets(sets) == list(range(6))
    assert np.concatenate([s.timestamps_ms for s in sets]).tolist() == [CLOCK_MS] * 3 + [7, 8, 9]
    assert {(s.topic, s.partition) for s in sets} == {("t", 0)}


@pytest.mark.parametrize("form", PAYLOADS)
@pytest.mark.parametrize("max_rows", [1, 2, 4, 100])
def test_polls_are_cut_to_size(broker, form, max_rows):
    for _ in range(3):
        broker.produce("t", PAYLOADS[form]())
    reader, seen, polled = broker.reader("t"), [], []
    while sets := reader.poll(max_rows):
        assert sum(s.rows for s in sets) <= max_rows
        seen += values(sets)
        polled += offsets(sets)
    assert seen == [b"1", b"2", b"3"] * 3
    assert polled == list(range(9))
    assert reader.positions() == {0: 9}


def test_a_poll_does_not_wait_and_zero_rows_are_none(broker):
    broker.create_topic("t")
    reader = broker.reader("t")
    assert reader.poll(10) == []
    broker.produce("t", raw(b"x"))
    assert reader.poll(0) == []
    assert values(reader.poll(10)) == [b"x"]
    assert not reader.ended
    reader.close()


def test_readers_do_not_disturb_each_other(broker):
    broker.produce("t", numbered(0, 10))
    one, other = broker.reader("t"), broker.reader("t")
    assert len(values(one.poll(7))) == 7
    assert (one.lag_rows(), other.lag_rows()) == (3, 10)
    assert len(values(other.poll(100))) == 10


def test_where_a_reader_starts(broker):
    broker.create_topic("t", partitions=2)
    broker.produce("t", numbered(0, 5), partition=0)
    broker.produce("t", numbered(5, 5), partition=1)
    assert sorted(values(broker.reader("t", "earliest").poll(100))) == sorted(numbered(0, 10).to_pylist())
    latest = broker.reader("t", "latest")
    assert latest.poll(100) == []
    broker.produce("t", raw(b"new"), partition=1)
    assert values(latest.poll(100)) == [b"new"]
    assert values(broker.reader("t", {0: 3, 1: 6}).poll(100)) == [b"3", b"4"]
    assert values(broker.reader("t", {0: 5}).poll(100)) == [b"5", b"6", b"7", b"8", b"9", b"new"]
    with pytest.raises(BrokerError, match="not within 0 to 5"):
        broker.reader("t", {0: 6})
    with pytest.raises(BrokerError, match="cannot start reading at 'now'"):
        broker.reader("t", "now")


def test_keys_are_kept_and_choose_the_partition(broker):
    broker.create_topic("t", partitions=4)
    keys = raw(*(b"key%d" % (n % 10) for n in range(200)))
    keys = pa.concat_arrays([keys, pa.nulls(1, pa.binary())])
    broker.produce("t", numbered(0, 201), keys=keys)
    partition_of: dict[bytes | None, int] = {}
    seen: dict[bytes, bytes | None] = {}
    for one in broker.reader("t").poll(1_000):
        assert one.keys is not None
        for key, value in zip(one.keys.to_pylist(), values([one]), strict=True):
            assert partition_of.setdefault(key, one.partition) == one.partition
            seen[value] = key
    assert seen == dict(zip(numbered(0, 201).to_pylist(), keys.to_pylist(), strict=True))
    assert partition_of[None] == 0
    assert len(set(partition_of.values())) > 1


def test_a_key_goes_where_kafkas_client_would_put_it(broker):
    broker.create_topic("t", partitions=7)
    broker.produce("t", raw(b"x"), keys=raw(b"AAPL"))
    (one,) = broker.reader("t").poll(1)
    assert one.partition == zlib.crc32(b"AAPL") % 7  # librdkafka's `consistent` partitioner


@pytest.mark.parametrize("form", PAYLOADS)
def test_order_within_a_partition_survives_cutting_by_key(broker, form):
    broker.create_topic("t", partitions=2)
    keys = raw(b"a", b"d", b"a")
    broker.produce("t", PAYLOADS[form](), keys=keys, timestamps_ms=np.array([1, 2, 3]))
    by_partition = {s.partition: (values([s]), s.timestamps_ms.tolist()) for s in broker.reader("t").poll(10)}
    assert ([b"1", b"3"], [1, 3]) in by_partition.values()
    assert ([b"2"], [2]) in by_partition.values()


def test_without_keys_records_go_to_the_first_partition_and_an_unknown_one_is_refused(broker):
    broker.create_topic("t", partitions=3)
    broker.produce("t", numbered(0, 3))
    assert {s.partition for s in broker.reader("t").poll(10)} == {0}
    with pytest.raises(BrokerError, match="partitions 0 to 2, not 3"):
        broker.produce("t", raw(b"x"), partition=3)


@pytest.mark.parametrize(
    ("payload", "extra", "message"),
    [
        ([b"x"], {}, "got list"),
        (raw(b"x"), {"keys": raw(b"a", b"b")}, "2 keys for 1 records"),
        (raw(b"x"), {"timestamps_ms": np.array([1, 2])}, "2 timestamps for 1 records"),
        (raw(b"x"), {"keys": pa.array(["a"])}, "keys must be a BinaryArray"),
    ],
)
def test_what_does_not_match_is_refused_whole(broker, payload, extra, message):
    broker.create_topic("t")
    with pytest.raises(BrokerError, match=message):
        broker.produce("t", payload, **extra)
    assert broker.topic("t").latest == 0


def test_a_deleted_topic_ends_its_readers_and_a_new_one_starts_at_zero(broker):
    broker.produce("t", numbered(0, 3))
    reader = broker.reader("t")
    broker.delete_topic("t")
    with pytest.raises(UnknownTopicError, match="was deleted"):
        reader.poll(1)
    broker.produce("t", raw(b"x"))
    assert offsets(broker.reader("t").poll(10)) == [0]


# retention


def test_the_oldest_whole_batches_go_first(broker):
    broker.create_topic("t", retention=Retention(rows=5, bytes=None))
    reader = broker.reader("t")
    for first in (0, 3, 6):
        broker.produce("t", numbered(first, 3))
    info = broker.topic("t")
    assert (info.rows, info.earliest, info.latest) == (3, 6, 9)
    assert reader.lag_rows() == 3
    assert offsets(reader.poll(100)) == [6, 7, 8]
    assert reader.skipped == 6


def test_retention_by_bytes_keeps_at_least_the_newest_batch(broker):
    broker.create_topic("t", retention=Retention(rows=None, bytes=1_000))
    broker.produce("t", raw(b"x" * 600))
    broker.produce("t", raw(b"y" * 600))
    assert broker.topic("t").rows == 1
    broker.produce("t", raw(b"z" * 5_000))
    assert values(broker.reader("t").poll(10)) == [b"z" * 5_000]


# many topics at once


def test_publish_is_seen_whole(broker):
    broker.create_topic("a")
    before = broker.version()
    broker.publish([Output("a", numbered(0, 2)), Output("b", Lines(b"x", 1)), Output("empty", raw())])
    assert broker.version() != before
    assert (broker.topic("a").rows, broker.topic("b").rows, broker.topic("empty").rows) == (2, 1, 0)


def test_a_publish_with_one_bad_output_appends_nothing(broker):
    broker.create_topic("a")
    with pytest.raises(BrokerError):
        broker.publish([Output("a", raw(b"x")), Output("not a name", raw(b"y"))])
    assert broker.topic("a").latest == 0


def test_read_range_sees_no_half_of_a_publish(broker):
    done = threading.Event()

    def write() -> None:
        for _ in range(300):
            broker.publish([Output("left", raw(b"x")), Output("right", raw(b"x"))])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    looks = 0
    while not done.is_set() or looks == 0:
        found = broker.read_range({"left": 0, "right": 0}, 10_000)
        assert found["left"][1] == found["right"][1] == len(values(found["left"][0]))
        looks += 1
    writer.join()


def test_read_range_gives_the_newest_after_a_position(broker):
    assert broker.read_range({"none": None}, 10) == {"none": ([], 0, 0)}
    for first in range(0, 10, 2):
        broker.produce("t", numbered(first, 2))
    for after, limit, expected, skipped in [
        (None, 100, range(10), 0),
        (None, 3, range(7, 10), 0),
        (4, 100, range(4, 10), 0),
        (4, 3, range(7, 10), 3),
        (10, 5, range(0), 0),
        (99, 100, range(10), 0),
        (0, 0, range(0), 10),
    ]:
        sets, end, left_out = broker.read_range({"t": after}, limit)["t"]
        assert values(sets) == [str(n).encode() for n in expected]
        assert (end, left_out) == (10, skipped)


def test_read_range_counts_over_partitions_in_the_order_of_appends(broker):
    broker.create_topic("t", partitions=2)
    for first in range(6):
        broker.produce("t", numbered(first, 1), partition=first % 2)
    sets, end, _ = broker.read_range({"t": 3}, 100)["t"]
    assert sorted(values(sets)) == [b"3", b"4", b"5"]
    assert end == 6


def test_read_range_counts_what_retention_took_as_skipped(broker):
    broker.create_topic("t", retention=Retention(rows=2, bytes=None))
    for first in range(0, 6, 2):
        broker.produce("t", numbered(first, 2))
    sets, end, skipped = broker.read_range({"t": 1}, 100)["t"]
    assert (values(sets), end, skipped) == ([b"4", b"5"], 6, 3)


# transactions


def polled(broker: Broker, topic: str) -> list[bytes]:
    return values(broker.reader(topic).poll(1_000))


def test_a_transactions_records_are_known_at_once_and_seen_at_its_end(broker):
    broker.create_topic("a", partitions=2)
    broker.produce("a", numbered(0, 3), partition=1)
    reader = broker.reader("a", "latest")
    version = broker.version()
    writing = broker.transaction({"a", "b"})
    first = writing.append([Output("a", raw(b"x", b"y"), keys=raw(b"k", b"k")), Output("b", raw(b"z"))])
    second = writing.append([Output("b", raw(b"zz"), timestamps_ms=np.array([7]))])
    number = zlib.crc32(b"k") % 2
    begins = 3 if number == 1 else 0
    assert [(r.topic, r.partition, r.offsets.tolist(), values([r])) for r in [*first, *second]] == [
        ("a", number, [begins, begins + 1], [b"x", b"y"]),
        ("b", 0, [0], [b"z"]),
        ("b", 0, [1], [b"zz"]),
    ]
    assert first[0].keys.to_pylist() == [b"k", b"k"]
    assert first[0].timestamps_ms.tolist() == [CLOCK_MS] * 2
    assert second[0].timestamps_ms.tolist() == [7]
    assert (broker.topic("a").latest, broker.topic("b").latest, reader.poll(9)) == (3, 0, [])
    assert broker.read_range({"a": None, "b": None}, 10)["b"] == ([], 0, 0)
    assert broker.ends({"a", "b"}) == {"a": {0: 0, 1: 3}, "b": {0: 0}}
    assert broker.version() == version
    writing.commit([Output("b", raw(b"zzz"))])
    assert broker.version() != version
    (seen,) = reader.poll(9)
    assert (seen.partition, seen.offsets.tolist()) == (number, [begins, begins + 1])
    assert polled(broker, "b") == [b"z", b"zz", b"zzz"]
    writing.abort()  # harmless
    assert polled(broker, "b") == [b"z", b"zz", b"zzz"]


def test_an_aborted_transaction_leaves_nothing_and_its_offsets_are_free(broker):
    writing = broker.transaction({"a"})
    writing.append([Output("a", raw(b"x"))])
    writing.abort()
    writing.abort()
    assert polled(broker, "a") == []
    broker.produce("a", raw(b"y"))
    assert offsets(broker.reader("a").poll(9)) == [0]


def test_what_others_append_meanwhile_comes_after_the_transaction_whole_and_in_order(broker):
    broker.create_topic("a")
    writing = broker.transaction({"a"})
    appended = threading.Thread(
        target=lambda: [
            broker.produce("a", raw(b"1")),
            broker.publish([Output("c", raw(b"c")), Output("a", raw(b"2"))]),
            broker.produce("c", raw(b"d")),
        ]
    )
    appended.start()
    appended.join(30)
    assert not appended.is_alive()  # nobody waits for a transaction
    broker.produce("free", raw(b"f"))
    assert polled(broker, "free") == [b"f"]
    assert not broker.exists("c")  # its publish has a part that waits
    (records,) = writing.append([Output("a", raw(b"x"))])
    assert records.offsets.tolist() == [0]
    writing.commit()
    assert polled(broker, "a") == [b"x", b"1", b"2"]
    assert polled(broker, "c") == [b"c", b"d"]


def test_what_waited_is_not_lost_when_a_transaction_is_aborted(broker):
    writing = broker.transaction({"a"})
    version = broker.version()
    broker.produce("a", raw(b"1"))
    assert broker.version() == version
    writing.abort()
    assert polled(broker, "a") == [b"1"]
    assert broker.version() != version


def test_a_transaction_waits_for_another_one_on_the_same_topic(broker):
    first = broker.transaction({"a", "b"})
    order: list[str] = []

    def second() -> None:
        writing = broker.transaction({"b", "c"})
        order.append("second")
        writing.append([Output("b", raw(b"2"))])
        writing.commit()

    thread = threading.Thread(target=second)
    thread.start()
    apart = broker.transaction({"d"})  # other topics are free
    apart.abort()
    first.append([Output("b", raw(b"1"))])
    order.append("first")
    first.commit()
    thread.join(30)
    assert order == ["first", "second"]
    assert polled(broker, "b") == [b"1", b"2"]


def test_a_thread_cannot_wait_for_itself(broker):
    writing = broker.transaction({"a"})
    with pytest.raises(BrokerError, match="open on the topic"):
        broker.transaction({"a"})
    writing.abort()
    broker.transaction({"a"}).abort()


def test_what_cannot_be_appended_is_refused_and_ends_nothing_else(broker):
    writing = broker.transaction({"a"})
    with pytest.raises(BrokerError, match="not begun with"):
        writing.append([Output("a", raw(b"x")), Output("b", raw(b"y"))])
    with pytest.raises(BrokerError, match="keys for"):
        writing.append([Output("a", raw(b"x"), keys=raw())])
    writing.append([Output("a", raw(b"z"))])
    with pytest.raises(BrokerError, match="keys for"):
        writing.commit([Output("a", raw(b"x"), keys=raw())])
    assert polled(broker, "a") == []
    broker.produce("a", raw(b"1"))  # the transaction is over
    assert polled(broker, "a") == [b"1"]


def test_a_reader_takes_records_of_an_open_transaction_only_where_it_stands(broker):
    broker.create_topic("a", partitions=2)
    broker.produce("a", numbered(0, 2), partition=0)
    there, behind = broker.reader("a", "latest"), broker.reader("a", {0: 1, 1: 0})
    writing = broker.transaction({"a"})
    run = writing.append([Output("a", raw(b"x", b"y"))]) + writing.append([Output("a", raw(b"z"))])
    assert not behind.take(run)
    assert there.take(run)
    assert (there.positions(), behind.positions()) == ({0: 5, 1: 0}, {0: 1, 1: 0})
    assert not there.take(run)
    assert (there.lag_rows(), behind.lag_rows(), there.poll(9)) == (0, 1, [])
    writing.commit()
    assert (there.lag_rows(), behind.lag_rows(), there.poll(9)) == (0, 4, [])
    assert values(behind.poll(9)) == [b"1", b"x", b"y", b"z"]
    broker.produce("a", raw(b"!"))
    assert offsets(there.poll(9)) == [5]


def test_a_topic_deleted_during_a_transaction_is_made_anew(broker):
    broker.produce("a", raw(b"old"))
    writing = broker.transaction({"a"})
    writing.append([Output("a", raw(b"new"))])
    broker.delete_topic("a")
    writing.commit()
    assert polled(broker, "a") == [b"new"]


def test_no_reader_sees_half_of_a_transaction_while_others_append(broker):
    broker.create_topic("left")
    broker.create_topic("right")
    done = threading.Event()

    def transact() -> None:
        for n in range(200):
            writing = broker.transaction({"left", "right"})
            writing.append([Output("left", raw(b"t%d" % n))])
            writing.append([Output("right", raw(b"t%d" % n))])
            if n % 5:
                writing.commit()
            else:
                writing.abort()
        done.set()

    def meddle() -> None:
        while not done.is_set():
            broker.publish([Output("left", raw(b"m")), Output("right", raw(b"m"))])

    threads = [threading.Thread(target=transact), threading.Thread(target=meddle)]
    for thread in threads:
        thread.start()
    looks = 0
    while not done.is_set() or looks == 0:
        found = broker.read_range({"left": None, "right": None}, 10)
        assert values(found["left"][0]) == values(found["right"][0])
        looks += 1
    for thread in threads:
        thread.join()
    kept = [v for v in values(broker.read_range({"left": None}, 10**9)["left"][0]) if v != b"m"]
    assert kept == [b"t%d" % n for n in range(200) if n % 5]


def test_ends_are_where_reading_would_go_on(broker):
    broker.create_topic("t", partitions=2)
    broker.produce("t", numbered(0, 3), partition=1)
    assert broker.ends(["t"]) == {"t": {0: 0, 1: 3}}
    assert broker.ends([]) == {}
    with pytest.raises(UnknownTopicError):
        broker.ends(["t", "u"])


def test_polling_stops_before_an_offset(broker):
    broker.create_topic("t", partitions=2)
    for number in (0, 1):
        broker.produce("t", numbered(0, 5), partition=number)
    reader = broker.reader("t")
    assert sorted(values(reader.poll(100, {0: 2}))) == sorted([b"0", b"1", b"0", b"1", b"2", b"3", b"4"])
    assert reader.positions() == {0: 2, 1: 5}
    assert reader.poll(100, {0: 2}) == []
    assert values(reader.poll(1, {0: 4})) == [b"2"]
    assert values(reader.poll(100)) == [b"3", b"4"]


# waiting and closing


def test_wake_ends_a_wait(broker):
    version = broker.version()
    waker = threading.Thread(target=broker.wake)
    waker.start()
    assert broker.wait(version, 30.0) is True
    waker.join()


def test_wait_wakes_on_an_append_and_times_out_without(broker):
    version = broker.version()
    assert broker.wait(version, 0.0) is False
    appender = threading.Thread(target=lambda: broker.produce("t", raw(b"x")))
    appender.start()
    assert broker.wait(version, 30.0) is True
    appender.join()
    assert broker.wait(version, 0.0) is True


def test_an_append_of_nothing_wakes_nobody_but_makes_the_topic(broker):
    version = broker.version()
    assert broker.produce("t", raw()) == 0
    assert broker.exists("t")
    assert broker.wait(version, 0.0) is False


def test_close_wakes_waiters_and_what_follows_is_refused(broker):
    answers: list[bool] = []
    reader_version = broker.version()
    waiter = threading.Thread(target=lambda: answers.append(broker.wait(reader_version, 30.0)))
    waiter.start()
    broker.close()
    broker.close()
    waiter.join()
    assert answers == [False]
    with pytest.raises(BrokerError, match="closed"):
        broker.produce("t", raw(b"x"))


def test_many_threads_lose_nothing(broker):
    def write(number: int) -> None:
        for n in range(50):
            broker.produce("t", raw(b"%d:%d" % (number, n)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sets = broker.reader("t").poll(1_000)
    found = values(sets)
    assert offsets(sets) == list(range(200))
    for number in range(4):
        own = [v for v in found if v.startswith(b"%d:" % number)]
        assert own == [b"%d:%d" % (number, n) for n in range(50)]


# a topic of known content, however each broker comes by it


def _unwritable(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.xfail(raises=BrokerError, strict=True, reason=reason)


TEN = [b'{"a":%d}' % n for n in range(10)]


@pytest.fixture(params=["embedded", "jsonl", "csv", "parquet"])
def filled(request, tmp_path):
    """A broker whose topic "t" holds the ten rows a = 0 … 9."""
    if request.param == "embedded":
        made: Broker = EmbeddedBroker()
        made.produce("t", raw(*TEN[:5]))
        made.produce("t", raw(*TEN[5:]))
    else:
        path = tmp_path / f"t.{request.param}"
        if request.param == "jsonl":
            path.write_bytes(b"\n".join(TEN))
        elif request.param == "csv":
            path.write_text("a\n" + "".join(f"{n}\n" for n in range(10)))
        else:
            pq.write_table(pa.table({"a": range(10)}), path, row_group_size=3)
        made = FilesBroker({"t": path})
    yield made
    made.close()


@pytest.fixture
def writable(request, filled):
    if isinstance(filled, FilesBroker):
        request.applymarker(_unwritable("a file topic is read-only"))
    return filled


def numbers(sets: list[RecordSet]) -> list[int]:
    return [int(value.decode().removeprefix('{"a":').removesuffix("}")) for value in values(sets)]


def test_filled_a_topic_is_described(filled):
    info = filled.topic("t")
    assert (info.name, info.partitions, info.rows, info.earliest, info.latest) == ("t", 1, 10, 0, 10)
    assert info.bytes > 0
    assert [listed.name for listed in filled.topics()] == ["t"]


@pytest.mark.parametrize("max_rows", [1, 3, 4, 100])
def test_filled_polling_gives_every_record_once(filled, max_rows):
    reader, seen, polled = filled.reader("t"), [], []
    while sets := reader.poll(max_rows):
        seen += numbers(sets)
        polled += offsets(sets)
    assert (seen, polled) == (list(range(10)), list(range(10)))
    assert (reader.positions(), reader.lag_rows(), reader.skipped) == ({0: 10}, 0, 0)
    reader.close()


def test_filled_polling_stops_before_an_offset(filled):
    reader = filled.reader("t")
    assert numbers(reader.poll(100, {0: 4})) == [0, 1, 2, 3]
    assert reader.poll(100, {0: 4}) == []
    assert numbers(reader.poll(3, {0: 9})) == [4, 5, 6]
    assert filled.ends({"t"}) == {"t": {0: 10}}
    reader.close()


@pytest.mark.parametrize("offset", [0, 1, 4, 9, 10])
def test_filled_reading_starts_at_an_offset(filled, offset):
    sets = filled.reader("t", {0: offset}).poll(100)
    assert (numbers(sets), offsets(sets)) == (list(range(offset, 10)), list(range(offset, 10)))


def test_filled_latest_is_the_end(filled):
    reader = filled.reader("t", "latest")
    assert (reader.poll(100), reader.positions()) == ([], {0: 10})
    with pytest.raises(BrokerError, match="not within 0 to 10"):
        filled.reader("t", {0: 11})
    with pytest.raises(BrokerError, match="cannot start reading"):
        filled.reader("t", "middle")


def test_filled_read_range(filled):
    for after, limit, expected, skipped in [
        (None, 3, [7, 8, 9], 0),
        (4, 100, [4, 5, 6, 7, 8, 9], 0),
        (4, 2, [8, 9], 4),
    ]:
        sets, end, left_out = filled.read_range({"t": after}, limit)["t"]
        assert (numbers(sets), end, left_out) == (expected, 10, skipped)


def test_filled_only_a_bounded_topic_ends(filled):
    reader = filled.reader("t")
    assert not reader.ended
    reader.poll(9)
    assert not reader.ended
    assert reader.lag_rows() == 1
    reader.poll(1)
    assert reader.ended is isinstance(filled, FilesBroker)


def test_filled_topics_take_more_records(writable):
    writable.produce("t", raw(b'{"a":10}'))
    assert writable.topic("t").latest == 11


def test_filled_topics_are_published_to(writable):
    writable.publish([Output("other", raw(b"x")), Output("t", raw(b'{"a":10}'))])
    assert writable.topic("t").latest == 11


def test_filled_topics_are_part_of_a_transaction(writable):
    writing = writable.transaction({"t", "other"})
    writing.append([Output("other", raw(b"x")), Output("t", raw(b'{"a":10}'))])
    writing.commit()
    assert writable.topic("t").latest == 11


def test_filled_a_deleted_topic_is_gone(filled):
    filled.delete_topic("t")
    assert not filled.exists("t")
    with pytest.raises(UnknownTopicError):
        filled.reader("t")
