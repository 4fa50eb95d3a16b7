"""All the aggregates of a GROUP BY as tallies: what every group comes to, without DuckDB.

DuckDB evaluates the expressions inside of them, says what types they have, and computes what is made of their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.engine.arguments import Arguments
from velostream_nb.engine.arrays import number_type, values_of, whole
from velostream_nb.engine.delta import Int64s
from velostream_nb.engine.distinct import Distinct, Known, Members, tally_of_distinct
from velostream_nb.engine.duck import Duck, Feed, quote
from velostream_nb.engine.numbering import KeyNumbering, can_number
from velostream_nb.engine.tallies import Chosen, Final, Tally, as_array, tally_for
from velostream_nb.sql import plan

Columns = Mapping[str, pa.ChunkedArray]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate: its parts, and its column's field in the output."""

    asked: plan.Tally
    result: pa.Field


@dataclass
class _Rows:
    """The rows of a batch as they are chosen by one FILTER and argument after the other."""

    columns: Columns
    groups: Int64s
    weights: Int64s | None
    masks: dict[tuple[str, str], Mask | None] = field(default_factory=dict)
    pairs: dict[str, Int64s] = field(default_factory=dict)

    def mask(self, asked: plan.Tally) -> Mask | None:
        """Which rows an aggregate takes; None: all of them."""
        key = (asked.argument, asked.where)
        if key not in self.masks:
            mask = _is_true(whole(self.columns[asked.where])) if asked.where else None
            argument = self.columns[asked.argument] if asked.argument else None
            if argument is not None and argument.null_count:
                known = whole(argument).is_valid().to_numpy(zero_copy_only=False)
                mask = known if mask is None else mask & known
            self.masks[key] = None if mask is None or mask.all() else mask
        return self.masks[key]

    def chosen(self, asked: plan.Tally) -> Chosen:
        mask, numbers = self.mask(asked), None
        if asked.kind != "count":
            column = self.columns[asked.argument]
            numbers = whole(column) if number_type(column.type) is None else values_of(column).numbers
        if mask is None:
            return Chosen(self.groups, numbers, self.weights)
        picked = numbers.filter(pa.array(mask)) if isinstance(numbers, pa.Array) else numbers
        picked = picked[mask] if isinstance(picked, np.ndarray) else picked
        return Chosen(self.groups[mask], picked, None if self.weights is None else self.weights[mask])

    def known(self, asked: plan.Tally, members: Members) -> Known:
        if asked.argument not in self.pairs:
            self.pairs[asked.argument] = members.number(self.groups, self.columns[asked.argument])
        mask, pairs = self.mask(asked), self.pairs[asked.argument]
        if mask is None:
            return Known(pairs, self.weights)
        return Known(pairs[mask], None if self.weights is None else self.weights[mask])


def _is_true(condition: pa.Array) -> Mask:
    found: Mask = pc.fill_null(condition, fill_value=False).to_numpy(zero_copy_only=False)
    return found


class Tallied:
    """The aggregates of groups that are numbered from 0 on.

    Args:
        inputs: the Arrow types of arguments, by expression.
        takes_back: rows may go again.
    """

    def __init__(self, aggregates: Sequence[Aggregate], inputs: Mapping[str, pa.DataType], *, takes_back: bool) -> None:
        self._aggregates = tuple(aggregates)
        self._inputs = inputs
        self._takes_back = takes_back
        self._kinds = [tally_for(a.asked, inputs.get(a.asked.argument), a.result.type) for a in aggregates]
        self.clear()

    def clear(self) -> None:
        """Forget all groups."""
        distinct = [a.asked.argument for a in self._aggregates if a.asked.distinct]
        self._members = {e: Members(self._inputs[e]) for e in distinct}
        self._tallies = [self._new(a.asked, k) for a, k in zip(self._aggregates, self._kinds, strict=True)]
        self._groups = 0

    def _new(self, asked: plan.Tally, kind: Tally | None) -> Tally | Distinct:
        assert kind is not None, f"{asked} is no tally"
        if not asked.distinct:
            return kind.empty()
        return Distinct(self._members[asked.argument], kind.empty(), takes_back=self._takes_back)

    def scratch(self, groups: int) -> Tallied:
        """The same aggregates of other groups, to `join` some of these in."""
        found = copy(self)
        found.clear()
        for argument, members in found._members.items():
            members.values = self._members[argument].values
        found.grow(groups)
        return found

    def grow(self, groups: int) -> None:
        """Make room for so many groups."""
        if groups > self._groups:
            self._groups = groups
            for tally in self._tallies:
                tally.grow(groups)

    def add(self, groups: Int64s, columns: Columns, weights: Int64s | None = None) -> None:
        """Take in rows, each in its group; `weights`: how often each comes, or goes."""
        rows = _Rows(columns, groups, weights)
        for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
            if isinstance(tally, Distinct):
                tally.add(rows.known(aggregate.asked, tally.members))
            else:
                tally.add(rows.chosen(aggregate.asked))

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
            columns = {"group": pa.array(place[members.groups(every)]), "value": members.arguments(every)}
            for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
                if isinstance(tally, Distinct) and aggregate.asked.argument == argument:
                    tally.grow(self._groups)
                    columns[aggregate.result.name] = pa.array(tally.times_of(every))
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
            pairs = mine.number(table.column("group").to_numpy(), table.column("value"))
            for aggregate, tally in zip(self._aggregates, self._tallies, strict=True):
                if isinstance(tally, Distinct) and aggregate.asked.argument == argument:
                    tally.load(pairs, table.column(aggregate.result.name).to_numpy())


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
    inside = [e for tally in asked for e in (tally.argument, tally.where) if e]
    arguments = Arguments(duck, feed, [*(e for e, _ in keys), *inside])
    fields = [pa.field(name, arguments.types[e]) for e, name in keys]
    conditions = [arguments.types[tally.where] for tally in asked if tally.where]
    if not all(can_number(f.type) for f in fields) or not all(map(pa.types.is_boolean, conditions)):
        return None
    found = []
    if aggregates:
        calls = ", ".join(f"{call} AS {quote(name)}" for call, name in aggregates)
        found = list(duck.schema_of(f"SELECT {calls} FROM {feed.name} AS __in"))
    every = [Aggregate(tally, result) for tally, result in zip(asked, found, strict=True)]
    if not all(_can_tally(a, arguments, takes_back=takes_back) for a in every):
        return None
    return arguments, KeyNumbering(fields), Tallied(every, arguments.types, takes_back=takes_back)


def _can_tally(aggregate: Aggregate, arguments: Arguments, *, takes_back: bool) -> bool:
    asked, result = aggregate.asked, aggregate.result.type
    if asked.distinct:
        return tally_of_distinct(asked, arguments.types[asked.argument], result) is not None
    tally = tally_for(asked, arguments.types.get(asked.argument), result)
    return tally is not None and (tally.takes_back or not takes_back)
