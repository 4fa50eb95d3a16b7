"""SessionAggregate: GROUP BY over sessions, from partial aggregates of pieces of sessions.

A piece is what one tick brought of one session: its first and last time, and partial aggregates. Pieces of a key that
touch or overlap (a distance of exactly the gap joins) are one session; they are put together when one of them may be
over, and what goes on stays as one piece.

**Late rows.** A row that came behind its own partition's watermark is dropped when a session of its own would be over:
``ts + gap <= watermark``. Else it counts, but it never joins a session that was over by that watermark
(``end <= watermark``). Late rows are pieces of their own that remember it, and they are put in their places in the
order of those watermarks, not of their arrival: no split into batches changes the answer.
"""

from __future__ import annotations

import bisect

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_nb.core.errors import JobFailedError
from velostream_nb.core.model import WATERMARK_MAX_US, WATERMARK_MIN_US
from velostream_nb.core.records import POS, TS, no_rows
from velostream_nb.core.vectors import vector
from velostream_nb.engine.delta import WM, Account, Delta, Int64s, concat, int64s
from velostream_nb.engine.duck import Duck, EvaluationError, Statement, quote
from velostream_nb.engine.node import Operator
from velostream_nb.engine.partials import Partials, bytes_held, describe_groups
from velostream_nb.sql import plan

_COMPACT_ROWS = 256
"""Pieces are put together when they are so many more than twice those that were left the last time."""

_ASSIGNED = pa.schema([("__row", pa.int64()), ("__session", pa.int64()), ("__over", pa.bool_())])


class Pieces(Operator):
    """The state of sessions: pieces with ``__start``, ``__last``, ``__wm`` (what a late one came behind), keys."""

    node: plan.SessionAggregate

    def __init__(self, node: plan.SessionAggregate, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account)
        self.partials = Partials(duck, node, upstream)
        self._partial = self._pieces_sql()
        self.state = duck.table(self._partial)
        self.assigned = duck.feed(_ASSIGNED)
        self._order = self.partials.keys_sql().removeprefix(", ")
        self._ended = duck.prepare(f"SELECT 1 FROM {self.state} WHERE __last < $1 LIMIT 1")
        ended = f"FROM {self.state} WHERE __last < $1"
        keys = f"SELECT DISTINCT {self._order} {ended}" if self._order else f"SELECT 1 {ended}"
        self._ended_islands = duck.prepare(self.islands_sql(self.pieces_of_sql(keys), "$2"))
        self._all_islands = duck.prepare(
            self.islands_sql(f"SELECT rowid AS __row, * FROM {self.state} WHERE TRUE", "$1")
        )
        self._prepare_settling()
        self.rows_held = 0
        self._merged_rows = 0

    def _pieces_sql(self) -> str:
        """The feed as pieces: rows in time by session, late rows by their times and watermarks."""
        if self.partials.keeps_rows:
            return self.partials.partial_sql([(TS, "__start"), (TS, "__last"), (WM, "__wm")])
        feed, keys = self.partials.feed.name, "".join(f"({e}), " for e, _ in self.node.keys)
        before = f"lag({TS}) OVER (PARTITION BY {keys}{WM} ORDER BY {TS})"
        # late rows stand alone: each has its place in the order of their watermarks
        first = f"CASE WHEN {WM} = {WATERMARK_MIN_US} AND {TS} - {self.node.gap_us} <= {before} THEN 0 ELSE 1 END"
        marked = f"SELECT *, {first} AS __first FROM {feed} AS __in"
        number = f"sum(__first) OVER (PARTITION BY {keys}{WM} ORDER BY {TS} RANGE UNBOUNDED PRECEDING) AS __piece"
        relation = f"(SELECT *, {number} FROM ({marked}) AS __in)"
        places = [(f"min({TS})", "__start"), (f"max({TS})", "__last"), (WM, "__wm")]
        return self.partials.partial_sql(places, relation, grouped=[WM, "__piece"])

    # -- taking in --------------------------------------------------------------------------------------------------

    def take_in(self, delta: Delta, insert: Statement, keep_us: int = 0) -> int:
        """Run `insert` over the tick's rows that still count, and count those that do not."""
        parts = []
        dropped = None
        if delta.rows.num_rows:
            always = np.full(delta.rows.num_rows, WATERMARK_MIN_US, dtype=np.int64)
            parts.append(delta.rows.append_column(WM, vector(always)))
        if delta.late is not None:
            wm = int64s(delta.late, WM) - keep_us
            open_ = int64s(delta.late, TS) + self.node.gap_us > wm
            index = delta.late.schema.get_field_index(WM)
            parts.append(delta.late.set_column(index, WM, vector(wm)).filter(vector(open_)))
            dropped = delta.late.filter(vector(~open_))
        taken = 0
        feed = self.partials.feed
        feed.rows = concat(parts)
        if feed.rows.num_rows:
            self.partials.check()
            taken = insert.run()
        if dropped is not None:  # last: a step that fails counts nothing
            self.account.drop(dropped)
        return taken

    # -- putting together -------------------------------------------------------------------------------------------

    def pieces_of_sql(self, keys: str) -> str:
        """The pieces of the keys that a query gives, with their rowid as ``__row``; takes further conditions."""
        if not self._order:
            return f"SELECT rowid AS __row, * FROM {self.state} WHERE EXISTS ({keys})"
        same = " AND ".join(f"__k.{quote(k)} IS NOT DISTINCT FROM __p.{quote(k)}" for k in self.partials.keys)
        return (
            f"SELECT __p.rowid AS __row, __p.* FROM {self.state} AS __p SEMI JOIN ({keys}) AS __k ON {same} WHERE TRUE"
        )

    def islands_sql(self, pieces: str, before: str) -> str:
        """Pieces that came behind watermarks before a time, each with the number of the session of rows in time.

        Args:
            pieces: a query for all pieces of some keys; late ones get a number of their own.
        """
        of_keys = f", {self._order}" if self._order else ""
        late = f"__wm > {WATERMARK_MIN_US}"
        # a key's pieces in the order of their starts: one begins a session when it is past the reach of all before it
        ordered = f"PARTITION BY {late}{of_keys} ORDER BY __start, __last, __row"
        reach = f"max(__last) OVER ({ordered} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
        first = f"CASE WHEN NOT {late} AND __start - {self.node.gap_us} <= {reach} THEN 0 ELSE 1 END AS __first"
        code = f"dense_rank() OVER (ORDER BY {self._order})" if self._order else "1::BIGINT"
        marked = f"SELECT *, {code} AS __code, {first} FROM ({pieces} AND __wm < {before})"
        number = f"sum(__first) OVER (ORDER BY {late}, __code, __start, __last, __row ROWS UNBOUNDED PRECEDING)"
        return f"SELECT __row, __code, __start, __last, __wm, {number}::BIGINT AS __island FROM ({marked})"

    def assign_ended(self, watermark_us: int) -> bool:
        """Put the pieces of keys together of which a session may be over; False when there are none."""
        edge = watermark_us - self.node.gap_us
        if not self._ended.rows(edge).num_rows:
            return False
        self.assign(self._ended_islands.rows(edge, watermark_us), watermark_us)
        return True

    def assign(self, found: pa.Table, over_us: int) -> None:
        """Put pieces together: `assigned` has their sessions, and which of them end before a time."""
        pieces = {name: int64s(found, name) for name in found.column_names}
        session = place_late(pieces, self.node.gap_us) if found.num_rows else pieces["__island"]
        over = np.zeros(found.num_rows, dtype=np.bool_)
        if found.num_rows:
            codes, inverse = np.unique(session, return_inverse=True)
            last = np.full(len(codes), WATERMARK_MIN_US, dtype=np.int64)
            np.maximum.at(last, inverse, pieces["__last"])
            over = (last + self.node.gap_us < over_us)[inverse]
        columns = [vector(pieces["__row"]), vector(session), vector(over)]
        self.assigned.rows = pa.Table.from_arrays(columns, schema=_ASSIGNED)

    def joined_sql(self, condition: str = "TRUE") -> str:
        """The pieces with their sessions."""
        pieces = f"(SELECT rowid AS __row, * FROM {self.state})"
        return (
            f"(SELECT * FROM {pieces} AS __p JOIN {self.assigned.name} AS __s USING (__row) WHERE {condition}) AS __in"
        )

    def sessions_sql(self, condition: str, more: str = "") -> str:
        """Sessions with their values: a row each."""
        end = f"max(__last) + {self.node.gap_us}"
        ends = f"make_timestamp(min(__start)) AS window_start, make_timestamp({end}) AS window_end"
        values = self.partials.selected_sql()
        return f"SELECT {ends}{values}{more} FROM {self.joined_sql(condition)} {self.partials.grouped_sql('__session')}"

    def settle(self) -> None:
        """Drop the pieces of sessions that are over; of each of the others one piece is left."""
        if not self.partials.keeps_rows:
            self._merge.run()
        self.rows_held -= self._drop.run()
        if self.partials.keeps_rows:
            self._resolve.run()
            return
        self.rows_held += self._put_back.run()
        self._clear_whole.run()

    def _prepare_settling(self) -> None:
        """The statements of `settle`: what goes on is merged on the side, and takes the place of its pieces."""
        duck, mine = self.duck, f"rowid IN (SELECT __row FROM {self.assigned.name}"
        if self.partials.keeps_rows:
            self._drop = duck.prepare(f"DELETE FROM {self.state} WHERE {mine} WHERE __over)")
            self._resolve = duck.prepare(f"UPDATE {self.state} SET __wm = {WATERMARK_MIN_US} WHERE {mine})")
            return
        keys, states = self.partials.keys_sql(), self.partials.merged_sql()
        place = f"min(__start) AS __start, max(__last) AS __last, {WATERMARK_MIN_US}::BIGINT AS __wm"
        open_ = self.joined_sql("NOT __over")
        whole = duck.table(self._partial)
        merged = f"SELECT {place}{keys}{states} FROM {open_} GROUP BY __session{keys}"
        self._merge = duck.prepare(f"INSERT INTO {whole} {merged}")
        self._drop = duck.prepare(f"DELETE FROM {self.state} WHERE {mine})")
        self._put_back = duck.prepare(f"INSERT INTO {self.state} SELECT * FROM {whole}")
        self._clear_whole = duck.prepare(f"DELETE FROM {whole}")

    def compact(self, resolve_us: int) -> None:
        """Put all pieces together, now and then: long sessions that go on are made of many."""
        if self.partials.keeps_rows or self.rows_held <= _COMPACT_ROWS + 2 * self._merged_rows:
            return
        self.assign(self._all_islands.rows(resolve_us), WATERMARK_MIN_US)
        self.settle()
        self._merged_rows = self.rows_held

    def native(self) -> dict[str, str]:
        return {"pieces": self.state}

    def state_size(self) -> tuple[int, int]:
        return self.rows_held, bytes_held(self.duck, [self.state])


class SessionAggregate(Pieces):
    """Emits a row per session and key once the watermark is past its end: at the end itself a row may still join."""

    name = "session"

    def __init__(self, node: plan.SessionAggregate, duck: Duck, account: Account, upstream: Operator) -> None:
        super().__init__(node, duck, account, upstream)
        self._insert = duck.prepare(f"INSERT INTO {self.state} {self._partial}")
        order = ", ".join(["window_end", "window_start", *map(quote, self.partials.keys)])
        sql = f"{self.sessions_sql('__over')} ORDER BY {order}"
        self._close = duck.prepare(sql)
        found = duck.schema_of(sql)
        hidden = [pa.field(TS, pa.int64()), pa.field(POS, pa.int64())]
        self.schema = pa.schema([*(found.field(c) for c in node.columns), *hidden])
        self._closed_us = WATERMARK_MIN_US
        self._emitted = 0

    def step(self, inputs: list[Delta]) -> Delta:
        (delta,) = inputs
        if delta.rows.num_rows or delta.late is not None:
            self.rows_held += self.take_in(delta, self._insert)
        rows = no_rows(self.schema)
        if delta.watermark_us > self._closed_us:
            rows = self._finish(delta.watermark_us)
            self._closed_us = delta.watermark_us
        self.compact(delta.watermark_us)
        return Delta(rows, delta.watermark_us)

    def _finish(self, watermark_us: int) -> pa.Table:
        if not self.assign_ended(watermark_us):
            return no_rows(self.schema)
        try:
            out = self._close.rows()
        except EvaluationError as error:  # no row of this tick is at fault, so none can be set aside
            raise JobFailedError(f"a session could not be computed: {error.message}") from error
        self.settle()
        ends = out.column("window_end").cast(pa.int64())
        pos = vector(np.arange(self._emitted, self._emitted + out.num_rows))
        self._emitted += out.num_rows
        return out.select(list(self.node.columns)).append_column(TS, ends).append_column(POS, pos)

    def describe(self) -> str:
        held = (
            "the rows of open sessions" if self.partials.keeps_rows else "one aggregate state per open session and tick"
        )
        return f"session with a gap of {self.node.gap_us / 1e6:g} s by {describe_groups(self.node)}; keeps {held}"

    def tables(self) -> dict[str, pa.Table]:
        row = {"closed_us": [self._closed_us], "emitted": [self._emitted], "rows": [self.rows_held]}
        return {"session": pa.table(row)}

    def load_tables(self, tables: dict[str, pa.Table]) -> None:
        row = tables["session"].to_pylist()[0]
        self._closed_us, self._emitted, self.rows_held = row["closed_us"], row["emitted"], row["rows"]


def place_late(pieces: dict[str, Int64s], gap_us: int) -> Int64s:
    """The session of every piece: that of the rows in time, as late pieces extend, join and found them.

    Args:
        pieces: ``__code`` (one a key), ``__start``, ``__last``, ``__wm`` and ``__island`` (of pieces in time, their
            session; of a late one, a number that no other piece has).

    Each late piece joins every session it touches that was not over by its watermark; the one with the earliest
    watermark comes first. Row by row, because each may move the ends that the next one meets.
    """
    late = np.flatnonzero(pieces["__wm"] > WATERMARK_MIN_US)
    island = pieces["__island"]
    if not len(late):
        return island
    islands = _Islands(pieces, np.unique(pieces["__code"][late]), gap_us)
    order = late[np.lexsort((pieces["__start"][late], pieces["__wm"][late]))]
    columns = (pieces[name][order].tolist() for name in ("__code", "__start", "__last", "__wm", "__island"))
    for code, start, last, wm, number in zip(*columns, strict=True):
        islands.insert(code, start, last, wm, number)
    return islands.resolved(island)


class _Islands:
    """Sessions of some keys, each key's in the order of their starts, which is that of their ends."""

    def __init__(self, pieces: dict[str, Int64s], codes: Int64s, gap_us: int) -> None:
        self.gap_us = gap_us
        self._joined: dict[int, int] = {}
        self._starts: dict[int, list[int]] = {code: [] for code in codes.tolist()}
        self._lasts: dict[int, list[int]] = {code: [] for code in codes.tolist()}
        self._numbers: dict[int, list[int]] = {code: [] for code in codes.tolist()}
        mine = (pieces["__wm"] == WATERMARK_MIN_US) & np.isin(pieces["__code"], codes)
        for code, start, last, number in _spans(pieces, mine):
            self._starts[code].append(start)
            self._lasts[code].append(last)
            self._numbers[code].append(number)

    def insert(self, code: int, start: int, last: int, wm: int, number: int) -> None:
        starts, lasts, numbers = self._starts[code], self._lasts[code], self._numbers[code]
        high = bisect.bisect_right(starts, last + self.gap_us)
        low = high
        while low and lasts[low - 1] + self.gap_us >= start and lasts[low - 1] + self.gap_us > wm:
            low -= 1
        if low < high:
            first = numbers[low]
            for other in (*numbers[low + 1 : high], number):
                self._joined[other] = first
            start, last, number = min(start, starts[low]), max(last, lasts[high - 1]), first
        else:
            low = high = bisect.bisect_right(starts, start)
        starts[low:high], lasts[low:high], numbers[low:high] = [start], [last], [number]

    def resolved(self, island: Int64s) -> Int64s:
        """The session of each island: that which it was joined to in the end."""
        numbers, inverse = np.unique(island, return_inverse=True)
        found = [self._last(number) for number in numbers.tolist()]
        return np.array(found, dtype=np.int64)[inverse]

    def _last(self, number: int) -> int:
        path = []
        while number in self._joined:
            path.append(number)
            number = self._joined[number]
        for passed in path:  # the next one takes a shorter way
            self._joined[passed] = number
        return number


def _spans(pieces: dict[str, Int64s], mine: npt.NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """(code, start, last, number) of every island among some pieces, by code and start."""
    island, code = pieces["__island"][mine], pieces["__code"][mine]
    numbers, first, inverse = np.unique(island, return_index=True, return_inverse=True)
    start = np.full(len(numbers), WATERMARK_MAX_US, dtype=np.int64)
    last = np.full(len(numbers), WATERMARK_MIN_US, dtype=np.int64)
    np.minimum.at(start, inverse, pieces["__start"][mine])
    np.maximum.at(last, inverse, pieces["__last"][mine])
    owner = code[first]
    order = np.lexsort((start, owner))
    return list(zip(*(a[order].tolist() for a in (owner, start, last, numbers)), strict=True))
