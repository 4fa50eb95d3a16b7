"""JobEngine: one plan, compiled to operators over one DuckDB. One tick in, one tick out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import pyarrow as pa

from velostream_nb.core.errors import BindError, StateError
from velostream_nb.core.functions import Function, called
from velostream_nb.core.model import WATERMARK_MIN_US
from velostream_nb.core.records import HIDDEN, OP, Decoded, Rejected, no_rows
from velostream_nb.core.types import HUGEINT
from velostream_nb.engine.asof_join import AsofJoin
from velostream_nb.engine.carried import Carried
from velostream_nb.engine.changes import AsChanges, Emit, Union
from velostream_nb.engine.changes_join import ChangesJoin
from velostream_nb.engine.delta import Account, Delta
from velostream_nb.engine.duck import Duck, quote, quote_text
from velostream_nb.engine.ended import Ended
from velostream_nb.engine.groups import Group, GroupChanges
from velostream_nb.engine.interval_join import IntervalJoin
from velostream_nb.engine.isolate import isolated_step
from velostream_nb.engine.keyed import Keyed
from velostream_nb.engine.latest import Latest
from velostream_nb.engine.letters import late_rows, rejected_row
from velostream_nb.engine.node import Operator, OperatorStats, described, taken_by
from velostream_nb.engine.numbers import shown_field, stays_wide, whole_numbers
from velostream_nb.engine.one_row import OneRowJoin
from velostream_nb.engine.ordered import Order
from velostream_nb.engine.over import Over
from velostream_nb.engine.running import Running
from velostream_nb.engine.sessions import SessionAggregate
from velostream_nb.engine.stateless import Project, Source
from velostream_nb.engine.table_join import TableJoin
from velostream_nb.engine.tables import Table
from velostream_nb.engine.top import TopN
from velostream_nb.engine.wall import Wall, reads_wall
from velostream_nb.engine.window_changes import SessionChanges, WindowChanges
from velostream_nb.engine.windows import WindowAggregate
from velostream_nb.sql import plan as plans

_OPERATORS: dict[type[plans.Node], type[Operator]] = {
    plans.Source: Source,
    plans.Project: Project,
    plans.Order: Order,
    plans.Running: Running,
    plans.Carried: Carried,
    plans.Ended: Ended,
    plans.Over: Over,
    plans.WindowAggregate: WindowAggregate,
    plans.SessionAggregate: SessionAggregate,
    plans.WindowChanges: WindowChanges,
    plans.SessionChanges: SessionChanges,
    plans.IntervalJoin: IntervalJoin,
    plans.AsofJoin: AsofJoin,
    plans.TableJoin: TableJoin,
    plans.Latest: Latest,
    plans.Table: Table,
    plans.AsChanges: AsChanges,
    plans.Union: Union,
    plans.Group: Group,
    plans.GroupChanges: GroupChanges,
    plans.ChangesJoin: ChangesJoin,
    plans.Keyed: Keyed,
    plans.OneRowJoin: OneRowJoin,
    plans.TopN: TopN,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one tick of a job gave.

    Attributes:
        rows: the output's visible columns, and `OP` when the output is a changelog (see `records.OP`).
        late: rows dropped because they came behind the watermark.
        rejected: rows that could not be computed.
        watermark_us: the output's watermark.
        late_rows: the late rows themselves, where they go to the dead-letter topic.
    """

    rows: pa.Table
    late: int
    rejected: list[Rejected]
    watermark_us: int
    late_rows: list[Rejected] = field(default_factory=list)


@dataclass(slots=True)
class EngineNode:
    """An operator in its place; `step` counts, times and isolates the rows that cannot be computed.

    Attributes:
        inputs: indexes of the upstream nodes in `JobEngine.nodes`.
        topic: the topic of a source, None for the others.
        sides: the topics behind each input.
    """

    operator: Operator
    inputs: tuple[int, ...]
    topic: str | None
    name: str
    _account: Account
    rows_in: int = 0
    rows_out: int = 0
    busy_ns: int = 0
    rejected: int = 0
    _topics: tuple[str, ...] = field(default=())
    sides: tuple[tuple[str, ...], ...] = ()

    @property
    def is_source(self) -> bool:
        return isinstance(self.operator, Source | Table)

    def step(self, inputs: list[Delta]) -> Delta:
        """One tick of this operator."""
        started = time.perf_counter_ns()
        out = isolated_step(self.operator, inputs, self._reject)
        self.busy_ns += time.perf_counter_ns() - started
        self.rows_in += sum(d.rows.num_rows for d in inputs)
        self.rows_out += out.rows.num_rows
        for rows, side in self._account.dropped:
            self._account.late_rows += late_rows(rows, self.sides[side], self.operator.name)
        self._account.dropped.clear()
        for row, reason in self._account.failed:
            self._reject(self.operator, row, reason)
        self._account.failed.clear()
        return out

    def _reject(self, operator: Operator, row: pa.Table, reason: str) -> None:
        self.rejected += 1
        self._account.rejected.append(rejected_row(row, self._topics, reason, operator.name))


class JobEngine:
    """Runs one plan. Used by one thread at a time; reads no clock, file or network.

    Compiling certifies the whole query: DuckDB prepares every statement against the declared schemas, so that what is
    accepted does not fail on its first row for a reason that was knowable. Raises BindError otherwise.

    Args:
        functions: Python functions in sight, by lower-case name; later definitions do not change a running engine.

    Attributes:
        functions: those of them that the plan calls.
    """

    def __init__(
        self,
        plan: plans.JobPlan,
        *,
        threads: int = 1,
        state_dir: str | None = None,
        functions: Mapping[str, Function] | None = None,
    ) -> None:
        self.plan = plan
        texts = list(plans.texts(plan.root))
        self.functions = tuple(called(functions or {}, texts))
        self._account = Account(letters=plan.late == "dead_letter")
        self._duck = Duck(threads=threads, functions=functions, apart=state_dir is not None)
        self._duck.lock(state_dir)
        self._wall = Wall(self._duck) if reads_wall(texts) else None
        try:
            self.nodes = self._compile()
        except BaseException:
            self._duck.close()
            raise
        root = self.nodes[-1].operator
        self.changelog = plan.changelog
        self._emit = Emit(root.schema, plan.root, plan.changelog) if plan.changelog else None
        self._shown = list(plan.root.columns)
        self._wide = stays_wide(plan) or all(field.type != HUGEINT for field in root.schema)
        self.output_schema = self._output_schema(root.schema, wide=stays_wide(plan))
        self._nothing = no_rows(pa.schema([self.output_schema.field(c) for c in self._shown]))
        self._clocks = tuple(n.operator for n in self.nodes if isinstance(n.operator, Source))
        self.key = plan.key
        self.topics = tuple(dict.fromkeys(n.topic for n in self.nodes if n.topic is not None))
        self.columns: Mapping[str, tuple[str, ...]] = {topic: self._columns_of(topic) for topic in self.topics}
        self._rejected_seen = 0

    def _compile(self) -> tuple[EngineNode, ...]:
        nodes: list[EngineNode] = []
        place: dict[int, int] = {}
        walked = plans.walk(self.plan.root)
        readers: dict[int, list[plans.Node]] = {id(node): [] for node in walked}
        for node in walked:
            for upstream in node.inputs:
                readers[id(upstream)].append(node)
        for node in walked:
            if id(node) in place:  # a Project that the operator below it has taken
                continue
            inputs = tuple(place[id(i)] for i in node.inputs)
            try:
                operator = self._operator(node, [nodes[i].operator for i in inputs], readers)
            except BindError as error:
                raise BindError(_named_plainly(error.message), hint=error.hint, place=error.place) from error
            topic = node.stream.topic if isinstance(node, plans.Source | plans.Table) else None
            if isinstance(node, plans.Table) and node.stream.rows is not None:
                topic = None
            topics = (topic,) if topic else tuple(dict.fromkeys(t for i in inputs for t in nodes[i]._topics))
            place |= dict.fromkeys(map(id, (node, *operator.then)), len(nodes))
            sides = tuple(nodes[i]._topics for i in inputs)
            nodes.append(EngineNode(operator, inputs, topic, operator.name, self._account, _topics=topics, sides=sides))
        return tuple(nodes)

    def _operator(
        self, node: plans.Node, upstream: list[Operator], readers: Mapping[int, list[plans.Node]]
    ) -> Operator:
        kind = _OPERATORS[type(node)].for_node(node, self._duck, upstream)
        more = {"then": _fused(node, readers)} if kind.fuses else {}
        return kind(node, self._duck, self._account, *upstream, **more)

    def _output_schema(self, schema: pa.Schema, *, wide: bool) -> pa.Schema:
        try:
            return pa.schema([shown_field(schema.field(c), wide=wide) for c in self.plan.root.columns])
        except BindError:
            self._duck.close()
            raise

    def _as_shown(self, rows: pa.Table) -> pa.Table:
        return rows if self._wide else whole_numbers(rows)

    def _columns_of(self, topic: str) -> tuple[str, ...]:
        """The columns that are read from a topic, `OP` last where it is read as a changelog."""
        names: dict[str, None] = {}
        changelog = False
        for node in self.nodes:
            if node.topic == topic:
                names |= dict.fromkeys(c for c in node.operator.schema.names if c not in HIDDEN)
                changelog |= isinstance(node.operator, Table) or OP in node.operator.schema.names
        return (*names, *([OP] if changelog else []))

    def expect(self, topic: str, partitions: Collection[int]) -> None:
        """Tell which partitions a topic has, before its first records: time waits for all of them."""
        for node in self.nodes:
            if isinstance(node.operator, Source) and node.topic == topic:
                node.operator.expected |= set(partitions)

    # -- ticks ------------------------------------------------------------------------------------------------------

    def begin(
        self,
        batches: Mapping[str, Sequence[Decoded]],
        *,
        final: bool = False,
        idle: Collection[tuple[str, int]] = (),
        now_us: int = 0,
    ) -> dict[int, Delta]:
        """Start a tick: what each source (by index in `nodes`) gives.

        Args:
            batches: decoded records per topic; a batch holds records of one partition, in log order.
            final: the inputs are at their end: their watermarks become +infinity.
            idle: (topic, partition) pairs that have been silent for longer than the idle timeout.
            now_us: what ``wall_clock()`` means in this tick.
        """
        self._account.clear()
        if self._wall is not None:
            self._wall.set(now_us)
        deltas = {}
        for index, node in enumerate(self.nodes):
            if isinstance(node.operator, Table):
                mine = batches.get(node.topic or "", ())
                deltas[index] = delta = node.operator.take(mine, final=final)
                node.rows_in += sum(d.batch.num_rows for d in mine)
                node.rows_out += delta.rows.num_rows
            elif isinstance(node.operator, Source) and node.topic is not None:
                mine = batches.get(node.topic, ())
                silent = {p for t, p in idle if t == node.topic}
                delta = node.operator.take(mine, final=final, idle=silent)
                node.rows_in += sum(d.batch.num_rows for d in mine)
                node.rows_out += delta.rows.num_rows
                deltas[index] = delta
        self._pass_silent(deltas)
        return deltas

    def _pass_silent(self, deltas: dict[int, Delta]) -> None:
        """Time does not wait for a topic whose partitions are all idle: it goes on with the other topics."""
        if not any(source.silent for source in self._clocks):
            return
        sources = [(i, n.operator) for i, n in enumerate(self.nodes) if isinstance(n.operator, Source)]
        active = [s.watermark_us for _, s in sources if not s.silent]
        for index, source in sources:
            if source.silent and active:
                deltas[index].watermark_us = source.follow(min(active))

    def finish(self, delta: Delta) -> Outcome:
        """End a tick with the root's output."""
        account = self._account
        # windows announce the next one to close: for people, time is no further than that of what was read
        watermark_us = min(delta.watermark_us, self.watermark_us)
        if self._emit is not None:
            rows = self._as_shown(self._emit.rows(delta.rows))
            return Outcome(rows, account.late, list(account.rejected), watermark_us, list(account.late_rows))
        if delta.late is not None:  # nothing between source and output minds: late rows are rows
            delta = Delta(
                pa.concat_tables([delta.rows, delta.late.select(delta.rows.column_names)]), delta.watermark_us
            )
        rows = self._as_shown(delta.rows.select(self._shown)) if delta.rows.num_rows else self._nothing
        return Outcome(rows, account.late, list(account.rejected), watermark_us, list(account.late_rows))

    def tick(
        self,
        batches: Mapping[str, Sequence[Decoded]],
        *,
        final: bool = False,
        idle: Collection[tuple[str, int]] = (),
        now_us: int = 0,
    ) -> Outcome:
        """One whole tick without a streamz graph: begin, every operator once, finish."""
        outputs: dict[int, Delta] = self.begin(batches, final=final, idle=idle, now_us=now_us)
        for index, node in enumerate(self.nodes):
            if not node.is_source:
                outputs[index] = node.step([outputs[i] for i in node.inputs])
        return self.finish(outputs[len(self.nodes) - 1])

    @property
    def watermark_us(self) -> int:
        """The least watermark of the sources."""
        if self._clocks:
            return min(source.watermark_us for source in self._clocks)
        tables = [n.operator.watermark_us for n in self.nodes if isinstance(n.operator, Table)]
        return min(tables, default=WATERMARK_MIN_US)

    def stats(self) -> list[OperatorStats]:
        """One line an operator, in the order of the data."""
        found = []
        for node in self.nodes:
            rows, size = node.operator.state_size()
            detail = described(node.operator)
            busy_us = node.busy_ns // 1000
            found.append(OperatorStats(node.name, detail, rows, size, node.rows_in, node.rows_out, busy_us))
        return found

    # -- snapshots --------------------------------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """Changes when the plan does: a snapshot of another plan is refused."""
        lines = [f"{n.inputs}{_planned(n.operator)}{n.operator.schema}" for n in self.nodes]
        lines += [function.digest for function in self.functions]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def shape(self) -> str:
        """Changes when another state would be kept: other operators, other columns or types in what they hold."""
        lines = []
        for node in self.nodes:
            # names and types alone: whether a column may be NULL depends on the rows that came
            held = {name: _types(table.schema) for name, table in node.operator.tables().items()}
            native = {n: self._duck.type_names(f"SELECT * FROM {t}") for n, t in node.operator.native().items()}
            lines.append(f"{node.inputs}{type(node.operator).__name__}{_types(node.operator.schema)}{held}{native}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write the state as one DuckDB file, in the engine's `state_dir`; replaces the file as a whole.

        Raises:
            StateError: the file cannot be written.
        """
        partial = path.with_suffix(path.suffix + ".partial")
        partial.unlink(missing_ok=True)
        self._duck.attach(str(partial), read_only=False)
        try:
            written_by = f"{quote_text(self.fingerprint)} AS fingerprint, {quote_text(self.shape)} AS shape"
            self._duck.run(f"CREATE TABLE snap.plan AS SELECT {written_by}")
            for index, node in enumerate(self.nodes):
                for name, table in node.operator.tables().items():
                    feed = self._duck.feed(table.schema)
                    feed.rows = table
                    self._duck.run(f"CREATE TABLE snap.{quote(f'{index}_{name}')} AS SELECT * FROM {feed.name}")
                    self._duck.drop(feed)
                for name, native in node.operator.native().items():
                    self._duck.run(f"CREATE TABLE snap.{quote(f'{index}_{name}')} AS SELECT * FROM {native}")
        finally:
            self._duck.detach()
        partial.replace(path)

    def load(self, path: Path, *, same_shape: bool = False) -> None:
        """Take back a saved state.

        Args:
            same_shape: a plan with other constants may have written it, if it keeps the same kind of state. Whether the
                constants matter to what is kept is for the caller to know (`sql.shape`).

        Raises:
            StateError: no such file, or it was written by a different plan.
        """
        if not path.exists():
            raise StateError(f"no snapshot at {path}")
        self._duck.attach(str(path), read_only=True)
        try:
            known, mine = ("shape", self.shape) if same_shape else ("fingerprint", self.fingerprint)
            if self._duck.value(f"SELECT {known} FROM snap.plan") != mine:
                raise StateError(f"the snapshot {path} was written by a different query", hint="start without it")
            for index, node in enumerate(self.nodes):
                tables = {}
                for name, table in node.operator.tables().items():
                    loaded = self._duck.arrow(f"SELECT * FROM snap.{quote(f'{index}_{name}')}")
                    tables[name] = loaded.cast(table.schema)
                node.operator.load_tables(tables)
                for name, native in node.operator.native().items():
                    self._duck.run(f"DELETE FROM {native}")
                    self._duck.run(f"INSERT INTO {native} SELECT * FROM snap.{quote(f'{index}_{name}')}")
        finally:
            self._duck.detach()

    def close(self) -> None:
        """Release DuckDB; safe to call twice."""
        self._duck.close()


def _types(schema: pa.Schema) -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in schema]


def _named_plainly(message: str) -> str:
    return message.replace('"__in"', "the input")


def _fused(node: plans.Node, readers: Mapping[int, list[plans.Node]]) -> tuple[plans.Project, ...]:
    """The Projects above a node that its operator takes into its own statement."""
    then: list[plans.Project] = []
    project = taken_by(readers[id(node)])
    while project is not None:
        then.append(project)
        project = taken_by(readers[id(project)])
    return tuple(then)


def _planned(operator: Operator) -> str:
    return "".join(map(_written, (operator.node, *operator.then)))


def _written(node: plans.Node) -> str:
    """A plan node in words: its kind, and all that it was planned with but its inputs."""
    said = {f.name: getattr(node, f.name) for f in fields(node) if f.name not in ("inputs", "stream")}
    topic = node.stream.topic if isinstance(node, plans.Source | plans.Table) else ""
    return f"{type(node).__name__} {topic} {said}"
