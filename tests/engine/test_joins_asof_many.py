"""ASOF joins over keys of several types, many rows and keys that come and go equal DuckDB in batch."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.engine.data import BASE_US, table
from tests.engine.harness import Streams, assert_one_answer, batch, comparable, decoded, plan_of
from tests.engine.test_joins_paths import DISORDER_US, tables
from velostream_nb.core.records import OP
from velostream_nb.engine import asof_join
from velostream_nb.engine.job import JobEngine


def _distinct(keys: str, forward: bool) -> str:
    """Right rows without those that ties pass over."""
    order = "__pos" if forward else "__pos DESC"
    return f"(SELECT * FROM b QUALIFY row_number() OVER (PARTITION BY {keys}, __ts ORDER BY {order}) = 1)"


@pytest.mark.parametrize("op", [">=", ">", "<=", "<"])
@pytest.mark.parametrize("keys", ["s", "s, i", "i, u", "f", "d, s, i"])
def test_keys_of_mixed_types(keys, op, tmp_path):
    on = " AND ".join(f"a.{k} = b.{k}" for k in keys.split(", "))
    mine, its = (
        f"SELECT a.id, b.id AS other, b.x FROM a ASOF LEFT JOIN {right} b ON {on} AND a.ts {op} b.ts"
        for right in ("b", _distinct(keys, op[0] == "<"))
    )
    settings = {"watermark.delay": f"{DISORDER_US}us"}
    assert_one_answer(mine, its, tables(len(keys)), settings=settings, tmp_path=tmp_path, batches=(1, None))


@pytest.mark.parametrize("op", [">=", ">", "<=", "<"])
@pytest.mark.parametrize("keys", ["s", "i, u"])
def test_rows_and_keys_of_no_use_go_at_once(keys, op, tmp_path, monkeypatch):
    """What long runs and big ticks do, in every tick."""
    monkeypatch.setattr(asof_join, "_FEW", 0)
    monkeypatch.setattr(asof_join, "_UNUSED_KEYS", -1_000)
    test_keys_of_mixed_types(keys, op, tmp_path)


def test_intervals_as_keys():
    schema = pa.schema([("k", pa.month_day_nano_interval()), ("x", pa.int64()), ("ts", pa.timestamp("us"))])
    lengths = [pa.MonthDayNano([1, 0, 0]), pa.MonthDayNano([0, 30, 0]), pa.MonthDayNano([0, 1, 5_000]), None]
    data = {
        name: table([{"k": lengths[n % 4], "x": n, "ts": BASE_US + n * step} for n in range(40)], schema)
        for name, step in (("a", 900_000), ("b", 700_000))
    }
    sql = "SELECT a.x, b.x AS y FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.ts >= b.ts"
    assert_one_answer(sql, sql, data, batches=(3, None))


_ROWS = pa.schema([("k", pa.string()), ("v", pa.int64()), ("ts", pa.timestamp("us"))])


def _many(seed: int, count: int, keys: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.choice(100_000_000, count, replace=False)) + BASE_US
    k = np.char.add("k", rng.integers(0, keys, count).astype(str))
    return pa.table([k, np.arange(count), pa.array(ts).cast(pa.timestamp("us"))], schema=_ROWS)


@pytest.mark.parametrize("keys", [1, 40, 5_000])
@pytest.mark.parametrize("op", [">=", "<"])
def test_many_rows_at_once_and_in_pieces(keys, op):
    data = {"a": _many(1, 3_000, keys), "b": _many(2, 20_000, keys)}
    sql = f"SELECT a.v, b.v AS w FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.ts {op} b.ts"
    expected = comparable(batch(sql, data))
    for pieces in (1, 13):
        engine = JobEngine(plan_of(sql, data))
        found = []
        for n in range(pieces):
            cuts = {t: (r.num_rows * n // pieces, r.num_rows * (n + 1) // pieces) for t, r in data.items()}
            found += engine.tick({t: [decoded(data[t], *cut)] for t, cut in cuts.items()}).rows.to_pylist()
        found += engine.tick({}, final=True).rows.to_pylist()
        engine.close()
        assert comparable(found) == expected


def test_a_deleted_key_is_forgotten():
    """A table whose keys live for one tick each."""
    streams = Streams(
        {"a": _ROWS.empty_table(), "t": _ROWS.append(pa.field(OP, pa.string())).empty_table()}, keys={"t": ("k",)}
    )
    sql = "SELECT a.v, t.v AS w FROM a LEFT JOIN t FOR SYSTEM_TIME AS OF a.ts ON a.k = t.k"
    engine = JobEngine(plan_of(sql, streams))
    found, sizes = [], []
    for tick in range(60):
        base = BASE_US + tick * 1_000_000
        keys = [f"{tick}-{n}" for n in range(400)]
        versions = [{"k": k, "v": tick, "ts": base, OP: "upsert"} for k in keys]
        versions += [{"k": k, "v": None, "ts": base + 900_000, OP: "delete"} for k in keys]
        asked = [{"k": k, "v": n, "ts": base + 1_000 * n} for n, k in enumerate(keys)]
        asked += [{"k": k, "v": -1, "ts": base + 950_000} for k in keys]
        batches = {"a": table(asked, _ROWS), "t": table(versions, streams.tables["t"].schema)}
        found += engine.tick({t: [decoded(r, 0, r.num_rows)] for t, r in batches.items()}).rows.to_pylist()
        sizes.append(max(s.state_bytes for s in engine.stats() if s.name == "asof join"))
    found += engine.tick({}, final=True).rows.to_pylist()
    engine.close()
    assert len(found) == 60 * 800
    assert all((row["w"] is None) == (row["v"] == -1) for row in found)
    assert max(sizes[30:]) <= 1.2 * max(sizes[5:30])
