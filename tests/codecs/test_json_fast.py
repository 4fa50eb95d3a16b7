"""Blocks read by their template give what the records give one by one: rows, rejections and reasons, to the bit."""

import json
import struct
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from velostream_nb.codecs import json_fast
from velostream_nb.codecs.json import JsonCodec
from velostream_nb.codecs.json_fast import LEAST_ROWS, FastReader, Read
from velostream_nb.codecs.json_plan import Plan
from velostream_nb.codecs.json_template import learn
from velostream_nb.core.records import Lines, RecordSet
from velostream_nb.core.schema import StreamSchema
from velostream_nb.core.types import arrow_field

MARKET = {
    "symbol": "VARCHAR",
    "price": "DOUBLE",
    "size": "BIGINT",
    "flag": "BOOLEAN",
    "timestamp": "TIMESTAMP",
}


class Reader:
    """The fast path of one schema, as a stream's reader would have it, however few the records."""

    def __init__(self, **columns: str) -> None:
        self.plan = Plan(tuple(arrow_field(name, dtype) for name, dtype in columns.items()))
        assert self.plan.fast is not None
        self.fast = FastReader(self.plan.fast._wanted, self._read_each, least_rows=1)
        self.one_by_one = 0

    def read(self, payload: pa.BinaryArray | Lines) -> Read | None:
        return self.fast.read(payload)

    def rows(self, *records: bytes) -> list[dict[str, object]]:
        """What the fast path makes of records that it is to take, all of them as their template says."""
        self.one_by_one = 0
        read = self.read(lines(*records))
        assert read is not None
        return pa.RecordBatch.from_pydict(read.columns).to_pylist()

    def _read_each(self, records, numbers):
        self.one_by_one += len(records)
        return self.plan.read_each(records, numbers)


def lines(*records: bytes) -> Lines:
    return Lines(b"\n".join(records) + b"\n", len(records))


def slowly(plan: Plan, records: list[bytes | None]) -> Read:
    return plan.filled(*plan.read(records))


def outcome(read: Read, count: int) -> tuple[object, ...]:
    """Everything about it that anybody could tell apart; rows that are rejected anyway do not count."""
    numbers = np.arange(count) if read.numbers is None else read.numbers
    good = ~np.isin(numbers, list(read.bad))
    columns = {name: column.filter(pa.array(good)) for name, column in read.columns.items()}
    values = {name: [_exact(value) for value in column.to_pylist()] for name, column in columns.items()}
    verdicts = {row: (type(v), v.reason, v.path, getattr(v, "needs", None)) for row, v in sorted(read.bad.items())}
    return numbers[good].tolist(), {name: column.type for name, column in columns.items()}, values, verdicts


def _exact(value: object) -> object:
    return struct.pack("<d", value) if isinstance(value, float) else value


# -- the records of a program, more or less --------------------------------------------------------------------------

NUMBERS = [
    "0", "-0", "0.0", "-0.0", "1", "-1", "17", "140.0", "139.99", "-10.62", "1e5", "1E5", "1e+5", "1.5e-7", "3.0", "3e2",
    "0e1", "-0e0", "0E-1", "1.e5", "01", "00", "-01", ".5", "5.", "+1", "0x10", "-", "--1", "1-2", "1.2.3", "1e5.5", "1e",
    "inf", "nan", "NaN", "Infinity", "1_000", "1e400", "-1e400", "1e-400", "1e39", "3.4028235677973366e38", "127", "128",
    "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
    "99999999999999999999", "123456789012345678901234567890", "1700000000000", "1700000000000000", "5e-324",
]  # fmt: skip
TEXTS = [
    '"AAPL"', '"x"', '""', '"é"', '"日本"', '"a,b"', '"a, b"', '"a,"', '"a\\"b"', '"a\\\\"', '"\\u00e9"', '"\\ud800"', '"{}"',
    '":"', '"a\tb"', '"\x7f"', '"null"', '"NaN"', '"-inf"', '"123"', '"1700000000000"', '"2024-01-02"', '"2024-02-30"',
    '"2024-01-02T03:04:05Z"', '"2024-01-02 03:04:05"', '"2024-01-02T03:04:05.123+02:00"', '"a"', '"b"',
    '"00000000-0000-0000-0000-00000000000a"', '"00000000-0000-0000-0000-00000000000A"', '"',
]  # fmt: skip
OTHERS = ["true", "false", "null", "True", "tru", "nul", "{}", "[]", '{"a":1}', '[1,"a"]', "", " ", "1 ", ' "a"']
TYPES = [
    "VARCHAR", "DOUBLE", "FLOAT", "BIGINT", "INTEGER", "TINYINT", "UBIGINT", "BOOLEAN", "TIMESTAMP", "TIMESTAMPTZ",
    "DATE", "UUID", "ENUM('a', 'b')",
]  # fmt: skip
NAMES = ["a", "ts", "price", "symbol", "é", "x y", "a_rather_long_name_of_a_field", "exchange"]
FORMS = [(",", ":", ""), (", ", ": ", ""), (",\t", ": ", ""), (" , ", " :", ""), (",", ":", "\r")]
GARBAGE = b'"\\,:{}[]0123456789.-+eEntf \t\r\x00\xff\xc3'


def usual(random: Random, dtype: str) -> str:
    """A value as programs write it for a column of that type."""
    if dtype in ("DOUBLE", "FLOAT"):
        return f"{random.uniform(-500, 500):.{random.randrange(5)}f}"
    if dtype == "BOOLEAN":
        return random.choice(["true", "false"])
    if dtype == "TIMESTAMP":
        return str(1_700_000_000_000 + random.randrange(10**9))
    if dtype in ("DATE", "TIMESTAMPTZ"):
        return f'"2024-01-{random.randrange(1, 29):02d}"'
    if dtype == "UUID":
        return f'"00000000-0000-0000-0000-{random.randrange(10**12):012d}"'
    if dtype in ("VARCHAR", "ENUM('a', 'b')"):
        return random.choice(['"a"', '"b"'])
    return str(random.randrange(100))


def records_of(random: Random, schema: dict[str, str]) -> list[bytes]:
    """Records of one program, sometimes of two, now and then with something odd or broken in them."""
    comma, colon, end = random.choice(FORMS)
    keys = [*schema, *random.sample(NAMES, random.randrange(3))]  # keys that repeat, or that nobody wants
    random.shuffle(keys)
    odd, broken = random.choice([0, 0.03, 0.3]), random.choice([0, 0, 0.1])
    optional = random.choice(keys) if random.random() < 0.3 else None
    records = []
    for _ in range(random.choice([1, 2, 5, 20])):
        pairs = []
        for key in keys:
            if key != optional or random.random() < 0.5:
                value = usual(random, schema.get(key, "VARCHAR"))
                if random.random() < odd:
                    value = random.choice([*NUMBERS, *TEXTS, *OTHERS, "null", "null"])
                pairs.append(f'"{key}"{colon}{value}')
        record = bytearray(("{" + comma.join(pairs) + "}" + end).encode())
        if random.random() < broken:
            at = random.randrange(len(record))
            record[at : at + random.randrange(3)] = bytes(random.choices(GARBAGE, k=random.randrange(3)))
        records.append(bytes(record))
    return records


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(TYPES), min_size=1, max_size=5), st.booleans())
def test_a_block_gives_what_its_records_give_one_by_one(random, types, as_lines):
    schema = dict(zip(random.sample(NAMES, len(types)), types, strict=True))
    reader = Reader(**schema)
    records: list[bytes | None] = [*records_of(random, schema)]
    if as_lines:
        records = [record.replace(b"\n", b"") for record in records]
        records = [record if record.strip() else b"?" for record in records]  # blank lines do not occur
        payload = Lines(b"\n".join(records) + random.choice([b"", b"\n"]), len(records))
    else:
        records = [None if random.random() < 0.05 else record for record in records]
        payload = pa.array([b"before", *records], pa.binary()).slice(1)
    for _ in range(2):  # the second time its templates are known
        read = reader.read(payload)
        if read is not None:
            assert outcome(read, len(records)) == outcome(slowly(reader.plan, records), len(records))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("as_lines", [True, False])
def test_usual_records_are_all_read_by_their_template(form, as_lines):
    comma, colon, end = form
    random = Random(3)
    records = [
        (
            "{" + comma.join(f'"{name}"{colon}{usual(random, dtype)}' for name, dtype in MARKET.items()) + "}" + end
        ).encode()
        for _ in range(50)
    ]
    reader = Reader(**MARKET)
    payload = lines(*records) if as_lines else pa.array(records, pa.binary())
    for _ in range(2):
        read = reader.read(payload)
        assert read is not None
        assert outcome(read, 50) == outcome(slowly(reader.plan, records), 50)
    assert reader.one_by_one == 0


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize("dtype", ["DOUBLE", "FLOAT", "BIGINT", "UBIGINT", "VARCHAR", "TIMESTAMP"])
@pytest.mark.parametrize("wanted", [True, False])
def test_every_spelling_of_a_number_means_what_it_means_alone(text, dtype, wanted):
    usual_records = [b'{"symbol":"AAPL","x":%d,"y":1.5}' % at for at in range(1, 40)]
    records = [*usual_records, b'{"symbol":"AAPL","x":%s,"y":1.5}' % text.encode()]
    reader = Reader(symbol="VARCHAR", **({"x": dtype} if wanted else {}))
    read = reader.read(lines(*records))
    assert read is not None
    assert outcome(read, 40) == outcome(slowly(reader.plan, records), 40)


def test_numbers_are_read_to_the_last_bit():
    random = Random(11)
    bits = (struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0] for _ in range(20_000))
    exact = [repr(value) for value in bits if value - value == 0]
    digits = [
        f"{random.randrange(10**20)}.{random.randrange(10**20)}e{random.randrange(-330, 280)}" for _ in range(20_000)
    ]
    spelled = exact + digits
    read = Reader(x="DOUBLE").read(lines(*(b'{"x":%s,"a_long_name":1}' % text.encode() for text in spelled)))
    assert read is not None
    assert read.columns["x"].to_numpy().tobytes() == np.array([float(text) for text in spelled]).tobytes()


def test_a_value_or_null_is_one_template():
    reader = Reader(**MARKET)
    some = b'{"symbol":"A","price":1.5,"size":2,"flag":true,"timestamp":1}'
    none = b'{"symbol":null,"price":null,"size":null,"flag":null,"timestamp":1}'
    for first in (some, none):  # whichever comes first: a kind is learnt when it is met
        rows = reader.rows(first, *[some, none] * 20)
        assert rows[1]["price"] == 1.5
        assert rows[2] | {"timestamp": None} == dict.fromkeys(MARKET)
        assert reader.one_by_one == 0


def test_records_of_several_templates_keep_their_order():
    reader = Reader(a_long_name="BIGINT", b="VARCHAR")
    forms = [
        b'{"a_long_name":%d,"b":"x"}',
        b'{"a_long_name":%d,"b":"y","more":[1,2]}',
        b'{"b":"z" , "a_long_name": %d}',
    ]
    records = [forms[Random(at).randrange(3)] % at for at in range(200)]
    rows = reader.rows(*records)
    assert [row["a_long_name"] for row in rows] == list(range(200))
    assert {row["b"] for row in rows} == {"x", "y", "z"}
    assert reader.one_by_one == 0


def test_one_record_that_does_not_fit_costs_one_record():
    reader = Reader(**MARKET)
    good = b'{"symbol":"A, B","price":1.5,"size":2,"flag":true,"timestamp":1}'
    assert len(reader.rows(*[good] * 50)) == 50
    for other in (
        b"{",
        b"\xc3\xa9",
        b'{"symbol":"\\n","price":1,"size":1,"flag":true,"timestamp":1}',
        good.replace(b"2", b"2.0"),
    ):
        reader.rows(*[good] * 50, other, *[good] * 49)
        assert reader.one_by_one == 1


def test_a_quote_too_many_is_not_balanced_by_a_record_with_one_too_few():
    records = [b'{"symbol":"a"b","other":"c"}', b'{"symbol":"a","other":"c}'] + [b'{"symbol":"a","other":"c"}'] * 50
    reader = Reader(symbol="VARCHAR")
    read = reader.read(lines(*records))
    assert read is not None
    assert outcome(read, 52) == outcome(slowly(reader.plan, records), 52)
    assert set(read.bad) == {0, 1}


def test_bytes_that_are_no_text_are_left_to_be_read_one_by_one():
    records = [b'{"symbol":"a","other":"\xff"}'] + [b'{"symbol":"a","other":"c"}'] * 50
    assert Reader(symbol="VARCHAR").read(lines(*records)) is None


def test_nested_values_that_nobody_wants_are_part_of_the_template():
    record = b'{"symbol":"a","quote":{"bid":%d,"tags":["x",null,true]},"size":%d}'
    reader = Reader(symbol="VARCHAR", size="BIGINT")
    assert [row["size"] for row in reader.rows(*(record % (at, at) for at in range(30)))] == list(range(30))
    assert reader.one_by_one == 0
    assert Reader(quote="VARCHAR").read(lines(*[record % (1, 1)] * 30)) is None


def test_blocks_without_a_template_are_left_alone_ever_longer(monkeypatch):
    looked = []
    monkeypatch.setattr(json_fast, "learn", lambda record: looked.append(record) or learn(record))
    reader = Reader(x="BIGINT")
    strange = lines(*(b'{"%d":1,"x":%d,"y":"a rather long text"}' % (at, at) for at in range(60)))
    tries = []
    for at in range(100):
        looked.clear()
        assert reader.read(strange) is None
        if looked:
            tries.append(at)
    assert tries == [0, 2, 6, 14, 30, 62]
    reader.fast._left_alone = 0
    usual_block = lines(*[b'{"x":1,"y":"a rather long text"}'] * 60)
    assert reader.read(usual_block) is not None
    assert reader.read(usual_block) is not None


def test_a_record_has_no_template_that_is_no_object_has_escapes_or_repeats_a_key():
    assert learn(b'{"symbol":"AAPL","price":1.5}') is not None
    for record in (b"", b"[1]", b'{"a":"\\n"}', b'{"a":1,"a":2,"b":"long enough"}', b'{"a":1', b"{}", b'{"a":1}'):
        assert learn(record) is None


def test_the_codec_reads_big_blocks_by_their_template_and_small_ones_record_by_record():
    codec = JsonCodec()
    schema = StreamSchema(pa.schema([arrow_field(name, dtype) for name, dtype in MARKET.items()]), "timestamp")
    rows = [
        {"symbol": f"S{at % 7}", "price": at / 4, "size": at, "flag": at % 3 == 0, "timestamp": at}
        for at in range(LEAST_ROWS)
    ]
    rows[700]["price"] = "x"
    for records in ([json.dumps(row).encode() for row in rows], [json.dumps(row).encode() for row in rows[690:710]]):
        first = 0 if len(records) == LEAST_ROWS else 690
        offsets = np.arange(first, first + len(records))
        decoded = codec.decode(RecordSet("t", 0, offsets, offsets, lines(*records)), schema)
        assert [(r.offset, r.reason) for r in decoded.rejected] == [(700, "expected a number at price, got 'x'")]
        assert decoded.rejected[0].raw == records[700 - first]
        good = [row for row in rows[first : first + len(records)] if row["price"] != "x"]
        assert decoded.batch.column("__ts").to_pylist() == [row["timestamp"] * 1_000 for row in good]
        assert decoded.batch.column("size").to_pylist() == [row["size"] for row in good]
