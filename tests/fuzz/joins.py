"""Joins: streams within a bound, as of, with a table, and of changelogs."""

from __future__ import annotations

from dataclasses import replace

from tests.fuzz.draw import Draw
from tests.fuzz.expressions import INT, TEXT, of_type
from tests.fuzz.relations import Context, Relation, hidden, table


def _pair(draw: Draw, left: Relation, right: Relation) -> tuple[str, str] | None:
    """Columns of one type to be equal, one of each side."""
    for kind in (TEXT, INT) if draw.chance(70) else (INT, TEXT):
        a = [c for c in of_type(left.columns, kind) if c != left.unique]
        b = [c for c in of_type(right.columns, kind) if c != right.unique]
        if a and b:
            return draw.pick(a), draw.pick(b)
    return None


def _both(
    draw: Draw, left: Relation, right: Relation, *, keep: tuple[str | None, ...] = ()
) -> tuple[str, dict[str, str]]:
    """Columns of both sides as a SELECT list, under names of their own; `keep`: left columns that must be there."""
    items, columns = [], {}
    for alias, side in (("l", left), ("r", right)):
        chosen = draw.some(list(side.columns), 1, 4)
        if alias == "l":
            chosen += [c for c in keep if c is not None and c not in chosen]
        for column in chosen:
            items.append(f"{alias}.{column} AS {alias}_{column}")
            columns[f"{alias}_{column}"] = side.columns[column]
    return ", ".join(items), columns


def _joined(
    context: Context, left: Relation, right: Relation, items: str, word: str, on: str, extra: str = ""
) -> tuple[str, str]:
    sql = f"SELECT {items} FROM {context.source(left, 'l')} {word} {context.source(right, 'r')} ON {on}"
    return sql, f"SELECT {items}{extra} FROM ({left.oracle}) AS l {word} ({right.oracle}) AS r ON {on}"


def interval_join(context: Context, left: Relation, right: Relation) -> Relation:
    """Two streams whose times are near."""
    draw = context.draw
    items, columns = _both(draw, left, right)
    pair = _pair(draw, left, right)
    lt, rt = f"l.{left.time}", f"r.{right.time}"
    near = draw.pick(
        [
            f"{rt} BETWEEN {lt} - INTERVAL 2 SECOND AND {lt}",
            f"{rt} BETWEEN {lt} - INTERVAL 1 SECOND AND {lt} + INTERVAL 1 SECOND",
            f"{lt} >= {rt} AND {lt} < {rt} + INTERVAL 3 SECOND",
            f"abs(epoch_ms({lt}) - epoch_ms({rt})) <= 1000",
            f"{rt} > {lt} + INTERVAL 1 SECOND AND {rt} <= {lt} + INTERVAL 4 SECOND",
        ]
    )
    on = (f"l.{pair[0]} = r.{pair[1]} AND " if pair else "") + near
    if draw.chance(20) and "g" in left.columns and "g" in right.columns:
        on += " AND l.g <= r.g"
    word = draw.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
    sql, oracle = _joined(context, left, right, items, word, on)
    return Relation(sql, oracle, columns, tags=(*left.tags, *right.tags)).tagged(f"interval {word.lower()}")


def semi_join(context: Context, left: Relation, right: Relation) -> Relation:
    """Rows of a stream that have, or lack, a partner near in time."""
    draw = context.draw
    pair = _pair(draw, left, right)
    on = f"r.{right.time} BETWEEN l.{left.time} - INTERVAL 1 SECOND AND l.{left.time} + INTERVAL 2 SECOND"
    on = (f"l.{pair[0]} = r.{pair[1]} AND " if pair else "") + on
    chosen = draw.some(list(left.columns), 1, 4)
    items = ", ".join(f"l.{c} AS l_{c}" for c in chosen)
    word = draw.pick(["SEMI JOIN", "ANTI JOIN"])
    sql, oracle = _joined(context, left, right, items, word, on)
    columns = {f"l_{c}": left.columns[c] for c in chosen}
    return Relation(sql, oracle, columns, tags=(*left.tags, *right.tags)).tagged(f"interval {word.lower()}")


def asof_join(context: Context, left: Relation, right: Relation) -> Relation:
    """Each row with the newest of the other stream before it; of those of one time the last one."""
    draw = context.draw
    pair = _pair(draw, left, right)
    if pair is None or right.apart is not None:
        return interval_join(context, left, right)
    items, columns = _both(draw, left, right, keep=(left.time, left.unique, *(left.apart or ())))
    sign = draw.pick([">=", ">"])
    on = f"l.{pair[0]} = r.{pair[1]} AND l.{left.time} {sign} r.{right.time}"
    word = draw.pick(["ASOF JOIN", "ASOF LEFT JOIN"])
    sql, _ = _joined(context, left, right, items, word, on)
    last = ", ".join(f"{c} DESC" for c in right.order)
    newest = (
        f"SELECT * FROM ({right.oracle}) "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {pair[1]}, {right.time} ORDER BY {last}) = 1"
    )
    oracle = f"SELECT {items}{hidden(left, 'l')} FROM ({left.oracle}) AS l {word} ({newest}) AS r ON {on}"
    return replace(
        left,
        sql=sql,
        oracle=oracle,
        columns=columns,
        time=f"l_{left.time}",
        unique=f"l_{left.unique}" if left.unique else None,
        apart=None if left.apart is None else tuple(f"l_{c}" for c in left.apart),
        prefix=False,
        named=False,
        tags=(*left.tags, *right.tags),
    ).tagged(word)


def table_join(context: Context, left: Relation) -> Relation:
    """A stream's rows with the row of the table that stands."""
    draw, right = context.draw, table(context)
    pair = _pair(draw, left, replace(right, columns={"k": TEXT}))
    if pair is None:
        pair = (draw.pick(of_type(left.columns, INT)), "x") if of_type(left.columns, INT) else None
    if pair is None:
        return left
    context.tables_first = True
    items, columns = _both(draw, left, right, keep=(left.time, left.unique, *(left.apart or ())))
    word = draw.pick(["JOIN", "LEFT JOIN"])
    on = f"l.{pair[0]} = r.{pair[1]}"
    sql, oracle = _joined(context, left, right, items, word, on, hidden(left, "l"))
    several = pair[1] != "k"
    return replace(
        left,
        sql=sql,
        oracle=oracle,
        columns=columns,
        # several rows of the table may meet one row; nothing tells their order then
        time=None if several else f"l_{left.time}",
        order=() if several else left.order,
        unique=f"l_{left.unique}" if left.unique and not several else None,
        apart=None if left.apart is None or several else tuple(f"l_{c}" for c in left.apart),
        named=False,
        tags=(*left.tags, *right.tags),
    ).tagged(f"table {word.lower()}")


def regular_join(context: Context, left: Relation, right: Relation) -> Relation:
    """Two answers that change."""
    draw = context.draw
    if "table" in right.tags and not left.changes:
        if left.time is not None and right.named:
            return table_join(context, left)
        context.tables_first = True
    pair = _pair(draw, left, right)
    if pair is None:
        return left if not left.named else replace(left, sql=f"SELECT * FROM {left.sql}", named=False)
    items, columns = _both(draw, left, right)
    word = draw.pick(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
    sql, oracle = _joined(context, left, right, items, word, f"l.{pair[0]} = r.{pair[1]}")
    return Relation(
        sql,
        oracle,
        columns,
        changes=True,
        prefix=left.prefix and right.prefix,
        tags=(*left.tags, *right.tags),
    ).tagged(f"regular {word.lower()}")
