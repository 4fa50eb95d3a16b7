"""Many statements in one text: where each begins and ends, the file's header, the annotations above a statement."""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from velostream_nb.core.errors import Place
from velostream_nb.sql.lex import Scan, Token, scan

# up to three words before the colon, so that prose ("as we saw before: …") is not taken for a name
_NAMED = re.compile(r"--+\s*(?P<at>@)?(?P<key>[A-Za-z][\w.-]*(?: [\w.-]+){0,2})\s*:(?:\s+(?P<value>.*)|$)")


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement before it is read: its tokens, and what the comments above it say."""

    scan: Scan
    tokens: list[Token]
    place: Place
    annotations: Mapping[str, str]

    @property
    def text(self) -> str:
        """The statement as written, without the closing semicolon and the comments around it."""
        return self.scan.text[self.tokens[0].start : self.tokens[-1].end]


def split(text: str) -> tuple[list[Piece], dict[str, str]]:
    """The statements of a text and its header.

    Empty statements are skipped. The annotations of a statement are the ``-- Name: value`` lines in the unbroken run
    of comment lines that ends directly above it. The header is those lines before the first statement that are not
    its annotations; where there is one run only, it is both (``-- @name: value`` is never part of the header).
    Keys are lower-cased; the values of a repeated key are joined by newlines.

    Raises:
        ParseError: a string, quoted name or comment that is never closed.
    """
    whole = scan(text)
    runs: list[list[Token]] = [[]]
    for token in whole.tokens:
        if token.kind == "op" and token.text == ";":
            runs.append([])
        else:
            runs[-1].append(token)
    runs = [run for run in runs if run]
    lines = _comment_lines(whole)
    at = _line_offsets(text)
    pieces = [Piece(whole, run, _place(text, at, run[0]), _named(_above(whole, run[0].start, lines))) for run in runs]
    first = runs[0][0].start if runs else len(text)
    header = [line for start, line in lines.values() if start < first]
    own = len(_above(whole, first, lines)) if runs else 0
    header = header[: len(header) - own] or header
    return pieces, _named(line for line in header if not re.match(r"--+\s*@", line))


def _line_offsets(text: str) -> list[int]:
    """Where each line begins, counted as `place_at` does, but once for all statements of a long text."""
    return [0, *itertools.accumulate(len(line) for line in text.splitlines(keepends=True))]


def _place(text: str, at: list[int], token: Token) -> Place:
    line = bisect.bisect_right(at, token.start)
    return Place(text, line, token.start - at[line - 1] + 1, token.end - token.start)


def _comment_lines(whole: Scan) -> dict[int, tuple[int, str]]:
    """Line comments that stand alone on their line: offset of the line's first character to (offset, comment)."""
    found: dict[int, tuple[int, str]] = {}
    for start, end in whole.comments:
        line = _line_start(whole.text, start)
        if whole.text.startswith("--", start) and not whole.text[line:start].strip():
            found[line] = (start, whole.text[start:end].rstrip())
    return found


def _above(whole: Scan, start: int, lines: Mapping[int, tuple[int, str]]) -> list[str]:
    """The run of comment lines directly above the line of `start`, top first."""
    run: list[str] = []
    line = _line_start(whole.text, start)
    while line > 0:
        line = _line_start(whole.text, line - 1)
        if line not in lines:
            break
        run.append(lines[line][1])
    return run[::-1]


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _named(lines: Iterable[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for line in lines:
        if found := _NAMED.match(line):
            key, value = found["key"].lower(), (found["value"] or "").strip()
            named[key] = f"{named[key]}\n{value}" if key in named else value
    return named
