"""What windows look back at: rows kept in places against rows kept in plain lists."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from velostream_nb.core.records import TS
from velostream_nb.engine import history as histories
from velostream_nb.engine import pools
from velostream_nb.engine.frames import Values
from velostream_nb.engine.history import History

SCHEMA = pa.schema([("k", pa.string()), ("v", pa.int32()), ("text", pa.string()), (TS, pa.int64())])
KEPT = {"v": pa.int32(), "text": pa.string(), TS: pa.int64()}


def listed(values: Values | pa.Array) -> list[Any]:
    if isinstance(values, pa.Array):
        return list(values.to_pylist())
    valid = np.ones(len(values), dtype=np.bool_) if values.valid is None else values.valid
    return [number if there else None for number, there in zip(values.numbers.tolist(), valid, strict=True)]


def some_rows(rng: random.Random, now_us: int, keys: int) -> pa.Table:
    count = rng.choice([1, 2, 10, 80])
    times = sorted(now_us + rng.randrange(50) for _ in range(count))
    return pa.table(
        {
            "k": [rng.choice([None, *map(str, range(keys))]) for _ in range(count)],
            "v": [rng.choice([None, rng.randrange(100)]) for _ in range(count)],
            "text": [rng.choice([None, f"text {rng.randrange(9)}"]) for _ in range(count)],
            TS: times,
        },
        schema=SCHEMA,
    )


@pytest.fixture(params=[1 << 14, 0], ids=["much room", "hardly any room"])
def _room(request, monkeypatch):
    monkeypatch.setattr(histories, "_ALL_SPARE", request.param)
    if not request.param:
        monkeypatch.setattr(histories, "_SPARE", 1)
        monkeypatch.setattr(pools, "_FEW", 4)
        monkeypatch.setattr(pools, "_CHUNKS", 2)


@pytest.mark.usefixtures("_room")
@pytest.mark.parametrize("seed", range(12))
def test_rows_stand_behind_those_that_are_kept(seed: int) -> None:
    rng = random.Random(seed)
    always = rng.choice([1, 3, 20])
    history = History([SCHEMA.field("k")], KEPT, rows=always, age_us=None)
    kept: dict[str | None, list[dict[str, Any]]] = {}
    for tick in range(60):
        rows = some_rows(rng, tick * 100, rng.choice([2, 40]))
        seen = history.extended(rows)
        came: dict[str | None, list[dict[str, Any]]] = {}
        for row, (place, first) in zip(
            rows.to_pylist(), zip(seen.places, seen.spread(seen.first), strict=True), strict=True
        ):
            mine = came.setdefault(row["k"], list(kept.get(row["k"], [])))
            mine.append(row)
            before = np.arange(first, place + 1)
            for name in KEPT:
                assert listed(seen.at(name, before)) == [old[name] for old in mine], f"tick {tick}"
        for name in ("v", TS):
            parted = [came[rows["k"][int(seen.order[start])].as_py()] for start in seen.starts]
            assert listed(seen.dense(name)) == [row[name] for mine in parted for row in mine]
        # what is not kept of a tick that goes wrong was never there
        if rng.random() < 0.2:
            continue
        waiting = np.array([rng.choice([0, 0, 1]) for _ in seen.sizes])
        end = np.maximum(seen.stop - waiting, seen.fresh)
        history.keep(seen, np.maximum(end - always, seen.first), end)
        for start, size, held in zip(seen.starts, seen.sizes, waiting, strict=True):
            key = rows["k"][int(seen.order[start])].as_py()
            done = came[key][: len(came[key]) - min(held, size)]
            kept[key] = done[-always:]
        assert history.rows == sum(map(len, kept.values()))
        if rng.random() < 0.1:
            table = history.table()
            history = History([SCHEMA.field("k")], KEPT, rows=always, age_us=None)
            history.load(table)
            kept = {key: mine for key, mine in kept.items() if mine}


@pytest.mark.usefixtures("_room")
def test_old_rows_go_and_their_keys_with_them() -> None:
    rng = random.Random(5)
    history = History([SCHEMA.field("k")], KEPT, rows=0, age_us=1_000)
    every: list[dict[str, Any]] = []
    for tick in range(80):
        # all keys change once in ten ticks, and come back later
        rows = some_rows(rng, tick * 100, 5)
        group = tick // 10 % 3
        rows = rows.set_column(0, "k", pa.array([f"{group} {key}" for key in rows["k"].to_pylist()]))
        seen = history.extended(rows)
        history.keep(seen, seen.first, seen.stop)
        every += rows.to_pylist()
        history.sweep(tick * 100)
        assert history.rows >= sum(row[TS] >= tick * 100 - 1_000 for row in every)
        assert history.rows <= sum(row[TS] >= tick * 100 - 3_000 for row in every)
        assert len(history.slots) <= 18
    history.sweep(1_000_000)
    assert (history.rows, len(history.slots)) == (0, 0)
    seen = history.extended(rows)
    assert (seen.first == seen.fresh).all()


def test_places_are_given_back() -> None:
    history = History([SCHEMA.field("k")], KEPT, rows=1, age_us=1_000)
    sizes = []
    for tick in range(40):
        rows = pa.table(
            [
                [f"{tick} {i}" for i in range(500)],
                pa.nulls(500, pa.int32()),
                pa.array(["text"] * 500),
                [tick * 1_000] * 500,
            ],
            schema=SCHEMA,
        )
        seen = history.extended(rows)
        history.keep(seen, seen.first, seen.stop)
        history.sweep(tick * 1_000)
        sizes.append(history.nbytes)
    # a row of every key is kept for good; what it takes grows with the keys, not with the ticks' work
    assert history.rows == 40 * 500
    assert sizes[-1] / history.rows < 400
