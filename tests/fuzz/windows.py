"""GROUP BY windows in time, in all their spellings."""

from __future__ import annotations

from tests.fuzz.draw import Draw
from tests.fuzz.expressions import TIME, aggregate
from tests.fuzz.relations import Context, Relation

_SECOND_US = 1_000_000


def _tumble(draw: Draw, time: str, keys: str) -> tuple[str, str, str, str]:
    size, offset = draw.pick([2, 5, 7]), draw.pick([0, 0, 1])
    us, shift = size * _SECOND_US, offset * _SECOND_US
    start = f"({_us(time)} - {shift}) // {us} * {us} + {shift}"
    more = f", INTERVAL {offset} SECOND" if offset else ""
    call = f"TUMBLE({time}, INTERVAL {size} SECOND{more})"
    return (
        "tumbling window",
        call,
        f"SELECT *, {start} AS __s, {start} + {us} AS __e FROM {{}}",
        f"TUMBLING({time}, {size}s)",
    )


def _hop(draw: Draw, time: str, keys: str) -> tuple[str, str, str, str]:
    slide, size = draw.pick([(2, 6), (1, 3), (2, 5), (3, 3)])
    us, by = size * _SECOND_US, slide * _SECOND_US
    first = f"(({_us(time)} - {us}) // {by} + 1) * {by}"
    starts = f"unnest(range({first}, {_us(time)} + 1, {by}))"
    call = f"HOP({time}, INTERVAL {slide} SECOND, INTERVAL {size} SECOND)"
    oracle = f"SELECT *, __s + {us} AS __e FROM (SELECT *, {starts} AS __s FROM {{}})"
    return "hop window", call, oracle, f"SLIDING({time}, {size}s, {slide}s)"


def _cumulate(draw: Draw, time: str, keys: str) -> tuple[str, str, str, str]:
    step, size = draw.pick([(2, 6), (1, 4), (5, 5)])
    us, by = size * _SECOND_US, step * _SECOND_US
    base = f"{_us(time)} // {us} * {us}"
    ends = f"unnest(range({base} + (({_us(time)} - {base}) // {by} + 1) * {by}, {base} + {us} + 1, {by}))"
    call = f"CUMULATE({time}, INTERVAL {step} SECOND, INTERVAL {size} SECOND)"
    return "cumulate window", call, f"SELECT *, {base} AS __s, {ends} AS __e FROM {{}}", ""


def _session(draw: Draw, time: str, keys: str) -> tuple[str, str, str, str]:
    gap = draw.pick([1, 2, 5])
    us = gap * _SECOND_US
    partition = f"PARTITION BY {keys} " if keys else ""
    new = f"{_us(time)} - LAG({_us(time)}) OVER ({partition}ORDER BY {_us(time)}) > {us}"
    number = f"SUM(CASE WHEN __new THEN 1 ELSE 0 END) OVER ({partition}ORDER BY {_us(time)}, __new DESC ROWS UNBOUNDED PRECEDING)"
    inner = f"SELECT *, {number} AS __n FROM (SELECT *, {new} AS __new FROM {{}})"
    whole = f"PARTITION BY {keys + ', ' if keys else ''}__n"
    oracle = f"SELECT *, MIN({_us(time)}) OVER ({whole}) AS __s, MAX({_us(time)}) OVER ({whole}) + {us} AS __e FROM ({inner})"
    return "session window", f"SESSION({time}, INTERVAL {gap} SECOND)", oracle, ""


def _us(time: str) -> str:
    return f"epoch_us({time})"


def windowed(context: Context, source: Relation) -> Relation:
    """SELECT keys, window_start, window_end, aggregates FROM … GROUP BY …, a window."""
    draw = context.draw
    usable = {c: k for c, k in source.columns.items() if k != "other"}
    free = [c for c in usable if c not in (source.unique, source.time, "window_start", "window_end")]
    keys = draw.some(free, 0, 2) if free else []
    assert source.time is not None
    kind, call, oracle, clause = draw.pick([_tumble, _hop, _cumulate, _session])(draw, source.time, ", ".join(keys))
    made = [(*aggregate(draw, usable, source.unique), context.name("a")) for _ in range(1 + draw.below(3))]
    calls = [f"{text} AS {name}" for text, _, name in made]
    bounds = ["window_start", "window_end"]
    having = f" HAVING COUNT(*) > {draw.pick(['1', '2'])}" if draw.chance(20) else ""
    rollup = kind != "session window" and len(keys) == 2 and draw.chance(25)
    by = [f"ROLLUP ({', '.join(keys)})"] if rollup else keys
    items = ", ".join([*keys, *bounds, *calls])
    from_, grouped = context.source(source), f" GROUP BY {', '.join([*by, call])}"
    spelling = draw.below(3)
    if spelling == 1 and clause and ", INTERVAL 1 SECOND)" not in call:
        grouped = f"{' GROUP BY ' + ', '.join(by) if by else ''} WINDOW {clause}"
    elif spelling == 2 and source.named and kind != "session window":
        name, arguments = call.split("(", 1)
        arguments = arguments.split(",", 1)[1]
        from_ = f"TABLE({name}(TABLE {source.sql}, DESCRIPTOR({source.time}),{arguments})"
        grouped = f" GROUP BY {', '.join([*by, *bounds])}"
    if having and "WINDOW" in grouped and draw.chance(50):
        sql = f"SELECT {items} FROM {from_}{grouped.split(' WINDOW')[0]}{having} WINDOW{grouped.split(' WINDOW')[1]}"
    else:
        sql = f"SELECT {items} FROM {from_}{grouped}{having}"
    shown = ", ".join([*keys, "make_timestamp(__s) AS window_start", "make_timestamp(__e) AS window_end", *calls])
    rows = oracle.replace("{}", f"({source.oracle})")
    columns = {**{k: usable[k] for k in keys}, "window_start": TIME, "window_end": TIME}
    columns |= {name: gives for _, gives, name in made}
    relation = Relation(
        sql,
        f"SELECT {shown}, __e AS __ts FROM ({rows}) GROUP BY {', '.join([*by, '__s', '__e'])}{having}",
        columns,
        # rows that ROLLUP adds may look like others, so that nothing tells their order
        time=None if rollup else "window_end",
        order=() if rollup else ("__ts",),
        apart=None if rollup else tuple(keys),
        tags=source.tags,
    ).tagged(kind, *(["ROLLUP"] if rollup else []))
    context.live = relation, source.prefix
    return relation
