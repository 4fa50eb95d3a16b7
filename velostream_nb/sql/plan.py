"""Plans: a query as a graph of streaming operators. Data only; `planner.py` makes them, `engine/` runs them.

Columns inside a plan have unique *internal* names: a column of a single input keeps its own name, a column of a join is
``alias.column``. All SQL in a plan is DuckDB's, refers to internal names, and reads one relation called ``__in``.
Beside the columns a relation lists, its rows carry `TS` (event time, µs) and the position columns in `Node.pos`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass

import pyarrow as pa

from velostream_nb.core.schema import StreamSchema

US = 1_000_000


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A stream or table the catalog knows: its topic, schema and WITH options (lower-case keys).

    Attributes:
        table: declared with CREATE TABLE, or a topic that is an upsert changelog: read as the latest row per key.
        rows: the rows of a reference table (CREATE TABLE … FROM 'file'); it has no topic (`topic` is its name).
    """

    name: str
    topic: str
    schema: StreamSchema
    options: Mapping[str, str] = field(default_factory=dict)
    table: bool = False
    rows: pa.Table | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator.

    Attributes:
        columns: internal names of the visible columns, in order.
        pos: hidden position columns that break ties in event time.
        time: internal names of the columns that equal event time, each with its lag: every row still to come has
            ``column >= watermark - lag_us``. Lag 0 means the column is `TS` itself.
        changes: its rows are a changelog: they carry `WEIGHT` and neither event time nor position (`pos` is (), `time`
            is empty). Otherwise it is append-only, and a row once given is never taken back.
        key: of a changelog: columns that no two of its rows share at any moment; () when it has one row at most, None
            when no such columns are known.
    """

    inputs: tuple[Node, ...]
    columns: tuple[str, ...]
    pos: tuple[str, ...]
    time: Mapping[str, int]
    changes: bool = field(default=False, kw_only=True)
    key: tuple[str, ...] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Source(Node):
    """Reads a topic; `columns` are those the query needs.

    Attributes:
        op: a changelog's records as they are: its rows carry `OP` beside the positions.
    """

    stream: StreamInfo
    delay_us: int
    idle_us: int
    op: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Project(Node):
    """Stateless: ``SELECT items FROM __in [relations] [WHERE where]``.

    Attributes:
        items: (expression, output name) pairs.
        joined: SQL that follows ``FROM __in``: joins with constant relations, or ''.
        retime: internal name of the input column that becomes event time from here on, or None.
        row: what tells apart the rows that one input row becomes (several constants match it): the value of the last
            position column, which the input does not have. None when an input row gives one row at most.
        spans: computed columns that follow event time: the least and the most of event time minus the column (µs).
    """

    items: tuple[tuple[str, str], ...]
    where: str | None = None
    joined: str = ""
    retime: str | None = None
    row: str | None = None
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Order(Node):
    """Holds rows until the watermark has passed them, then emits them by (event time, position).

    Attributes:
        strict: rows at the watermark itself wait too, because a frame counts its peers (RANGE, GROUPS, tie breakers).
        unit_us: rows in one unit of event time are peers; a strict order holds them until their unit has passed.
    """

    strict: bool
    unit_us: int = 1


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A window function whose frame starts at the first row of its partition: ``call`` makes the column ``name``.

    Attributes:
        call: DuckDB's function, as it is shown.
        kind: how its value is carried from tick to tick: 'count', 'sum', 'min', 'max', 'avg', 'row_number', 'rank' or
            'dense_rank' as a value, 'state' as an aggregate state of DuckDB's.
        order: SQL of the order, event time first; with the positions last, unless `peers`.
        peers: rows that are equal in `order` share one value (RANGE); otherwise each has its own (ROWS).
        argument: what it aggregates; '' when that is rows.
        where: its FILTER, or ''.
        column: the column that is `argument` where `where` is true, and NULL elsewhere; None when there is none.
    """

    name: str
    call: str
    kind: str
    order: tuple[str, ...]
    peers: bool
    argument: str = ""
    where: str = ""
    column: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Running(Node):
    """OVER with an unbounded frame, one partitioning: adds one column a call. Needs ordered input.

    The calls of a `Running` itself are all of kind 'state'.

    Attributes:
        strict: some call needs all rows of a unit of event time (`unit_us`) at once.
        ends: column of the partition that says when it is over: no row with ``TS >= ends`` is in it. None: never.
    """

    partition: tuple[str, ...]
    calls: tuple[RunningCall, ...]
    strict: bool
    unit_us: int = 1
    ends: str | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Carried(Running):
    """The same for calls whose value is all that must be remembered; none is of kind 'state'."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a window function looks from the row at hand, within its partition.

    Attributes:
        kind: what `before` and `after` count: 'rows'; 'groups' of rows of one unit of event time; 'time', those units.
        before: so far back.
        after: so far ahead; negative when the frame ends before the row (for 'time' only).
        loose: rows of one unit of event time have an order of their own, so it takes all of them to answer for one.
        unit_us: the unit of event time.
        counted: boolean column: the rows that `first`, `beyond` and `ahead` count; None: all.
        first: so many rows from the start of the partition on.
        beyond: so many rows further back than `before`.
        ahead: so many rows ahead.
        ends: as in `Running`.
    """

    partition: tuple[str, ...]
    kind: str = "rows"
    before: int = 0
    after: int = 0
    loose: bool = False
    unit_us: int = 1
    counted: str | None = None
    first: int = 0
    beyond: int = 0
    ahead: int = 0
    ends: str | None = None

    @property
    def peers(self) -> bool:
        """Must all rows of the current row's unit of event time be there?"""
        return self.loose or self.kind == "groups" or (self.kind == "time" and self.after >= 0)

    @property
    def waits(self) -> bool:
        """Does a row wait for rows after its own event time?"""
        return self.after > 0 or self.ahead > 0


@dataclass(frozen=True, slots=True)
class FrameCall:
    """A window function that a pair of places in the ordered rows of a partition is enough for.

    Attributes:
        kind: 'lag': the value at `start`, which is `end`; 'first', 'last': the value at that end of the frame; 'count',
            'sum', 'avg', 'min', 'max'.
        column: what it reads; '' where that is rows.
        unit: of the bounds: 'rows', or 'time' for microseconds of event time.
        start, end: the frame's first and last row, or time, relative to the row at hand; negative before it.
        default: of 'lag': the constant that stands for a row which is not there, or None.
    """

    kind: str
    column: str
    unit: str
    start: int
    end: int
    default: str | None = None


@dataclass(frozen=True, slots=True)
class OverCall:
    """A window function over nearby rows: ``call`` makes the column ``name``.

    Attributes:
        call: DuckDB's function, ordered by event time and positions already.
        frame: the same in numbers, for a function that these are enough for; None for the others.
        partition: the partition's columns.
    """

    name: str
    call: str
    partition: tuple[str, ...]
    frame: FrameCall | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Over(Node):
    """OVER with frames that reach so far and no further: adds one column a call. Needs ordered input.

    A row is given once all of its frames are complete; event time is held back to the oldest row that waits.

    Attributes:
        reaches: how far the calls look, each once.
    """

    calls: tuple[OverCall, ...]
    reaches: tuple[Reach, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ended(Node):
    """OVER partitions that come to an end: rows wait until theirs is over, and are answered together.

    Columns: those of the input, then one a window function. Event time is held back to the oldest row that waits.

    Attributes:
        windows: (window function, column name).
        ends: column: no row with ``TS >= ends`` belongs to the row's partitions.
        by: the expression behind `ends`, for people.
    """

    windows: tuple[tuple[str, str], ...]
    ends: str
    by: str


@dataclass(frozen=True, slots=True)
class Window:
    """Windows ``[end - size, end)`` with ``end ≡ offset + size (mod slide)``; a tumbling window slides by its size.

    Attributes:
        cumulate: windows ``[base, base + i * slide)`` up to `size`, with ``base ≡ offset (mod size)``.
        months: calendar windows of so many months, counted from 1970; the other lengths are 0.
    """

    size_us: int
    slide_us: int
    offset_us: int = 0
    cumulate: bool = False
    months: int = 0

    @property
    def longest_us(self) -> int:
        """No window is longer."""
        return self.size_us or self.months * 31 * 86_400 * US


@dataclass(frozen=True, slots=True)
class Tally:
    """An aggregate in parts, of those that numbers alone can keep.

    Attributes:
        kind: 'count', 'sum', 'avg', 'min' or 'max'.
        argument: what it aggregates; '' when that is rows.
        where: its FILTER, or ''.
        distinct: equal values count once.
    """

    kind: str
    argument: str
    where: str
    distinct: bool = False


GROUPING = "__set"
"""Column of an aggregation with several grouping sets: which one a row belongs to, as DuckDB's GROUPING() has it."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grouped(Node):
    """What aggregations over windows have in common.

    Columns: ``window_start``, ``window_end`` (TIMESTAMP), the keys, the aggregates, the GROUPING() calls, and
    `GROUPING` when there are several sets.

    Attributes:
        mergeable: the aggregates' states may be combined; False when one has DISTINCT or ORDER BY inside, which a
            state does not remember.
        sets: the key names of every grouping set; () for one set, of all the keys.
        groupings: (column, key names) of every GROUPING() call.
        tallies: the aggregates in parts; () when there is one that has none.
    """

    keys: tuple[tuple[str, str], ...]
    aggregates: tuple[tuple[str, str], ...]
    mergeable: bool
    sets: tuple[tuple[str, ...], ...] = ()
    groupings: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tallies: tuple[Tally, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WindowAggregate(Grouped):
    """GROUP BY over event-time windows; emits a row per (window, key) when the watermark reaches its end."""

    window: Window


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SessionAggregate(Grouped):
    """GROUP BY over sessions: a key's rows of which each comes at most `gap_us` after one before it.

    A session ends `gap_us` after its last row; it is emitted when the watermark is past its end.
    """

    gap_us: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WindowChanges(WindowAggregate):
    """The same as a changelog.

    Attributes:
        early: every window is emitted with its first row and again when its values change (EMIT CHANGES); else first
            when it closes.
        keep_us: a closed window takes late rows for so long, and is emitted again ('late.data' = 'update').
    """

    early: bool
    keep_us: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SessionChanges(SessionAggregate):
    """Sessions as a changelog; see `WindowChanges`. A session that grows or merges with another one is replaced."""

    early: bool
    keep_us: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class IntervalJoin(Node):
    """Pairs with ``low_us <= left time - right time <= high_us``; their event time is the later one.

    Attributes:
        kind: 'inner'; 'left', 'right', 'full': rows of the named side without a match come with NULLs, at their own
            event time, once no row still to come can match them; 'semi', 'anti': the left rows that have a match, or
            none, at their own event time.
        equal: pairs of (left column, right column) compared with ``=``.
        condition: the whole condition, over columns of ``__l`` and ``__r`` named as in the output.
        left_columns, right_columns: (input column, output column).
    """

    low_us: int
    high_us: int
    equal: tuple[tuple[str, str], ...]
    condition: str
    left_columns: tuple[tuple[str, str], ...]
    right_columns: tuple[tuple[str, str], ...]
    kind: str = "inner"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AsofJoin(Node):
    """For each left row the nearest right row on one side of its time, with equal keys, at the left row's event time.

    Attributes:
        strict: the right row's time must differ from the left row's.
        outer: left rows that have none are kept, with NULLs.
        forward: False: the newest right row at or before; ties in its event time take the latest position. True: the
            earliest right row at or after; ties take the earliest position.
        offset_us: added to the left row's time before it is compared.
        versions: right rows carry `OP`, and a 'delete' ends the key's version: it matches nothing.
    """

    equal: tuple[tuple[str, str], ...]
    strict: bool
    outer: bool
    left_columns: tuple[tuple[str, str], ...]
    right_columns: tuple[tuple[str, str], ...]
    forward: bool = False
    offset_us: int = 0
    versions: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TableJoin(Node):
    """Rows of an append-only input with the rows that a table has when they are processed. Inputs: table, stream.

    Attributes:
        kind: of the stream's rows: 'inner', 'left' (kept without a match), 'semi', 'anti'.
        condition: over columns named as in the output, '' for none.
        table_columns, stream_columns: (input column, output column); 'semi' and 'anti' give no table columns.
        several: a row may have several matches: the last position column numbers them.
    """

    kind: str
    condition: str
    table_columns: tuple[tuple[str, str], ...]
    stream_columns: tuple[tuple[str, str], ...]
    several: bool


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Latest(Node):
    """The newest row per key by event time, as a changelog."""

    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table(Node):
    """Reads a topic that is a changelog, or a reference table's rows, as changes.

    Attributes:
        stream: its schema's `changelog` says how records are read; ``rows`` are a reference table's.
    """

    stream: StreamInfo
    delay_us: int = 0
    idle_us: int = 0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AsChanges(Node):
    """An append-only input as a changelog: every row comes, none goes. Late rows count."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Union(Node):
    """UNION ALL of inputs with the same columns, all append-only or all changelogs."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Group(Node):
    """GROUP BY without a window over an append-only input: one state per key, as a changelog.

    Columns: the keys, the aggregates.

    Attributes:
        mergeable: the aggregates' states may be combined; otherwise the rows are kept.
        ttl_us: a group that no row touched for so long in event time is forgotten; None: never.
        tallies: as in `Grouped`.
    """

    keys: tuple[tuple[str, str], ...]
    aggregates: tuple[tuple[str, str], ...]
    mergeable: bool
    ttl_us: int | None = None
    tallies: tuple[Tally, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Keyed(Node):
    """Any query over changelogs whose answer splits by key: touched keys are answered anew, the difference is emitted.

    Attributes:
        by: per input, expressions over its columns; rows whose values are not equal never meet in the answer. All ()
            when the answer does not split: then every change recomputes it.
        sql: DuckDB's SELECT over ``__in0``, ``__in1``, … giving `columns` and then ``__key``, a column of every input
            by which the answer splits: join on it, group by it, partition by it, or select it along.
        what: how EXPLAIN calls it, such as 'left join' or 'distinct'.
        ttl_us: input rows older than so long (in event time, at arrival) are forgotten; None: never.
    """

    by: tuple[tuple[str, ...], ...]
    sql: str
    what: str
    ttl_us: int | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GroupChanges(Keyed):
    """GROUP BY of a changelog. Where every aggregate can take a row back, its groups are kept as those of `Group`."""

    keys: tuple[tuple[str, str], ...]
    aggregates: tuple[tuple[str, str], ...]
    tallies: tuple[Tally, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChangesJoin(Keyed):
    """An inner join of changelogs, whose pairs come and go with the rows of either side.

    Attributes:
        left_columns, right_columns: (input column, output column).
        condition: over output names, beside the equalities of `by`; '' for none.
    """

    left_columns: tuple[tuple[str, str], ...]
    right_columns: tuple[tuple[str, str], ...]
    condition: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OneRowJoin(Node):
    """A join with a changelog that has one row at most, on the right: what a scalar subquery becomes.

    A row of the left side is looked at when it comes, and again when that one row changes.

    Attributes:
        kind: 'inner', 'left', 'semi' or 'anti'.
        condition: over output names, 'TRUE' for none.
        before: the same, the right side's columns called ``<name> before``.
        left_columns, right_columns: (input column, output column).
        ttl_us: left rows older than so long (in event time, at arrival) are looked at no more; None: never.
    """

    kind: str
    condition: str
    before: str
    left_columns: tuple[tuple[str, str], ...]
    right_columns: tuple[tuple[str, str], ...]
    ttl_us: int | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TopN(Node):
    """Rows of an append-only input that satisfy a rank condition, as a changelog: a row that fell out never returns.

    Attributes:
        items: (expression, output name) over the kept rows and ``__rank``.
        rank: the window function, with its PARTITION BY and ORDER BY (which ends with TS and the positions, so that
            ties are always broken the same way, unless ties are to share a rank).
        condition: on ``__rank``, such as ``__rank <= 3``: what fails it once can be forgotten.
        partition: the partition's columns.
    """

    items: tuple[tuple[str, str], ...]
    rank: str
    condition: str
    partition: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What a job runs.

    Attributes:
        root: the last operator; its columns are the output's.
        sources: every topic that is read once, in the order of the text; reference tables are none.
        key: output columns that key the changelog; () for an append-only output, and for one without a key.
        changelog: how the output is written: None (append-only), 'upsert' or 'retract'; see `schema.StreamSchema`.
        notes: assumptions made for the user, one sentence each.
        late: what becomes of rows that come too late: 'drop', 'dead_letter' or 'update'.
    """

    root: Node
    sources: tuple[Source | Table, ...]
    key: tuple[str, ...]
    notes: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    changelog: str | None = None
    late: str = "drop"


def walk(root: Node) -> list[Node]:
    """Every node once, inputs before the nodes that read them."""
    seen: dict[int, Node] = {}

    def visit(node: Node) -> None:
        if id(node) not in seen:
            for upstream in node.inputs:
                visit(upstream)
            seen[id(node)] = node

    visit(root)
    return list(seen.values())


def texts(root: Node) -> Iterator[str]:
    """Every piece of SQL in a plan, and other words of its nodes; not what its streams declare."""
    for node in walk(root):
        for item in fields(node):
            if item.name not in ("inputs", "stream"):
                yield from _strings(getattr(node, item.name))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(key)
            yield from _strings(item)
    elif isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from _strings(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for part in fields(value):
            yield from _strings(getattr(value, part.name))
