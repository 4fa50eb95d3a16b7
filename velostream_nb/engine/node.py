"""The contract of a running operator."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import pyarrow as pa

from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import TS, WEIGHT
from velostream_nb.engine.delta import Account, Delta
from velostream_nb.engine.duck import Duck, quote
from velostream_nb.sql.plan import Node


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


class Operator(ABC):
    """A plan node with its state.

    `step` either takes the whole tick and returns its output, or raises `EvaluationError` and leaves the state as it
    was, so that the caller can find the rows at fault by trying again with fewer.

    Attributes:
        schema: Arrow schema of `Delta.rows`: the node's columns, then its hidden ones (`hidden_of`).
        seen_us: the watermark of each input after the last tick.
    """

    name = "operator"
    schema: pa.Schema

    def __init__(self, node: Node, duck: Duck, account: Account) -> None:
        self.node = node
        self.duck = duck
        self.account = account
        self.seen_us = [WATERMARK_MIN_US for _ in node.inputs]

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
