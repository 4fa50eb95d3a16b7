"""Text files cut into blocks of whole records, in bounded memory: at most a block and one unfinished record are held.

A byte order mark, CRLF, blank lines and a missing last newline are taken care of here, so that what comes out obeys
`core.records.Lines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from velostream_nb.brokers.payload import line_ends
from velostream_nb.core.errors import BrokerError

BLOCK_BYTES = 1 << 20
MAX_RECORD_BYTES = 16 << 20
FAULT_RAW_BYTES = 64 << 10
"""How much of a record over the limit is kept for the dead-letter topic."""

_UTF8_MARK = b"\xef\xbb\xbf"
_QUOTE = 0x22


class ByteSource(Protocol):
    """Where the bytes come from."""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""


class Block(NamedTuple):
    """A run of whole records, or one record that is too big.

    Attributes:
        data: the records, each with its newline (the last one may lack it); of a faulty one, its first bytes.
        ends: where each record stops in `data`, newline excluded.
        fault: why the record cannot be read; None for good ones.
    """

    data: bytes
    ends: npt.NDArray[np.int64]
    fault: str | None = None

    @property
    def rows(self) -> int:
        return len(self.ends)


def record_blocks(
    source: ByteSource,
    *,
    quoted: bool = False,
    block_bytes: int = BLOCK_BYTES,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[Block]:
    """Blocks of whole records, until the source is at its end.

    Args:
        quoted: newlines between double quotes do not end a record (CSV).
    """
    held = b""
    first, skipping = True, False
    while True:
        chunk = source.read(max(block_bytes, len(_UTF8_MARK)) if first else block_bytes)
        if not chunk:
            break
        if first:
            chunk, first = _without_mark(chunk), False
        if skipping:
            after = chunk.find(b"\n")
            if after < 0:
                continue
            chunk, skipping = chunk[after + 1 :], False
        whole, held = _whole_records(held, chunk, quoted)
        yield from _checked(whole, quoted, max_record_bytes)
        while len(held) > max_record_bytes:
            # perhaps an endless line, perhaps a quote that never closes: give up its first line and go on after it
            yield _too_big(held, max_record_bytes)
            after = held.find(b"\n")
            if after < 0:
                held, skipping = b"", True
                break
            held = held[after + 1 :]
            stop = _last_end(held, quoted) + 1
            yield from _checked(held[:stop], quoted, max_record_bytes)
            held = held[stop:]
    yield from _rest(held, quoted, max_record_bytes)


def _whole_records(held: bytes, chunk: bytes, quoted: bool) -> tuple[bytes, bytes]:
    """What is held of a record and what follows it, as whole records and the beginning of the next one."""
    if quoted:
        held += chunk
        stop = _last_end(held, quoted) + 1
        return held[:stop], held[stop:]
    stop = chunk.rfind(b"\n") + 1
    if stop == 0:
        return b"", held + chunk
    return b"".join((held, memoryview(chunk)[:stop])), chunk[stop:]


def _rest(held: bytes, quoted: bool, max_record_bytes: int) -> Iterator[Block]:
    """What is left at the end of the file: a last record without newline, or a quote that never closed."""
    while held:
        if not quoted or held.count(b'"') % 2 == 0:
            yield from _checked(held, quoted, max_record_bytes)
            return
        line, _, held = held.partition(b"\n")
        yield Block(line[:FAULT_RAW_BYTES], np.array([len(line)]), "a quote is not closed")
        stop = _last_end(held, quoted) + 1
        yield from _checked(held[:stop], quoted, max_record_bytes)
        held = held[stop:]


def _without_mark(chunk: bytes) -> bytes:
    if chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise BrokerError("the file is UTF-16 text", hint="save it as UTF-8")
    return chunk.removeprefix(_UTF8_MARK)


def _last_end(data: bytes, quoted: bool) -> int:
    """Position of the last newline that ends a record; -1 when there is none."""
    if not quoted or b'"' not in data:
        return data.rfind(b"\n")
    ends = _record_ends(data, quoted)
    ends = ends[ends < len(data)]
    return int(ends[-1]) if len(ends) else -1


def _record_ends(data: bytes, quoted: bool) -> npt.NDArray[np.int64]:
    """Where records end: newlines, but not those with an odd number of quotes before them (RFC 4180)."""
    ends = line_ends(data)
    if not quoted or b'"' not in data:
        return ends
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)
    outside: npt.NDArray[np.int64] = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return outside


def _checked(data: bytes, quoted: bool, max_record_bytes: int) -> Iterator[Block]:
    """The records of `data` without blank lines, with those over the limit set apart, in order."""
    if not data:
        return
    ends = _record_ends(data, quoted)
    starts = np.concatenate(([0], ends[:-1] + 1))
    if _may_have_blanks(data, starts, ends):
        data = b"".join(
            data[a:b] + b"\n"
            for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
            if not data[a:b].isspace() and b > a
        )
        ends = _record_ends(data, quoted)
        starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
    done = 0
    for big in np.flatnonzero(ends - starts > max_record_bytes).tolist():
        if big > done:
            yield _cut(data, starts, ends, done, big)
        yield _too_big(data[starts[big] : ends[big]], max_record_bytes)
        done = big + 1
    if done < len(ends):
        yield _cut(data, starts, ends, done, len(ends))


def _cut(data: bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], first: int, last: int) -> Block:
    if first == 0 and last == len(ends):
        return Block(data, ends)
    base = int(starts[first])
    return Block(data[base : int(ends[last - 1]) + 1], ends[first:last] - base)


def _may_have_blanks(data: bytes, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> bool:
    """False when no record is empty or begins with white space: true of nearly every file, and quickly seen."""
    if bool((ends == starts).any()):
        return True
    begins = np.frombuffer(data, np.uint8)[starts]
    return bool(np.isin(begins, np.frombuffer(b" \t\r", np.uint8)).any())


def _too_big(record: bytes, max_record_bytes: int) -> Block:
    kept = record[:FAULT_RAW_BYTES].partition(b"\n")[0]
    reason = f"the record is longer than {max_record_bytes} bytes, or a quote in it is not closed"
    return Block(kept, np.array([len(kept)]), reason)
