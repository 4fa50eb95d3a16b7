"""Compaction: of a changelog's old records, those that later ones have made void are removed; offsets stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.brokers.payload import concat_payloads, joinable, payload_bytes
from velostream_nb.brokers.segment import Segment, join_keys
from velostream_nb.core.identity import combined, identity
from velostream_nb.core.records import OP, Lines
from velostream_nb.core.vectors import flags_in, integers_in, vector

Mask = npt.NDArray[np.bool_]


def compacted(segments: Sequence[Segment], changelog: str, forget: int) -> list[Segment] | None:
    """The segments without what is void among them; None when the records do not tell.

    Args:
        changelog: 'upsert': the newest record of each key stays, its delete too, for readers that have seen the row;
            'single': the same where there is no key, and one row in all; 'retract': what comes and goes is removed.
        forget: deletes of keys before this offset go as well: whoever reads so far behind has been told.
    """
    kept = _standing(segments) if changelog == "retract" else _newest(segments, forget, keyed=changelog == "upsert")
    if kept is None:
        return None
    groups: list[list[Segment]] = []
    at = 0
    for segment in segments:
        mask = kept[at : at + segment.rows]
        at += segment.rows
        if not mask.any():
            continue
        piece = segment if mask.all() else _picked(segment, mask)
        if groups and joinable(groups[-1][0].payload, piece.payload):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [_joined(group) for group in groups]


def _newest(segments: Sequence[Segment], forget: int, *, keyed: bool) -> Mask | None:
    """Which records are the last of their key; None when one has none."""
    rows = sum(segment.rows for segment in segments)
    if not keyed:
        last = np.zeros(rows, dtype=np.bool_)
        last[-1:] = True
        return last
    if any(segment.keys is None or segment.keys.null_count for segment in segments):
        return None
    codes = integers_in(pa.concat_arrays([s.keys for s in segments]).dictionary_encode().indices)
    last = np.zeros(rows, dtype=np.bool_)
    last[rows - 1 - np.unique(codes[::-1], return_index=True)[1]] = True
    at = 0
    for segment in segments:
        last[at : at + segment.rows] &= ~(_deletes(segment) & (segment.offsets(0, segment.rows) < forget))
        at += segment.rows
    return last


def _deletes(segment: Segment) -> Mask:
    payload = segment.payload
    if isinstance(payload, pa.RecordBatch) and OP in payload.schema.names:
        gone = pc.fill_null(pc.equal(payload.column(OP), "delete"), False)
    elif isinstance(payload, pa.BinaryArray):
        gone = pc.is_null(payload)
    else:
        return np.zeros(segment.rows, dtype=np.bool_)
    return flags_in(gone)


def _standing(segments: Sequence[Segment]) -> Mask | None:
    """Which rows of a bag stand: of equal rows the last ones, as many as more of them came than went."""
    batches = [segment.payload for segment in segments if isinstance(segment.payload, pa.RecordBatch)]
    if len(batches) < len(segments) or not all(batch.schema.equals(batches[0].schema) for batch in batches):
        return None
    table = pa.Table.from_batches(batches)
    rows = table.drop_columns([OP]) if OP in table.column_names else table
    codes = np.unique(combined(map(identity, rows.columns), rows.num_rows)[0], return_inverse=True)[1]
    gone = np.concatenate([_deletes(segment) for segment in segments])
    net = np.bincount(codes, weights=np.where(gone, -1, 1)).astype(np.int64)
    kept = np.zeros(table.num_rows, dtype=np.bool_)
    for which, wanted in ((np.flatnonzero(~gone), net), (np.flatnonzero(gone), -net)):
        order = which[np.argsort(codes[which], kind="stable")]
        of = codes[order]
        ends = np.searchsorted(of, of, side="right")
        kept[order[ends - np.arange(len(of)) <= wanted[of]]] = True
    return kept


def _picked(segment: Segment, mask: Mask) -> Segment:
    """Some records of a segment, each at its place."""
    payload = segment.payload
    assert not isinstance(payload, Lines), "lines have no keys, so they are never compacted"
    rows = int(mask.sum())
    picked = payload.filter(vector(mask))
    offsets, positions = segment.offsets(0, segment.rows)[mask], segment.positions()[mask]
    keys = None if segment.keys is None else segment.keys.filter(vector(mask))
    times = segment.times(0, segment.rows)[mask]
    size = payload_bytes(picked)
    return Segment(int(offsets[0]), int(positions[0]), rows, size, picked, keys, times, (offsets, positions))


def _joined(segments: Sequence[Segment]) -> Segment:
    """One segment of neighbours, with gaps between them or not."""
    first = segments[0]
    offsets = np.concatenate([segment.offsets(0, segment.rows) for segment in segments])
    positions = np.concatenate([segment.positions() for segment in segments])
    times = np.concatenate([segment.times(0, segment.rows) for segment in segments])
    keys = join_keys([(segment.keys, segment.rows) for segment in segments])
    payload = concat_payloads([segment.payload for segment in segments])
    size = sum(segment.bytes for segment in segments)
    places = (offsets, positions)
    return Segment(first.base, first.position, len(offsets), size, payload, keys, times, places)
