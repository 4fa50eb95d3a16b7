"""When a batch cannot be computed, find the rows at fault and go on with the rest.

Any split of the input into batches gives the same answer, so a failing step is tried again with halves of its rows,
oldest first, until the rows that fail stand alone; those are set aside. Where the error names the rows it suspects
(`engine.calls` does), the batch is cut at these instead: two steps a row at fault. A suspicion only says where
to look: a row is set aside because it fails alone.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from velostream_nb.engine.delta import Delta, concat
from velostream_nb.engine.duck import EvaluationError
from velostream_nb.engine.node import Operator

Reject = Callable[[Operator, pa.Table, str], None]
"""Called with (operator, one input row, reason)."""


def isolated_step(operator: Operator, inputs: list[Delta], reject: Reject) -> Delta:
    """`operator.step`, with the rows that cannot be computed handed to `reject` instead of an error."""
    try:
        out = operator.step(inputs)
    except EvaluationError:
        if not any(d.rows.num_rows or d.late is not None for d in inputs):
            raise  # no input row is at fault
        out = _Search(operator, inputs, reject).run()
    operator.seen_us = [d.watermark_us for d in inputs]
    return out


class _Search:
    def __init__(self, operator: Operator, inputs: list[Delta], reject: Reject) -> None:
        self.operator = operator
        self.inputs = inputs
        self.reject = reject
        self.outputs: list[Delta] = []
        self.rejected = 0
        self._trusts = True

    def run(self) -> Delta:
        # the watermark moves only in the last step, which brings no rows: windows close over all good rows
        for side, delta in enumerate(self.inputs):
            if delta.rows.num_rows:
                self._feed(side, delta.rows, late=False)
            if delta.late is not None:
                self._feed(side, delta.late, late=True)
        empty = [Delta(d.rows.slice(0, 0), d.watermark_us, None, d.many) for d in self.inputs]
        last = self.operator.step(empty)
        rows = concat([last.rows, *(o.rows for o in self.outputs)])
        late = [o.late for o in self.outputs if o.late is not None]
        return Delta(rows, last.watermark_us, concat(late) if late else None, last.many)

    def _feed(self, side: int, rows: pa.Table, *, late: bool) -> None:
        try:
            self.outputs.append(self.operator.step(self._partial(side, rows, late=late)))
            return
        except EvaluationError as error:
            if rows.num_rows == 1:
                self.rejected += 1
                self.reject(self.operator, rows, error.message)
                return
            suspects = error.suspects if self._trusts and error.suspects and error.suspects[-1] < rows.num_rows else ()
        if suspects:
            self._feed_around(side, rows, suspects, late=late)
            return
        half = rows.num_rows // 2
        self._feed(side, rows.slice(0, half), late=late)
        self._feed(side, rows.slice(half), late=late)

    def _feed_around(self, side: int, rows: pa.Table, suspects: tuple[int, ...], *, late: bool) -> None:
        """Feed the suspects alone, and the rows between them together; without them once one turns out to be good."""
        start = 0
        for suspect in suspects:
            if suspect > start:
                self._feed(side, rows.slice(start, suspect - start), late=late)
            before = self.rejected
            self._feed(side, rows.slice(suspect, 1), late=late)
            start = suspect + 1
            if self.rejected == before:  # the rows that DuckDB called with are not the rows of this operator
                self._trusts = False
                break
        if start < rows.num_rows:
            self._feed(side, rows.slice(start), late=late)

    def _partial(self, side: int, rows: pa.Table, *, late: bool) -> list[Delta]:
        parts = []
        for number, delta in enumerate(self.inputs):
            empty = delta.rows.slice(0, 0)
            watermark_us = self.operator.seen_us[number]
            if number != side:
                parts.append(Delta(empty, watermark_us, None, delta.many))
            elif late:
                parts.append(Delta(empty, watermark_us, rows, delta.many))
            else:
                parts.append(Delta(rows, watermark_us, None, delta.many))
        return parts
