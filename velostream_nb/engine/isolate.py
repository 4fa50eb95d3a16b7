"""When a batch cannot be computed, find the rows at fault and go on with the rest.

Any split of the input into batches gives the same answer, so a failing step is tried again with halves of its rows,
oldest first, until the rows that fail stand alone; those are set aside. Where the error names the rows it suspects
(`engine.calls` does), the batch is cut at these instead: two steps a row at fault. A suspicion only says where
to look: a row is set aside because it fails alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import pyarrow as pa

from velostream_nb.engine.delta import Delta, concat
from velostream_nb.engine.duck import EvaluationError
from velostream_nb.engine.node import Operator

Output = TypeVar("Output")
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


class Halving(Generic[Output]):
    """Evaluates rows in as few calls as the rows at fault allow.

    Args:
        evaluate: EvaluationError when some row cannot be computed.
        reject: called with a row that failed alone, and the reason.

    Attributes:
        outputs: what `evaluate` gave, in the order of the rows.
    """

    def __init__(self, evaluate: Callable[[pa.Table], Output], reject: Callable[[pa.Table, str], None]) -> None:
        self._evaluate = evaluate
        self._reject = reject
        self._rejected = 0
        self._trusts = True
        self.outputs: list[Output] = []

    def feed(self, rows: pa.Table) -> None:
        """Evaluate all of the rows that can be."""
        try:
            self.outputs.append(self._evaluate(rows))
            return
        except EvaluationError as error:
            if rows.num_rows == 1:
                self._rejected += 1
                self._reject(rows, error.message)
                return
            suspects = error.suspects if self._trusts and error.suspects and error.suspects[-1] < rows.num_rows else ()
        if suspects:
            self._feed_around(rows, suspects)
            return
        half = rows.num_rows // 2
        self.feed(rows.slice(0, half))
        self.feed(rows.slice(half))

    def _feed_around(self, rows: pa.Table, suspects: tuple[int, ...]) -> None:
        """Feed the suspects alone, and the rows between them together; without them once one turns out to be good."""
        start = 0
        for suspect in suspects:
            if suspect > start:
                self.feed(rows.slice(start, suspect - start))
            before = self._rejected
            self.feed(rows.slice(suspect, 1))
            start = suspect + 1
            if self._rejected == before:  # the rows that DuckDB called with are not the rows of this operator
                self._trusts = False
                break
        if start < rows.num_rows:
            self.feed(rows.slice(start))


class _Search:
    def __init__(self, operator: Operator, inputs: list[Delta], reject: Reject) -> None:
        self.operator = operator
        self.inputs = inputs
        self.reject = reject

    def run(self) -> Delta:
        # the watermark moves only in the last step, which brings no rows: windows close over all good rows
        outputs: list[Delta] = []
        for side, delta in enumerate(self.inputs):
            if delta.rows.num_rows:
                outputs += self._fed(side, delta.rows, late=False)
            if delta.late is not None:
                outputs += self._fed(side, delta.late, late=True)
        empty = [Delta(d.rows.slice(0, 0), d.watermark_us, None, d.many) for d in self.inputs]
        last = self.operator.step(empty)
        rows = concat([last.rows, *(o.rows for o in outputs)])
        late = [o.late for o in outputs if o.late is not None]
        return Delta(rows, last.watermark_us, concat(late) if late else None, last.many)

    def _fed(self, side: int, rows: pa.Table, *, late: bool) -> list[Delta]:
        halving = Halving(
            lambda part: self.operator.step(self._partial(side, part, late=late)),
            lambda row, reason: self.reject(self.operator, row, reason),
        )
        halving.feed(rows)
        return halving.outputs

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
