"""Records of a block held against a template: which are of its form to the last byte, and where their values are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from velostream_nb.codecs.json_block import Block
from velostream_nb.codecs.json_template import NUMBER, QUOTE, TEXT, WORD, Bools, Bytes, Int64s, Template

_MINUS, _POINT, _ZERO, _ONE, _NINE, _EXPONENT = b"-.019e"


@dataclass(frozen=True, slots=True)
class Match:
    """Records that are of a template's form. Their texts are texts and their numbers look like numbers.

    What is left to be seen: that texts have no quotes, backslashes or bytes that are not UTF-8 in them (the whole
    block tells), and that numbers are numbers in their middle as well.

    Attributes:
        numbers: of the records; None when it is all of the block, in order.
        starts, ends: of the values (values, records), texts with their quotes.
        nulls: which values are null (values, records); None when none is.
    """

    template: Template
    numbers: Int64s | None
    starts: Int64s
    ends: Int64s
    nulls: Bools | None

    @property
    def rows(self) -> int:
        return len(self.starts[0])

    def keep(self, kept: Bools) -> Match:
        """Only these of the records."""
        numbers = np.flatnonzero(kept) if self.numbers is None else self.numbers[kept]
        nulls = None if self.nulls is None else self.nulls.compress(kept, axis=1)
        starts, ends = self.starts.compress(kept, axis=1), self.ends.compress(kept, axis=1)
        return Match(self.template, numbers, starts, ends, nulls)

    def quotes(self) -> Int64s:
        """How many quotes each record has, if there are none inside of its texts."""
        counts = np.full(self.rows, self.template.quotes)
        if self.nulls is None or TEXT not in self.template.by_kind:
            return counts
        nulls: Int64s = self.nulls[self.template.by_kind[TEXT]].sum(axis=0)
        return counts - 2 * nulls


def match_all(block: Block, template: Template) -> Match | None:
    """The match of a block all of whose records are of the template's form; None for any other block."""
    anchors = block.anchors(template)
    if (
        anchors is None
        or _misplaced(template, anchors) is not None
        or _unlike(block.text, template, anchors) is not None
    ):
        return None
    match, misfits = _classified(block.text, template, None, anchors)
    return match if misfits is None else None


def match_some(block: Block, template: Template, wanted: Bools) -> Match:
    """The match of those of the wanted records that are of the template's form, perhaps of none."""
    numbers, anchors = block.anchors_of(template, wanted)
    if len(numbers) and (misplaced := _misplaced(template, anchors)) is not None:
        numbers, anchors = numbers[~misplaced], anchors.compress(~misplaced, axis=1)
    if len(numbers) and (unlike := _unlike(block.text, template, anchors)) is not None:
        numbers, anchors = numbers[~unlike], anchors.compress(~unlike, axis=1)
    if not len(numbers):
        nothing = np.empty((len(template.kinds), 0), np.int64)
        return Match(template, np.empty(0, np.int64), nothing, nothing, None)
    match, misfits = _classified(block.text, template, numbers, anchors)
    return match if misfits is None else match.keep(~misfits)


def _misplaced(template: Template, anchors: Int64s) -> Bools | None:
    """Which records are shorter than any of the form, or have a mark too near to an edge of the block.

    What is left may be read at all places where the template has something.
    """
    misplaced = anchors[-1] - anchors[0] < template.least_bytes
    # the records between are as far from the edges as the first and the last one are long
    misplaced[0] |= (anchors[:, 0] - anchors[0, 0] < template.least_before).any()
    misplaced[-1] |= (anchors[-1, -1] - anchors[:, -1] < template.least_after).any()
    return misplaced if misplaced.any() else None


def _unlike(text: Bytes, template: Template, anchors: Int64s) -> Bools | None:
    """Which records have another text where a literal has to be; None when all have the literals."""
    unlike = None
    for windows in template.windows:
        at = windows.places.within(anchors)
        pieces = np.ndarray((len(text) - windows.bytes + 1,), windows.dtype, text, 0, (1,))[at]
        words = pieces.view(np.uint64).reshape(*at.shape, -1)
        for number, (expected, mask) in enumerate(zip(windows.expected, windows.masks, strict=True)):
            differ = words[:, :, number] & mask != expected
            if differ.any():
                found = differ.any(axis=0)
                unlike = found if unlike is None else unlike | found
    return unlike


def _classified(text: Bytes, template: Template, numbers: Int64s | None, anchors: Int64s) -> tuple[Match, Bools | None]:
    """The match of records whose literals are right, and which of them have values of other kinds, None for none."""
    starts, ends = template.starts.within(anchors), template.ends.within(anchors)
    fit = starts < ends
    firsts, lasts = text[starts], text[ends - 1]
    for kind, values in template.by_kind.items():
        first, last = firsts[values], lasts[values]
        if kind == NUMBER:  # uint8 wraps around: one comparison for both bounds
            fit[values] &= (first - _ONE <= _NINE - _ONE) & (last - _ZERO <= _NINE - _ZERO)
        elif kind == TEXT:
            fit[values] &= (first == QUOTE) & (last == QUOTE) & (ends[values] - starts[values] > 1)
        elif kind == WORD:
            places = text, starts[values], ends[values]
            fit[values] &= _are(*places, b"true") | _are(*places, b"false")
        else:
            fit[values] = False
    return _settled(text, Match(template, numbers, starts, ends, None), fit)


def _settled(text: Bytes, match: Match, fit: Bools) -> tuple[Match, Bools | None]:
    """The match with a closer look at the values that do not fit at first sight: nulls, and numbers below one."""
    if fit.all():
        return match, None
    values = np.nonzero(~fit)
    starts, ends = match.starts[values], match.ends[values]
    null = _are(text, starts, ends, b"null")
    fit[values] = null | (np.array(match.template.kinds)[values[0]] == NUMBER) & _begin_well(text, starts, ends)
    misfits: Bools = np.logical_not(fit.all(axis=0))
    if null.any():
        nulls = np.zeros(fit.shape, np.bool_)
        nulls[values] = null
        match = replace(match, nulls=nulls)
    return match, misfits if misfits.any() else None


def _begin_well(text: Bytes, starts: Int64s, ends: Int64s) -> Bools:
    """Whether values begin and stop as numbers do: no zeros, points or signs where JSON has none.

    ``-0`` is left out: as DOUBLE it is 0.0 to one reader and -0.0 to another.
    """
    minus = text[starts] == _MINUS
    starts = starts + minus
    first, size = text[starts], ends - starts
    second = text[np.minimum(starts + 1, len(text) - 1)]
    follows = (second == _POINT) | (second | 0x20 == _EXPONENT)
    zero = (first == _ZERO) & np.where(size > 1, follows, ~minus)
    well: Bools = (size > 0) & (zero | (first - _ONE <= _NINE - _ONE)) & (text[ends - 1] - _ZERO <= _NINE - _ZERO)
    return well


def _are(text: Bytes, starts: Int64s, ends: Int64s, word: bytes) -> Bools:
    """Which of the values are this word of four bytes, or of five."""
    last = np.frombuffer(word[-4:], np.uint32)[0]
    size = len(word)
    windows = np.ndarray((len(text) - 3,), np.uint32, text, 0, (1,))
    fits: Bools = (ends - starts == size) & (windows[ends - 4] == last)
    return fits if size == 4 else fits & (text[starts] == word[0])
