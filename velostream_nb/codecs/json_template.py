"""The form that JSON records of one producer share: which text stands between their values, and how to find it.

Programs write records from a template: the same keys in the same order, with the same white space. Of such a record
`learn` makes a `Template`: literals (all that is not a scalar value) and *marks*, bytes of the literals that are found
in a whole block at once and tell where the literals have to be. Marks are control characters and commas; the commas
are told from those in texts by the quote that follows them, where every key has one (`Template.gap`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

Int64s: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

COMMA, QUOTE, FIRST_PRINTABLE = 0x2C, 0x22, 0x20
TEXT, NUMBER, WORD, NULL = "text", "number", "word", "null"
"""Kinds of values. WORD is true or false; NULL is one that was null in the record learnt from."""

_TOKEN = re.compile(
    rb'(?P<key>"[^"]*"(?=\s*:))|(?P<text>"[^"]*")|(?P<number>-?[0-9][^\s,\]}]*)|(?P<word>true|false)|(?P<null>null)'
    rb"|(?P<open>[{\[])|(?P<close>[}\]])|(?P<between>[\s,:]+)"
)
_WINDOW = 16
"""Bytes that are compared at once; half as many where that will do."""
_MOST_BYTES = 1 << 16
_WIDEST_GAP = 4


@dataclass(frozen=True, slots=True)
class Places:
    """Positions in records, each at a fixed distance from one of the record's anchors.

    The anchors of a record are its start, its marks in order, and its end.
    """

    anchors: slice | list[int]
    distances: Int64s

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]]) -> Places:
        """From (anchor, distance in bytes)."""
        anchors = [anchor for anchor, _ in pairs]
        return cls(selection(anchors), np.array([[distance] for _, distance in pairs], np.int64))

    def within(self, anchors: Int64s) -> Int64s:
        """Positions (places, records), from anchors (anchors, records)."""
        return anchors[self.anchors] + self.distances


@dataclass(frozen=True, slots=True)
class Windows:
    """Pieces of literals, each as many words of eight bytes: where they stand, and what is to be read there.

    Attributes:
        expected, masks: uint64 (words, windows, 1); bytes outside of the mask may be anything, and are 0 in `expected`.
    """

    places: Places
    expected: npt.NDArray[np.uint64]
    masks: npt.NDArray[np.uint64]
    bytes: int = field(init=False)
    dtype: np.dtype[np.void] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bytes", 8 * len(self.expected))
        object.__setattr__(self, "dtype", np.dtype(f"V{self.bytes}"))


@dataclass(frozen=True, slots=True)
class Template:
    """What records of one form have in common.

    Attributes:
        literals: the texts around the values: one more than there are values.
        kinds: of each value.
        numbers: of each value that is a number, how many points it had among digits in the record learnt from; -1
            where there was something else in it.
        fields: by top-level key, the number of its value; None where it is a list or an object.
        gap: how far behind a comma the quote of the next key stands; 0 when commas are told by nothing.
        marks: how many there are in a record.
        least_bytes: no record of this form is shorter.
        least_before, least_after: the fewest bytes that a record has before and after each of its anchors.
        windows: what has to be read where, so that every literal is verified.
        starts, ends: where values start and stop.
        by_kind: the numbers of the values of each kind, as an index.
        quotes: how many a record has that has no nulls.
    """

    literals: tuple[bytes, ...]
    kinds: tuple[str, ...]
    numbers: Mapping[int, int]
    fields: Mapping[str, int | None]
    gap: int
    marks: int
    least_bytes: int
    least_before: Int64s
    least_after: Int64s
    windows: tuple[Windows, ...]
    starts: Places
    ends: Places
    by_kind: Mapping[str, slice | list[int]] = field(init=False)
    quotes: int = field(init=False)

    def __post_init__(self) -> None:
        by_kind = {
            kind: selection([number for number, each in enumerate(self.kinds) if each == kind])
            for kind in dict.fromkeys(self.kinds)
        }
        object.__setattr__(self, "by_kind", by_kind)
        in_literals = sum(literal.count(b'"') for literal in self.literals)
        object.__setattr__(self, "quotes", in_literals + 2 * self.kinds.count(TEXT))


def selection(numbers: Sequence[int]) -> slice | list[int]:
    """These numbers as an index, a slice where that will do: numpy then makes no copy."""
    steps = {after - before for before, after in pairwise(numbers)} or {1}
    if not numbers or len(steps) > 1 or min(steps) < 1:
        return list(numbers)
    return slice(numbers[0], numbers[-1] + 1, steps.pop())


def mark_bytes(text: Bytes, quotes: Bools, gap: int) -> Bools:
    """Which bytes are marks.

    Args:
        quotes: which bytes are quotes.
        gap: see `Template`.
    """
    found: Bools = text == COMMA
    if gap:
        found[:-gap] &= quotes[gap:]
        found[-gap:] = False
    found |= text < FIRST_PRINTABLE
    return found


def learn(record: bytes) -> Template | None:
    """The template of a record; None when it has none that pays: no object, escapes, keys that repeat, too small."""
    if b"\\" in record or len(record) > _MOST_BYTES:
        return None
    try:
        if not isinstance(msgspec.json.decode(record), dict):
            return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    form = _Form.read(record)
    if form is None:
        return None
    for gap in (form.gap(), 0):
        if (placed := form.placed(gap)) is not None:
            return placed
    return None


@dataclass(frozen=True, slots=True)
class _Form:
    """A record taken to pieces."""

    record: bytes
    values: list[tuple[int, int]]
    kinds: list[str]
    fields: dict[str, int | None]

    @classmethod
    def read(cls, record: bytes) -> _Form | None:
        values: list[tuple[int, int]] = []
        kinds: list[str] = []
        fields: dict[str, int | None] = {}
        depth, key = 0, None
        for token in _TOKEN.finditer(record):
            kind = token.lastgroup
            if kind == "open":
                depth += 1
                if depth == 2 and key is not None:
                    fields[key], key = None, None
            elif kind == "close":
                depth -= 1
            elif kind == "key":
                if depth == 1:
                    key = token[0][1:-1].decode()
                    if key in fields:
                        return None
            elif kind in (TEXT, NUMBER, WORD, NULL):
                if depth == 1 and key is not None:
                    fields[key], key = len(values), None
                values.append(token.span())
                kinds.append(kind)
        return cls(record, values, kinds, fields) if values else None

    def literals(self) -> list[tuple[int, int]]:
        """Where they are."""
        edges = [0, *(edge for value in self.values for edge in value), len(self.record)]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def gap(self) -> int:
        """The distance from comma to quote that all literals between values have; 0 when there is none."""
        found = set()
        for start, stop in self.literals()[1:-1]:
            literal = self.record[start:stop]
            found.add(literal.find(b'"', literal.find(b",")) - literal.find(b","))
        return found.pop() if len(found) == 1 and 0 < min(found) <= _WIDEST_GAP else 0

    def placed(self, gap: int) -> Template | None:
        """The template, when every literal between two values has a mark, and no value has one."""
        text = np.frombuffer(self.record, np.uint8)
        marks = np.flatnonzero(mark_bytes(text, text == QUOTE, gap)).tolist()
        literals = self.literals()
        anchors: list[list[int]] = []  # of each literal, the numbers of its marks among the anchors
        for start, stop in literals:
            anchors.append([number for number, mark in enumerate(marks, 1) if start <= mark < stop])
        if sum(map(len, anchors)) != len(marks) or not all(anchors[1:-1]):
            return None
        positions = [0, *marks, len(self.record)]
        anchors[0].insert(0, 0)
        anchors[-1].append(len(positions) - 1)
        pieces = self._windows(literals, anchors, positions)
        if pieces is None:
            return None
        starts = [(known[-1], stop - positions[known[-1]]) for (_, stop), known in zip(literals, anchors, strict=True)]
        ends = [(known[0], start - positions[known[0]]) for (start, _), known in zip(literals, anchors, strict=True)]
        texts = [self.record[start:stop] for start, stop in self.values]
        return Template(
            literals=tuple(self.record[start:stop] for start, stop in literals),
            kinds=tuple(self.kinds),
            numbers={
                at: text.count(b".") if text.replace(b".", b"").isdigit() else -1
                for at, (kind, text) in enumerate(zip(self.kinds, texts, strict=True))
                if kind == NUMBER
            },
            fields=self.fields,
            gap=gap,
            marks=len(marks),
            least_bytes=len(self.record) - self._slack(0, len(self.record)),
            least_before=np.array([at - self._slack(0, at) for at in positions]),
            least_after=np.array([len(self.record) - at - self._slack(at, len(self.record)) for at in positions]),
            windows=pieces,
            starts=Places.of(starts[:-1]),
            ends=Places.of(ends[1:]),
        )

    def _slack(self, first: int, last: int) -> int:
        """By how much the values between two positions could be shorter: to one byte each."""
        return sum(stop - start - 1 for start, stop in self.values if first <= start and stop <= last)

    def _windows(
        self, literals: list[tuple[int, int]], anchors: list[list[int]], positions: list[int]
    ) -> tuple[Windows, ...] | None:
        """Windows over all bytes of all literals; None when one could reach over the edge of a block.

        A window that is wider than what it verifies begins with it, or stops with it: where the record, with values of
        one byte each, is sure to have room.
        """
        sizes = [stop - start for start, stop in literals]
        turns: dict[tuple[int, int], list[tuple[int, int, bytes, bytes]]] = {}
        before = 0  # bytes of a record that are surely there before this literal
        after = sum(sizes) + len(sizes) - 1
        for number, (start, stop) in enumerate(literals):
            least = _WINDOW // 2 if stop - start <= _WINDOW // 2 else _WINDOW
            backward = before + stop - start >= least
            if not backward and after < least:
                return None
            anchor = anchors[number][0]
            for turn, first in enumerate(range(start, stop, _WINDOW)):
                piece = self.record[first : min(first + _WINDOW, stop)]
                width = _WINDOW if len(piece) > _WINDOW // 2 else _WINDOW // 2
                mask = b"\xff" * len(piece)
                if backward:
                    first -= width - len(piece)
                    piece, mask = piece.rjust(width, b"\0"), mask.rjust(width, b"\0")
                piece, mask = piece.ljust(width, b"\0"), mask.ljust(width, b"\0")
                turns.setdefault((turn, width), []).append((anchor, first - positions[anchor], piece, mask))
            before += stop - start + 1
            after -= stop - start + 1
        return tuple(map(_verified, turns.values()))


def _verified(pieces: Sequence[tuple[int, int, bytes, bytes]]) -> Windows:
    places = Places.of([(anchor, distance) for anchor, distance, _, _ in pieces])
    expected, masks = (
        np.frombuffer(b"".join(words), np.uint64).reshape(len(pieces), -1).T[:, :, None].copy()
        for words in zip(*((piece, mask) for _, _, piece, mask in pieces), strict=True)
    )
    return Windows(places, expected, masks)
