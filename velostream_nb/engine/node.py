"""The contract of a running operator.

**Fusing.** A `plan.Project` above an operator costs a statement of its own per tick, and a copy of all its rows. An
operator whose output comes out of a SELECT takes such Projects into it: it sets `fuses`, writes its statements through
`Operator.projected`, takes the hidden columns of `Operator.output` for those of its rows, and lets `schema` be that of
the wrapped statement. `JobEngine` then gives it the Projects that nobody else reads (`then`), and there is no operator
for them; everything else (EXPLAIN, the fingerprint, what can be altered) goes by the plan, which stays as it is.
An operator that keeps rows must not let go of one because a Project above cannot compute it: `projection.Projection`
runs the Projects over rows that are computed already, and sets aside those alone.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, WEIGHT
from velostream_nb.engine.delta import Account, Delta
from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.sql.plan import Node, Project


@dataclass(frozen=True, slots=True)
class OperatorStats:
    """One look at an operator: what it is, what it holds, what went through it since the start."""

    name: str
    detail: str
    state_rows: int
    state_bytes: int
    rows_in: int
    rows_out: int
    busy_us: int


KEEPS = ("; keeps ", "; hold ")
"""What stands in `Operator.describe` between what an operator does and what it keeps."""


class Operator(ABC):
    """A plan node with its state.

    `step` either takes the whole tick and returns its output, or raises `EvaluationError` and leaves the state as it
    was, so that the caller can find the rows at fault by trying again with fewer.

    Attributes:
        fuses: the operator's class takes Projects into its statement.
        then: the Projects it has taken, in the order of the data; () for most.
        schema: Arrow schema of `Delta.rows`: the columns of `output`, then its hidden ones (`hidden_of`).
        seen_us: the watermark of each input after the last tick.
    """

    name = "operator"
    fuses: ClassVar[bool] = False
    then: tuple[Project, ...] = ()
    schema: pa.Schema

    def __init__(self, node: Node, duck: Duck, account: Account) -> None:
        self.node = node
        self.duck = duck
        self.account = account
        self.seen_us = [WATERMARK_MIN_US for _ in node.inputs]

    @classmethod
    def for_node(cls, node: Node, duck: Duck, upstream: Sequence[Operator]) -> type[Operator]:  # noqa: ARG003
        """The class that runs the node: this one, or another that is quicker where that can."""
        return cls

    @property
    def output(self) -> Node:
        """The node whose rows it gives: the last Project it has taken, or its own."""
        return self.then[-1] if self.then else self.node

    def projected(self, sql: str, extra: str = "") -> str:
        """A SELECT of the node's rows, hidden columns among them, with the Projects it has taken around it.

        Args:
            extra: further hidden columns of the SELECT that come out as they are, such as ``', __row'``.
        """
        for project in self.then:
            sql = project_sql(project, f"({sql})", extra)
        return sql

    @abstractmethod
    def step(self, inputs: list[Delta]) -> Delta:
        """Take one tick's input, one delta an upstream; give the output."""

    def describe(self) -> str:
        """What it does and what it keeps, for EXPLAIN."""
        return self.name

    def tables(self) -> dict[str, pa.Table]:
        """State kept in Arrow, by name; empty for a stateless operator."""
        return {}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:  # noqa: B027  a stateless operator has none
        """Take back what `tables` gave."""

    def native(self) -> dict[str, str]:
        """State kept in DuckDB: name to table name."""
        return {}

    def state_size(self) -> tuple[int, int]:
        """(rows, bytes) held."""
        tables = self.tables().values()
        return sum(t.num_rows for t in tables), sum(t.nbytes for t in tables)


def shown(sql: str) -> str:
    """SQL of a plan as people should read it: plain names unquoted, hidden columns by their meaning."""
    sql = re.sub(r'"(\w+(?:\.\w+)?)"', r"\1", sql)
    sql = re.sub(rf"\bORDER BY {TS}(, __pos\d*)*", "ORDER BY event time", sql)
    sql = re.sub(r"\bVELO_WALL\(\)", "wall_clock()", sql)
    sql = re.sub(rf"\bMAKE_TIMESTAMP\({TS}\)", "timestamp()", sql, flags=re.IGNORECASE)
    return re.sub(rf"__l\.{TS} - __r\.{TS} BETWEEN (-?\d+) AND (-?\d+)", r"times differ by \1 to \2 µs", sql)


def items_shown(items: tuple[tuple[str, str], ...]) -> str:
    """The items of a SELECT for people: columns that keep their name stand alone."""
    return ", ".join(n if e == quote(n) else f"{shown(e)} AS {n}" for e, n in items)


def hidden_of(node: Node) -> tuple[str, ...]:
    """The hidden columns that a node's rows carry."""
    return (WEIGHT,) if node.changes else (TS, *node.pos)


def items_sql(items: tuple[tuple[str, str], ...]) -> str:
    """``expression AS name, …``."""
    return ", ".join(e if e == quote(n) else f"{e} AS {quote(n)}" for e, n in items)


def project_sql(node: Project, relation: str, extra: str = "") -> str:
    """The SELECT of a Project over a relation that has its input's columns; `extra` as in `Operator.projected`."""
    where = f" WHERE {node.where}" if node.where else ""
    if node.changes:
        return f"SELECT {items_sql(node.items)}, {WEIGHT}{extra} FROM {relation} AS __in {node.joined}{where}"
    time = f"epoch_us({quote(node.retime)}) AS {TS}" if node.retime else TS
    positions = quoted(node.inputs[0].pos) + (f", {node.row} AS {quote(node.pos[-1])}" if node.row else "")
    hidden = f"{time}, {positions}{extra}"
    return f"SELECT {items_sql(node.items)}, {hidden} FROM {relation} AS __in {node.joined}{where}"


def project_shown(node: Project) -> str:
    """A Project for people."""
    where = f" where {shown(node.where)}" if node.where else ""
    joined = f" {shown(node.joined)}" if node.joined else ""
    return f"select {items_shown(node.items)}{joined}{where}"


def described(operator: Operator) -> str:
    """What an operator does with the Projects it has taken, and what it keeps."""
    own = operator.describe()
    if not operator.then:
        return own
    marks = [own.find(mark) for mark in KEEPS if mark in own]
    end = min(marks, default=len(own))
    steps = "".join(f", then {project_shown(project)}" for project in operator.then)
    return f"{own[:end]}{steps}{own[end:]}"


def taken_by(consumers: Sequence[Node]) -> Project | None:
    """The Project that an operator can take, given who reads its node: the only reader, and a plain SELECT."""
    if len(consumers) != 1:
        return None
    reader = consumers[0]
    if not isinstance(reader, Project) or reader.joined or reader.retime is not None or reader.row is not None:
        return None
    return reader
