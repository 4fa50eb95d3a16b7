"""Window functions over frames."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.fuzz.draw import Draw
from tests.fuzz.expressions import BOOL, DEC, FLOAT, INT, TEXT, expression
from tests.fuzz.relations import Context, Relation, hidden

_ROWS = (
    "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
    "ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN 20 PRECEDING AND 1 PRECEDING",
    "ROWS BETWEEN 2 PRECEDING AND 5 PRECEDING",
    "ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING",
    "ROWS UNBOUNDED PRECEDING",
    "ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING",
    "ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING",
    "ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW",
    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
)
_PEERS = (
    "RANGE BETWEEN INTERVAL 2 SECOND PRECEDING AND CURRENT ROW",
    "",
    "RANGE BETWEEN INTERVAL 5 SECOND PRECEDING AND INTERVAL 1 SECOND PRECEDING",
    "RANGE BETWEEN INTERVAL 1 SECOND PRECEDING AND INTERVAL 1 SECOND FOLLOWING",
    "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    "RANGE BETWEEN INTERVAL 2 SECOND PRECEDING AND CURRENT ROW EXCLUDE TIES",
    "RANGE BETWEEN INTERVAL 2 SECOND PRECEDING AND CURRENT ROW EXCLUDE GROUP",
)


@dataclass(frozen=True)
class _Call:
    """A call with its window; `order` and `frame` are the streaming ones, `exact` orders rows of one time too."""

    text: str
    kind: str
    frame: str
    exact: bool
    ordered: bool = True

    def sql(self, partition: str, order: str) -> str:
        if not self.ordered:
            return f"{self.text} OVER ({partition})"
        return f"{self.text} OVER ({f'{partition} ORDER BY {order} {self.frame}'.strip()})"

    def oracle(self, partition: str, relation: Relation) -> str:
        order = ", ".join(relation.order if self.exact else relation.order[:1])
        if not self.ordered:
            return f"{self.text} OVER ({partition} ORDER BY {', '.join(relation.order)} ROWS UNBOUNDED PRECEDING)"
        # a RANGE over time needs the time itself
        order = str(relation.time) if "INTERVAL" in self.frame else order
        return f"{self.text} OVER ({f'{partition} ORDER BY {order} {self.frame}'.strip()})"


def _call(draw: Draw, relation: Relation) -> _Call:
    usable = {c: k for c, k in relation.columns.items() if k != "other"}
    kind = draw.pick([INT, FLOAT, TEXT, BOOL])
    kind = kind if kind in usable.values() else INT
    number, value = expression(draw, usable, INT, 1), expression(draw, usable, kind, 0)
    real, money = expression(draw, usable, FLOAT, 0), expression(draw, usable, DEC, 0)
    shape = draw.below(13)
    if shape == 0:
        return _Call(f"LAG({value})", kind, "", True)
    if shape == 1:
        default = {INT: "-9", FLOAT: "0.5", TEXT: "'none'", BOOL: "false"}[kind]
        return _Call(f"LAG({value}, {draw.pick(['1', '2', '3', '0', '-1'])}, {default})", kind, "", True)
    if shape == 2:
        return _Call(f"LEAD({value}{draw.pick(['', ', 2'])})", kind, "", True)
    if shape == 3:
        return _Call("ROW_NUMBER()", INT, "", True)
    if shape == 4:
        return _Call(draw.pick(["RANK()", "DENSE_RANK()"]), INT, "", False)
    if shape in (5, 6):
        word = draw.pick(["FIRST_VALUE({})", "LAST_VALUE({})", "NTH_VALUE({}, 2)", "LAST_VALUE({} IGNORE NULLS)"])
        return _Call(word.format(value), kind, draw.pick(_ROWS), True)
    if shape == 12 and relation.unique is not None:
        return _Call(
            f"ARG_MAX({value}, {relation.unique})", kind, *draw.pick([("ROWS UNBOUNDED PRECEDING", True), ("", False)])
        )
    calls = [
        (f"SUM({number})", INT),
        ("COUNT(*)", INT),
        (f"COUNT({value})", INT),
        (f"AVG({number})", FLOAT),
        (f"MAX({value})", kind),
        (f"MIN({value})", kind),
        (f"SUM({number}) FILTER (WHERE {number} > 0)", INT),
        # sums of quarters are exact in any order
        (f"SUM({real})", FLOAT),
        (f"AVG({real})", FLOAT),
        (f"SUM({money})", "other"),
        (f"AVG({money})", FLOAT),
    ]
    text, gives = draw.pick(calls)
    if shape == 7:
        return _Call(text, gives, "", True, ordered=False)
    exact = draw.chance(50)
    return _Call(text, gives, draw.pick(_ROWS if exact else _PEERS), exact)


def over(context: Context, source: Relation) -> Relation:
    """SELECT columns, calls OVER (…) FROM … [QUALIFY …]"""
    draw = context.draw
    usable = [c for c, k in source.columns.items() if k != "other" and c not in (source.unique, source.time)]
    columns, items, oracle, made = dict(source.columns), [], [], []
    for _ in range(1 + draw.below(2)):
        call = _call(draw, source)
        keys = list(source.apart) if source.apart is not None else draw.some(usable, 0, 2) if usable else []
        partition = f"PARTITION BY {', '.join(keys)}" if keys else ""
        name = context.name("w")
        assert source.time is not None
        items.append(f"{call.sql(partition, source.time)} AS {name}")
        oracle.append(f"{call.oracle(partition, source)} AS {name}")
        columns[name] = call.kind
        made.append(name)
    before = ", ".join(source.columns)
    where = ""
    if draw.chance(25):
        where = f" QUALIFY {draw.pick(made)} IS {draw.pick(['NOT ', ''])}NULL"
    return replace(
        source,
        sql=f"SELECT {before}, {', '.join(items)} FROM {context.source(source)}{where}",
        oracle=f"SELECT {before}, {', '.join(oracle)}{hidden(source)} FROM ({source.oracle}){where}",
        columns=columns,
        named=False,
        prefix=False,
    ).tagged("OVER")
