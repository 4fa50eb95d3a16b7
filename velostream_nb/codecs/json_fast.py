"""Blocks of records that share a form, read column by column: what a program writes comes from a few templates.

`json_plan` defines what JSON becomes. What is read here is what it would have read, in half the time and without
holding the interpreter; a record that is not to the last byte of a known form is left to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

import numpy as np
import pyarrow as pa

from velostream_nb.codecs.json_block import Block
from velostream_nb.codecs.json_fill import Binding, Filled, Wanted
from velostream_nb.codecs.json_match import Match, match_all, match_some
from velostream_nb.codecs.json_template import NULL, Bools, Int64s, Template, learn
from velostream_nb.codecs.verdicts import Misfit
from velostream_nb.core.records import Lines
from velostream_nb.core.vectors import vector

LEAST_ROWS = 1_000
"""Fewer records are read sooner one by one: what is done here has a price by the block."""

_MOST_TEMPLATES = 4
_FEW = 16
"""One record in so many may be of no known form before another template is looked for."""
_LEFT_OVER = 5
"""One record in so many may be left to be read one by one; with more, all of them are read sooner that way."""
_MOST_PAUSE = 64
_MOST_BYTES = 2**31 - 1
"""Arrow counts the bytes of a text array in 32 bits."""
_SCRATCH_BYTES = 16 << 20

# glibc gives memory back after every block, and the kernel takes longer to clear it for the next one than we to read
# it, until it has seen that pieces of this size come and go. Nothing is written to it: it costs no memory.
np.empty(_SCRATCH_BYTES, np.uint8)


@dataclass(frozen=True, slots=True)
class Read:
    """Some records as columns.

    Attributes:
        numbers: which record each row is; None when it is every record, in order.
        columns: by name.
        bad: verdicts on records that are no rows, or no good ones, by number.
    """

    numbers: Int64s | None
    columns: dict[str, pa.Array]
    bad: dict[int, Misfit]

    @classmethod
    def of(cls, numbers: Int64s | None, filled: dict[str, Filled], bad: dict[int, Misfit]) -> Self:
        """From columns with their verdicts by row; of several on a record, the first column's counts."""
        for _, verdicts in filled.values():
            for row, verdict in verdicts.items():
                bad.setdefault(row if numbers is None else int(numbers[row]), verdict)
        return cls(numbers, {name: column for name, (column, _) in filled.items()}, bad)


ReadEach: TypeAlias = Callable[[Sequence[bytes | None], Int64s], Read]
"""(records, their numbers) -> them read one by one."""


class FastReader:
    """Reads blocks for one choice of columns, and learns their templates as it goes. Threads may share it.

    After a block that does not pay the next ones are left alone, more of them each time.

    Args:
        read_each: how the records are read that are of no known form.
        least_rows: fewer records are not looked at.
    """

    def __init__(self, wanted: Sequence[Wanted], read_each: ReadEach, *, least_rows: int = LEAST_ROWS) -> None:
        self._wanted = wanted
        self._read_each = read_each
        self._least_rows = max(least_rows, 1)
        # replaced as a whole: another thread sees what was known before or after, and either will do
        self._known: tuple[Binding, ...] = ()
        self._alike = True
        self._pause = 0
        self._left_alone = 0

    def read(self, payload: pa.BinaryArray | Lines) -> Read | None:
        """The records as columns; None when they are better read one by one."""
        if (payload.rows if isinstance(payload, Lines) else len(payload)) < self._least_rows:
            return None
        if self._left_alone > 0:
            self._left_alone -= 1
            return None
        block = Block(payload)
        if len(block.text) > _MOST_BYTES:
            return None
        read = self._read_alike(block) or self._read_mixed(block)
        self._pause = min(2 * self._pause + 1, _MOST_PAUSE) if read is None else 0
        self._left_alone = self._pause
        return read

    def _read_alike(self, block: Block) -> Read | None:
        """The block, when all its records are of the form that was met last."""
        if not (self._known and self._alike and block.is_text) or len(block.aside):
            return None
        binding = self._known[0]
        match = match_all(block, binding.template)
        if match is None or match.quotes().sum() != block.quote_count:
            return None
        match, columns = binding.fill(block.text, match)
        return Read(None, columns, {}) if match.rows == block.rows else None

    def _read_mixed(self, block: Block) -> Read | None:
        """The block, when most of its records are of forms that are known or can be learnt from it."""
        if block.edges is None or not block.is_text:
            return None
        matches = self._matches(block)
        pieces: list[Read] = []
        left = np.ones(block.rows, np.bool_)
        for binding, match in matches:
            match, columns = binding.fill(block.text, match)
            if match.rows:
                pieces.append(Read(match.numbers, columns, {}))
                left[match.numbers] = False
        rest = np.flatnonzero(left)
        if _LEFT_OVER * len(rest) > block.rows:
            return None
        self._alike = len(pieces) == 1 and not len(rest)
        if len(rest):
            pieces.append(self._read_each(block.records(rest), rest))
        return _joined(pieces, block.rows)

    def _matches(self, block: Block) -> list[tuple[Binding, Match]]:
        """Records by the form they are of, the form that most have first; nothing when too many are of none."""
        strange = np.ones(block.rows, np.bool_)  # of no form yet
        strange[block.aside] = False
        found = [(binding, _matched(block, binding, strange)) for binding in self._known]
        for _ in range(_MOST_TEMPLATES):
            if np.count_nonzero(strange) * _FEW <= block.rows or (binding := self._learn(block, strange)) is None:
                break
            found.append((binding, _matched(block, binding, strange)))
            if found[-1][1].rows * _FEW < block.rows:
                break
        strange[block.aside] = True
        left = np.flatnonzero(strange)
        if _LEFT_OVER * len(left) > block.rows:
            return []
        found.sort(key=lambda each: -each[1].rows)
        self._known = tuple(binding for binding, _ in found[:_MOST_TEMPLATES])
        found = [each for each in found if each[1].rows]
        quotes = sum(int(match.quotes().sum()) for _, match in found)
        if quotes + sum((record or b"").count(b'"') for record in block.records(left)) == block.quote_count:
            return found
        # somewhere in a text there is one
        return [(b, match.keep(block.quotes_by_record[match.numbers] == match.quotes())) for b, match in found]

    def _learn(self, block: Block, strange: Bools) -> Binding | None:
        """The form of one of these records, if it can be read fast; where only kinds are new, with the known ones."""
        rows = np.flatnonzero(strange)
        for record in block.records(rows[[0, len(rows) // 2, -1]]):
            if (template := learn(record or b"")) is None:
                continue
            for known in self._known:
                if known.template.literals == template.literals:
                    template = _of_both_kinds(template, known.template)
            binding = Binding(template, self._wanted)
            if binding.usable:
                return binding
        return None


def _of_both_kinds(template: Template, known: Template) -> Template:
    """The template, with the kinds that the other one knows of values that were null in the record learnt from."""
    kinds = [old if new == NULL else new for new, old in zip(template.kinds, known.kinds, strict=True)]
    return replace(template, kinds=tuple(kinds), numbers={**known.numbers, **template.numbers})


def _matched(block: Block, binding: Binding, strange: Bools) -> Match:
    """Those of the records that are of this form, which are then strange no more."""
    match = match_some(block, binding.template, strange)
    strange[match.numbers] = False
    return match


def _joined(pieces: Sequence[Read], rows: int) -> Read:
    """The pieces as one, in the order of the records."""
    bad = {row: verdict for piece in pieces for row, verdict in piece.bad.items()}
    pieces = [piece for piece in pieces if piece.numbers is not None and len(piece.numbers)] or pieces[:1]
    numbers = np.concatenate([piece.numbers for piece in pieces])
    order = None if bool((numbers[1:] > numbers[:-1]).all()) else vector(np.argsort(numbers))
    columns = {}
    for name in pieces[0].columns:
        column = pa.concat_arrays([piece.columns[name] for piece in pieces])
        columns[name] = column if order is None else column.take(order)
    return Read(None if len(numbers) == rows else np.sort(numbers), columns, bad)
