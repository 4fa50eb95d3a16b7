"""Queries: productions that wrap relations, each with its batch answer beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fuzz.draw import Draw
from tests.fuzz.expressions import INT, TEXT, TIME, aggregate, condition, expression, of_type
from tests.fuzz.joins import asof_join, interval_join, regular_join, semi_join, table_join
from tests.fuzz.over import over
from tests.fuzz.relations import Context, Relation, hidden, stream, table
from tests.fuzz.windows import windowed

Production = Callable[[Context, int], Relation]


@dataclass(frozen=True)
class Query:
    """One random query.

    Attributes:
        sql, oracle: the job's text, and DuckDB's.
        prefix: it has an answer at every tick.
        tables_first: all of the table's records arrive before any other.
        tags: constructs that are in it.
    """

    sql: str
    oracle: str
    prefix: bool
    topics: tuple[str, ...]
    tables_first: bool
    tags: tuple[str, ...]


def query(draw: Draw) -> Query:
    """Draw a query."""
    context = Context(draw)
    relation = any_relation(context, depth=1 + draw.below(3))
    if relation.named:
        relation = project(context, relation)
    emit = ""
    if context.live is not None and context.live[0] is relation and draw.chance(30):
        emit = " EMIT CHANGES"
        relation = replace(relation, prefix=context.live[1], changes=True).tagged("EMIT CHANGES of windows")
    ctes = f"WITH {', '.join(context.ctes)} " if context.ctes else ""
    oracle = f"SELECT {', '.join(relation.columns)} FROM ({relation.oracle})"
    tags = (*relation.tags, *(["CTE"] if ctes else []))
    topics = tuple(sorted(context.topics))
    return Query(ctes + relation.sql + emit, oracle, relation.prefix, topics, context.tables_first, tags)


def any_relation(context: Context, depth: int) -> Relation:
    """A base relation, or one production over others."""
    if depth <= 0:
        return table(context) if context.draw.chance(12) else stream(context, context.draw.pick(["s", "r"]))
    return context.draw.pick(PRODUCTIONS)(context, depth)


def rows_relation(context: Context, depth: int) -> Relation:
    """An append-only relation with event time: what windows, frames and joins of streams need."""
    found = any_relation(context, depth)
    return found if found.time is not None and not found.changes else stream(context, context.draw.pick(["s", "r"]))


def _simple(context: Context, depth: int) -> Relation:
    return project(context, any_relation(context, depth - 1))


def project(context: Context, source: Relation) -> Relation:
    """SELECT expressions FROM … WHERE …"""
    draw = context.draw
    kept = [c for c in source.columns if c in (source.time, source.unique) or (source.apart and c in source.apart)]
    rest = [c for c in source.columns if c not in kept]
    kept += draw.some(rest, 1, len(rest)) if rest else []
    columns = {c: source.columns[c] for c in source.columns if c in kept}
    usable = {c: k for c, k in source.columns.items() if k != "other"}
    extra = []
    for _ in range(draw.below(3)):
        kind = draw.pick(sorted(set(usable.values())) or [INT])
        name = context.name("e")
        extra.append(f"{expression(draw, usable, kind)} AS {name}")
        columns[name] = kind
    items = ", ".join([*(c for c in columns if c in source.columns), *extra])
    where = f" WHERE {condition(draw, usable)}" if draw.chance(50) else ""
    return replace(
        source,
        sql=f"SELECT {items} FROM {context.source(source)}{where}",
        oracle=f"SELECT {items}{hidden(source)} FROM ({source.oracle}){where}",
        columns=columns,
        named=False,
    ).tagged("filter and project")


def group(context: Context, depth: int) -> Relation:
    """GROUP BY without a window."""
    source, draw = any_relation(context, depth - 1), context.draw
    usable = {c: k for c, k in source.columns.items() if k != "other"}
    keys = draw.some([c for c in usable if c not in (source.unique, source.time)] or list(usable), 1, 2)
    made = [(*aggregate(draw, usable, source.unique), context.name("a")) for _ in range(1 + draw.below(3))]
    items = ", ".join([*keys, *(f"{call} AS {name}" for call, _, name in made)])
    tail = " GROUP BY " + ", ".join(keys)
    if draw.chance(25):
        tail += f" HAVING COUNT(*) {draw.pick(['>', '<='])} {draw.pick(['1', '2'])}"
    timely = source.time in keys
    return Relation(
        f"SELECT {items} FROM {context.source(source)}{tail}",
        f"SELECT {items} FROM ({source.oracle}){tail}",
        {**{k: usable[k] for k in keys}, **{name: kind for _, kind, name in made}},
        # by event time a group ends with it: its row comes then, and never changes
        changes=not timely,
        prefix=source.prefix and not timely,
        tags=source.tags,
    ).tagged("GROUP BY without a window")


def total(context: Context, depth: int) -> Relation:
    """Aggregates over everything: one row."""
    source, draw = any_relation(context, depth - 1), context.draw
    usable = {c: k for c, k in source.columns.items() if k != "other"}
    made = [(*aggregate(draw, usable, source.unique), context.name("a")) for _ in range(1 + draw.below(2))]
    items = ", ".join(f"{call} AS {name}" for call, _, name in made)
    return Relation(
        f"SELECT {items} FROM {context.source(source)}",
        f"SELECT {items} FROM ({source.oracle})",
        {name: kind for _, kind, name in made},
        changes=True,
        prefix=source.prefix,
        tags=source.tags,
    ).tagged("aggregate over everything")


def top_n(context: Context, depth: int) -> Relation:
    """The first rows of each partition in an order."""
    source, draw = any_relation(context, depth - 1), context.draw
    if source.unique is None:
        source = stream(context, "s")
    assert source.unique is not None
    usable = {c: k for c, k in source.columns.items() if k != "other"}
    by = draw.pick([c for c in usable if c not in (source.unique, source.time)] or list(usable))
    on = draw.pick([c for c, k in usable.items() if k in (INT, TIME, TEXT) and c != by] or list(usable))
    way = draw.pick(["DESC", "ASC"])
    order = f"{on} {way} NULLS {draw.pick(['LAST', 'FIRST'])}, {source.unique}"
    rank = draw.pick(["ROW_NUMBER", "RANK", "DENSE_RANK"])
    if rank != "ROW_NUMBER":
        order = order.rsplit(",", 1)[0]
    partition = "" if draw.chance(15) else f"PARTITION BY {by} "
    tail = f" QUALIFY {rank}() OVER ({partition}ORDER BY {order}) <= {draw.pick(['1', '2', '3'])}"
    items = ", ".join(source.columns)
    timely = (on, way) == (source.time, "ASC")
    return Relation(
        f"SELECT {items} FROM {context.source(source)}{tail}",
        f"SELECT {items} FROM ({source.oracle}){tail}",
        source.columns,
        unique=source.unique,
        # the first ones by event time are rows that time has passed, not changes of what was said
        changes=not timely,
        prefix=source.prefix and not timely,
        tags=source.tags,
    ).tagged("Top-N")


def dedup(context: Context, depth: int) -> Relation:
    """First or last row per key in the order of time."""
    source, draw = rows_relation(context, depth - 1), context.draw
    if source.apart is not None:
        source = stream(context, "s")
    usable = [c for c, k in source.columns.items() if k != "other" and c not in (source.unique, source.time)]
    keys = ", ".join(draw.some(usable or list(source.columns), 1, 2))
    last = draw.chance(50)
    items = ", ".join(source.columns)
    columns = [f"{c} DESC" for c in source.order] if last else list(source.order)
    asked = f"{source.time} DESC" if last else source.time
    call = "ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {}) = 1"
    return replace(
        source,
        sql=f"SELECT {items} FROM {context.source(source)} QUALIFY {call.format(keys, asked)}",
        oracle=f"SELECT {items}{hidden(source)} FROM ({source.oracle}) QUALIFY {call.format(keys, ', '.join(columns))}",
        named=False,
        changes=last,
        time=None if last else source.time,
        order=() if last else source.order,
        prefix=last and source.prefix,
    ).tagged("last row per key" if last else "first row per key")


def distinct(context: Context, depth: int) -> Relation:
    """SELECT DISTINCT."""
    source, draw = any_relation(context, depth - 1), context.draw
    columns = draw.some([c for c, k in source.columns.items() if k != "other"] or list(source.columns), 1, 3)
    items = ", ".join(columns)
    return Relation(
        f"SELECT DISTINCT {items} FROM {context.source(source)}",
        f"SELECT DISTINCT {items} FROM ({source.oracle})",
        {c: source.columns[c] for c in columns},
        changes=source.time not in columns,
        prefix=source.prefix and source.time not in columns,
        tags=source.tags,
    ).tagged("DISTINCT")


def set_operation(context: Context, depth: int) -> Relation:
    """UNION, EXCEPT, INTERSECT, with and without ALL."""
    draw = context.draw
    one, two = any_relation(context, depth - 1), any_relation(context, depth - 1)
    columns: dict[str, str] = {}
    items: tuple[list[str], list[str]] = ([], [])
    for kind in (INT, TEXT):
        left, right = of_type(one.columns, kind), of_type(two.columns, kind)
        if left and right and not (columns and draw.chance(40)):
            name = context.name("u")
            for side, names in zip(items, (left, right), strict=True):
                # one type on both sides: INTEGER and BIGINT would meet as the wider one, in either engine
                cast = "BIGINT" if kind == INT else "VARCHAR"
                side.append(f"CAST({draw.pick(names)} AS {cast}) AS {name}")
            columns[name] = kind
    if not columns:
        return project(context, one)
    word = draw.pick(["UNION ALL", "UNION", "EXCEPT", "INTERSECT", "EXCEPT ALL", "INTERSECT ALL"])
    sql = f" {word} ".join(
        f"SELECT {', '.join(i)} FROM {context.source(r)}" for i, r in zip(items, (one, two), strict=True)
    )
    oracle = f" {word} ".join(
        f"SELECT {', '.join(i)} FROM ({r.oracle})" for i, r in zip(items, (one, two), strict=True)
    )
    return Relation(
        sql,
        oracle,
        columns,
        changes=word != "UNION ALL" or one.changes or two.changes,
        prefix=one.prefix and two.prefix,
        tags=(*one.tags, *two.tags),
    ).tagged(word)


def subquery(context: Context, depth: int) -> Relation:
    """WHERE with IN, EXISTS or a scalar subquery."""
    draw = context.draw
    one, two = any_relation(context, depth - 1), any_relation(context, depth - 1)
    kind = draw.pick([INT, TEXT])
    left, right = of_type(one.columns, kind), of_type(two.columns, kind)
    if not left or not right:
        return project(context, one)
    a, b = draw.pick(left), draw.pick(right)
    alias, inner = context.name("o"), context.name("i")
    shape = draw.below(4)
    word = draw.pick(["", "NOT "])
    tests = [
        f"{alias}.{a} IN (SELECT {inner}.{b} FROM {{}})",
        f"{word}EXISTS (SELECT 1 FROM {{}} WHERE {inner}.{b} = {alias}.{a})",
        f"{alias}.{a} {draw.pick(['>=', '<', '='])} (SELECT {draw.pick(['MAX', 'MIN'])}({inner}.{b}) FROM {{}})",
        f"{alias}.{a} {draw.pick(['NOT IN', 'IN'])} (SELECT {inner}.{b} FROM {{}} WHERE {inner}.{b} IS NOT NULL)",
    ]
    tags = ("IN subquery", "EXISTS", "scalar subquery", "NOT IN subquery")
    context.tables_first |= "table" in two.tags and not one.changes
    items = ", ".join(f"{alias}.{c}" for c in one.columns)
    return Relation(
        f"SELECT {items} FROM {context.source(one, alias)} WHERE {tests[shape].format(context.source(two, inner))}",
        f"SELECT {items} FROM ({one.oracle}) AS {alias} WHERE {tests[shape].format(f'({two.oracle}) AS {inner}')}",
        one.columns,
        unique=one.unique,
        changes=True,
        prefix=one.prefix and two.prefix,
        tags=(*one.tags, *two.tags),
    ).tagged(tags[shape])


def limited(context: Context, depth: int) -> Relation:
    """ORDER BY … LIMIT n."""
    source, draw = any_relation(context, depth - 1), context.draw
    if source.unique is None:
        source = stream(context, "s")
    usable = {c: k for c, k in source.columns.items() if k != "other"}
    order = f"{draw.pick(list(usable))} {draw.pick(['DESC', 'ASC'])} NULLS LAST, {source.unique}"
    tail = f" ORDER BY {order} LIMIT {1 + draw.below(4)}"
    items = ", ".join(source.columns)
    return Relation(
        f"SELECT {items} FROM {context.source(source)}{tail}",
        f"SELECT {items} FROM ({source.oracle}){tail}",
        source.columns,
        unique=source.unique,
        changes=True,
        prefix=source.prefix,
        tags=source.tags,
    ).tagged("LIMIT")


PRODUCTIONS: tuple[Production, ...] = (
    _simple,
    lambda context, depth: over(context, rows_relation(context, depth - 1)),
    lambda context, depth: windowed(context, rows_relation(context, depth - 1)),
    group,
    lambda context, depth: over(context, rows_relation(context, depth - 1)),
    lambda context, depth: windowed(context, rows_relation(context, depth - 1)),
    total,
    top_n,
    dedup,
    distinct,
    set_operation,
    lambda context, depth: interval_join(context, rows_relation(context, depth - 1), rows_relation(context, 0)),
    lambda context, depth: asof_join(context, rows_relation(context, depth - 1), rows_relation(context, 0)),
    lambda context, depth: regular_join(
        context, any_relation(context, depth - 1), group(context, 1) if context.draw.chance(60) else table(context)
    ),
    lambda context, depth: semi_join(context, rows_relation(context, depth - 1), rows_relation(context, 0)),
    lambda context, depth: table_join(context, rows_relation(context, depth - 1)),
    subquery,
    limited,
)
