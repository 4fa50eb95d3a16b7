"""All the aggregates of a GROUP BY as tallies: what every group comes to, without DuckDB.

DuckDB evaluates the expressions inside of them, says what types they have, and computes what is made of their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.core.vectors import integers_in, numbers_in, valid_in, vector
from velostream_nb.engine.arguments import Arguments
from velostream_nb.engine.arrays import number_type, values_of, whole
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.distinct import Distinct, Known, Members, tally_of_distinct
from velostream_nb.engine.duck import Duck, Feed, quote
from velostream_nb.engine.finals import Final, as_array
from velostream_nb.engine.frames import Mask, Numbers
from velostream_nb.engine.key_numbering import KeyNumbering, can_number
from velostream_nb.engine.tallies import Chosen, Tally
from velostream_nb.engine.tally_kinds import tally_for
from velostream_nb.sql import plan


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate: its parts, and its column's field in the output."""

    asked: plan.Tally
    result: pa.Field


class _Rows:
    """The rows of a batch as they are chosen by one FILTER and argument after the other.

    Args:
        rows: what `Arguments.over` gave.
        groups: the group of each.
        weights: as in `Chosen`.
    """

    def __init__(self, arguments: Arguments, rows: pa.Table, groups: Int64s, weights: Int64s | None) -> None:
        self._arguments = arguments
        self._rows = rows
        self._all = Chosen(groups, None, weights)
        self._values: dict[str, tuple[Numbers | pa.Array, Mask | None]] = {}
        self._masks: dict[tuple[str, str], Mask | None] = {}
        self._taken: dict[tuple[str, str, bool], Chosen] = {}
        self._pairs: dict[str, Int64s] = {}

    def chosen(self, asked: plan.Tally) -> Chosen:
        """The rows that an aggregate takes, with its argument where it is no count."""
        key = (asked.argument, asked.where, asked.kind == "count")
        if key not in self._taken:
            self._taken[key] = self._masked(asked)
        return self._taken[key]

    def _masked(self, asked: plan.Tally) -> Chosen:
        mask = self._mask(asked)
        numbers = None if asked.kind == "count" else self._argument(asked.argument)[0]
        groups, weights = self._all.groups, self._all.weights
        if mask is None:
            return Chosen(groups, numbers, weights)
        if isinstance(numbers, pa.Array):
            numbers = numbers.filter(vector(mask))
        elif numbers is not None:
            numbers = numbers[mask]
        return Chosen(groups[mask], numbers, None if weights is None else weights[mask])

    def _mask(self, asked: plan.Tally) -> Mask | None:
        """Which rows an aggregate takes; None: all of them."""
        key = (asked.argument, asked.where)
        if key not in self._masks:
            mask = self._arguments.holds(self._rows, asked.where) if asked.where else None
            known = self._argument(asked.argument)[1] if asked.argument else None
            self._masks[key] = known if mask is None else mask if known is None else mask & known
        return self._masks[key]

    def _argument(self, expression: str) -> tuple[Numbers | pa.Array, Mask | None]:
        """The values of an argument, and which of them are known; None: all."""
        if expression not in self._values:
            array = whole(self._arguments.column(self._rows, expression))
            if number_type(array.type) is None:
                known = valid_in(array) if array.null_count else None
                self._values[expression] = array, known
            else:
                values = values_of(array)
                self._values[expression] = values.numbers, values.valid
        return self._values[expression]

    def known(self, asked: plan.Tally, members: Members) -> Known:
        """The rows that an aggregate with DISTINCT takes."""
        if asked.argument not in self._pairs:
            column = self._arguments.column(self._rows, asked.argument)
            self._pairs[asked.argument] = members.number(self._all.groups, column)
        mask, pairs, weights = self._mask(asked), self._pairs[asked.argument], self._all.weights
        if mask is None:
            return Known(pairs, weights)
        return Known(pairs[mask], None if weights is None else weights[mask])


class Tallied:
    """The aggregates of groups that are numbered from 0 on.

    Args:
        arguments: computes what is inside of them.
        takes_back: rows may go again.
    """

    def __init__(self, aggregates: Sequence[Aggregate], arguments: Arguments, *, takes_back: bool) -> None:
        self._aggregates = tuple(aggregates)
        self._arguments = arguments
        self._takes_back = takes_back
        self._kinds = [tally_for(a.asked, arguments.types.get(a.asked.argument), a.result.type) for a in aggregates]
        self.clear()

    def clear(self) -> None:
        """Forget all groups."""
        distinct = [a.asked.argument for a in self._aggregates if a.asked.distinct]
        self._members = {e: Members(self._arguments.types[e]) for e in distinct}
        self._begin(0)

    def _begin(self, groups: int) -> None:
        self._tallies = [self._new(a.asked, k, groups) for a, k in zip(self._aggregates, self._kinds, strict=True)]
        self._groups = groups

    def _new(self, asked: plan.Tally, kind: Tally | None, groups: int) -> Tally | Distinct:
        assert kind is not None, f"{asked} is no tally"
        if not asked.distinct:
            return kind.begun(groups)
        return Distinct(self._members[asked.argument], kind.begun(groups), takes_back=self._takes_back)

    def scratch(self, groups: int) -> Tallied:
        """The same aggregates of other groups, to `join` some of these in."""
        found = object.__new__(type(self))
        found.__dict__ |= self.__dict__
        found._members = {argument: members.beside() for argument, members in self._members.items()}
        found._begin(groups)
        return found

    def grow(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups > self._groups:
            self._groups = groups
            for tally in self._tallies:
                tally.grow(groups)

    def add(self, groups: Int64s, rows: pa.Table, weights: Int64s | None = None) -> None:
        """Take in rows (as `Arguments.over` gave them), each in its group.

        Args:
            weights: how often each comes, or goes; None: once.
        """
        every = _Rows(self._arguments, rows, groups, weights)
        for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
            if isinstance(tally, Distinct):
                tally.add(every.known(aggregate.asked, tally.members))
            else:
                tally.add(every.chosen(aggregate.asked))

    def join(self, groups: Int64s, other: Tallied, places: Int64s) -> None:
        """Take in other groups (of whom this is a scratch), each into one of ours."""
        pairs = {e: m.joined(groups, other._members[e], places) for e, m in self._members.items()}
        for aggregate, tally, theirs in zip(self._aggregates, self._tallies, other._tallies, strict=True):
            if isinstance(tally, Distinct):
                assert isinstance(theirs, Distinct)
                tally.join(*pairs[aggregate.asked.argument], theirs)
            else:
                assert isinstance(theirs, Tally)
                tally.join(groups, theirs, places)

    def keep(self, groups: Int64s) -> None:
        """Forget all other groups; these are numbered anew, in this order."""
        self._groups = len(groups)
        pairs = {argument: members.keep(groups) for argument, members in self._members.items()}
        for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
            if isinstance(tally, Distinct):
                tally.keep(groups, pairs[aggregate.asked.argument])
            else:
                tally.keep(groups)

    def finals(self, groups: Int64s) -> list[Final]:
        """The values of the aggregates."""
        return [tally.final(groups) for tally in self._tallies]

    def arrays(self, finals: Sequence[Final]) -> list[pa.Array]:
        """Values as columns."""
        return [as_array(f, a.result.type) for f, a in zip(finals, self._aggregates, strict=True)]

    @property
    def types(self) -> list[pa.DataType]:
        """Of the columns."""
        return [a.result.type for a in self._aggregates]

    def describe(self) -> str:
        """What is kept of a group, for people."""
        return f"one aggregate state{' and the different values' if self._members else ''}"

    def members_of(self, groups: Mask) -> int:
        """How many different values are kept of some groups."""
        return sum(int(groups[m.groups(np.arange(len(m)))].sum()) for m in self._members.values())

    def nbytes(self, groups: int, members: int) -> int:
        """What so many groups and different values take."""
        numbered = max((m.nbytes // max(len(m), 1) for m in self._members.values()), default=0)
        return groups * sum(t.row_bytes for t in self._tallies) + members * (numbered + 8)

    # -- snapshots --------------------------------------------------------------------------------------------------

    def group_columns(self, groups: Int64s) -> dict[str, pa.Array]:
        """What is kept of groups, as columns."""
        return {
            f"{aggregate.result.name}.{name}": pa.array(part[groups], pa.string() if part.dtype.kind == "O" else None)
            for aggregate, tally in zip(self._aggregates, self._tallies, strict=True)
            for name, part in (tally.tally if isinstance(tally, Distinct) else tally).parts.items()
        }

    def member_tables(self, place: Int64s) -> dict[str, pa.Table]:
        """What is kept of pairs, a table an argument; `place`: what each group is called there, -1 for none."""
        found = {}
        for number, (argument, members) in enumerate(self._members.items()):
            every = np.arange(len(members))
            columns = {"group": vector(place[members.groups(every)]), "value": members.arguments(every)}
            for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
                if isinstance(tally, Distinct) and aggregate.asked.argument == argument:
                    tally.grow(self._groups)
                    columns[aggregate.result.name] = vector(tally.times_of(every))
            table = pa.table(columns)
            found[f"members{number}"] = table.filter(pc.greater_equal(table.column("group"), 0))
        return found

    def load(self, groups: pa.Table, members: Mapping[str, pa.Table]) -> None:
        """Take back what `group_columns` and `member_tables` gave; groups are numbered as their rows stand."""
        self.clear()
        self.grow(groups.num_rows)
        for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
            inner = tally.tally if isinstance(tally, Distinct) else tally
            inner.load({name: groups.column(f"{aggregate.result.name}.{name}") for name in inner.parts})
        for number, (argument, mine) in enumerate(self._members.items()):
            table = members[f"members{number}"]
            pairs = mine.number(integers_in(table.column("group")), table.column("value"))
            for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
                if isinstance(tally, Distinct) and aggregate.asked.argument == argument:
                    tally.load(pairs, numbers_in(table.column(aggregate.result.name)))


def compiled(
    duck: Duck,
    feed: Feed,
    keys: Sequence[tuple[str, str]],
    aggregates: Sequence[tuple[str, str]],
    asked: Sequence[plan.Tally],
    *,
    takes_back: bool = False,
) -> tuple[Arguments, KeyNumbering, Tallied] | None:
    """What computes a GROUP BY over a feed by tallies; None when some key or aggregate needs DuckDB itself.

    Args:
        keys, aggregates: (expression, name).
        asked: the aggregates in parts.
        takes_back: rows may go again.
    """
    if len(asked) != len(aggregates):
        return None
    inside = [tally.argument for tally in asked if tally.argument]
    where = [tally.where for tally in asked if tally.where]
    arguments = Arguments(duck, feed, [*(e for e, _ in keys), *inside], where)
    fields = [pa.field(name, arguments.types[e]) for e, name in keys]
    conditions = (arguments.types[e] for e in where)
    if not all(can_number(f.type) for f in fields) or not all(map(pa.types.is_boolean, conditions)):
        return None
    found = []
    if aggregates:
        calls = ", ".join(f"{call} AS {quote(name)}" for call, name in aggregates)
        found = list(duck.schema_of(f"SELECT {calls} FROM {feed.name} AS __in"))
    every = [Aggregate(tally, result) for tally, result in zip(asked, found, strict=True)]
    if not all(_can_tally(a, arguments, takes_back=takes_back) for a in every):
        return None
    return arguments, KeyNumbering(fields), Tallied(every, arguments, takes_back=takes_back)


def _can_tally(aggregate: Aggregate, arguments: Arguments, *, takes_back: bool) -> bool:
    asked, result = aggregate.asked, aggregate.result.type
    if asked.distinct:
        return tally_of_distinct(asked, arguments.types[asked.argument], result) is not None
    tally = tally_for(asked, arguments.types.get(asked.argument), result)
    return tally is not None and (tally.takes_back or not takes_back)
