"""Relations: a streaming query and DuckDB's batch query for the same answer, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.fuzz.draw import Draw
from tests.fuzz.expressions import BOOL, DEC, FLOAT, INT, TEXT, TIME

STREAM_COLUMNS = {"id": INT, "k": TEXT, "g": INT, "v": INT, "f": FLOAT, "d": DEC, "b": BOOL, "ts": TIME}
TABLE_COLUMNS = {"k": TEXT, "g": INT, "x": INT, "ts": TIME}


@dataclass(frozen=True)
class Relation:
    """Something to select from.

    Attributes:
        sql: the streaming text: a SELECT, or a name when `named`.
        oracle: a SELECT for DuckDB; beside the visible columns it gives `order`.
        columns: visible columns and their types ('other': not used further).
        time: the column that is event time; None: there is none to be relied on.
        order: hidden columns of the oracle that order append-only rows as the engine does: time, then positions.
        unique: a column that is different in every row, or None.
        apart: columns that rows of one time always differ in, where `order` has no positions; None: positions decide.
        changes: the answer is a changelog.
        prefix: the answer is the batch answer over every prefix of the input, not only at the end.
        tags: constructs that are in it.
    """

    sql: str
    oracle: str
    columns: Mapping[str, str]
    time: str | None = None
    order: tuple[str, ...] = ()
    unique: str | None = None
    apart: tuple[str, ...] | None = None
    changes: bool = False
    prefix: bool = False
    named: bool = False
    tags: tuple[str, ...] = ()

    def tagged(self, *tags: str) -> Relation:
        return replace(self, tags=tuple(dict.fromkeys((*self.tags, *tags))))


@dataclass
class Context:
    """What one query shares: names, CTEs, and how deep it may go."""

    draw: Draw
    ctes: list[str] = field(default_factory=list)
    count: int = 0
    topics: set[str] = field(default_factory=set)
    tables_first: bool = False
    live: tuple[Relation, bool] | None = None
    """The last aggregate of windows, and whether its rows have a batch answer over every prefix."""

    def name(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def source(self, relation: Relation, alias: str | None = None) -> str:
        """The relation as an item of FROM: its name, a CTE's, or a derived table."""
        if relation.named:
            return f"{relation.sql} AS {alias}" if alias else relation.sql
        if self.draw.chance(30):
            name = self.name("c")
            self.ctes.append(f"{name} AS ({relation.sql})")
            return f"{name} AS {alias}" if alias else name
        return f"({relation.sql}) AS {alias or self.name('q')}"


def stream(context: Context, name: str) -> Relation:
    """A topic of rows."""
    context.topics.add(name)
    oracle = f"SELECT * EXCLUDE (__pos), __pos AS __p0 FROM {name}"
    return Relation(name, oracle, STREAM_COLUMNS, "ts", ("__ts", "__p0"), "id", prefix=True, named=True)


def table(context: Context) -> Relation:
    """The table `t`: the newest row per key, without the deleted ones."""
    context.topics.add("t")
    newest = "SELECT * FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY k ORDER BY __pos DESC) = 1"
    oracle = f"SELECT k, g, x, ts FROM ({newest}) WHERE __op <> 'delete'"
    relation = Relation("t", oracle, TABLE_COLUMNS, changes=True, prefix=True, named=True)
    return relation.tagged("table")


def hidden(relation: Relation, alias: str = "") -> str:
    """The oracle's hidden columns as the tail of a SELECT list."""
    dot = f"{alias}." if alias else ""
    return "".join(f", {dot}{name} AS {name}" for name in relation.order)
