"""How sessions talk over HTTP: what server and client agree on, as JSON and as one kind of binary body.

A *bundle* is the binary body: four bytes of magic, the length of a JSON header (4 bytes, little endian), the header,
then Arrow IPC streams, one a table, in the order and with the byte lengths that the header's ``tables`` names. Several
tables of one moment so travel in one answer.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from velostream_nb.core import errors
from velostream_nb.core.errors import Place, ServerError, VeloError
from velostream_nb.core.model import Frame, JobInfo, JobState, Result, TopicInfo

ARROW = "application/vnd.apache.arrow.stream"
"""One Arrow IPC stream."""
BUNDLE = "application/vnd.velo.bundle"
"""Several tables and a header; see `pack_bundle`."""
JSON = "application/json"
ROWS = "application/vnd.velo.rows+json"
"""JSON rows with tags for what JSON has no word for; see `values_to_json`."""
RAW_COLUMN = "__value"
"""The only column of the Arrow stream in which raw records (bytes) are produced."""

_MAGIC = b"VELO"
_LENGTH = struct.Struct("<4sI")

ERRORS: dict[str, type[VeloError]] = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VeloError)
}
"""Every class of the error tree by name."""


# -- errors ---------------------------------------------------------------------------------------------------------


def error_to_json(error: VeloError) -> dict[str, Any]:
    """The error as data; a class that is not in the tree travels as its nearest ancestor that is."""
    name = next(kind.__name__ for kind in type(error).__mro__ if ERRORS.get(kind.__name__) is kind)
    return {
        "error": name,
        "message": error.message,
        "hint": error.hint,
        "place": None if error.place is None else asdict(error.place),
    }


def error_from_json(data: Any) -> VeloError:
    """The inverse of `error_to_json`; anything else becomes a `ServerError` that shows what came."""
    match data:
        case {"error": str(name), "message": str(message)}:
            found = Place(**place) if isinstance(place := data.get("place"), dict) else None
            return ERRORS.get(name, ServerError)(message, hint=data.get("hint"), place=found)
        case {"message": str(message)}:
            return ServerError(message)
        case _:
            return ServerError(f"the server's error is not one we know: {str(data)[:200]}")


# -- infos ----------------------------------------------------------------------------------------------------------


def job_to_json(info: JobInfo) -> dict[str, Any]:
    """A job as data; the state by its word."""
    return {**asdict(info), "state": info.state.value}


def job_from_json(data: Mapping[str, Any]) -> JobInfo:
    """The inverse of `job_to_json`."""
    tuples = {name: tuple(data[name]) for name in ("inputs", "notes")}
    return JobInfo(**{**data, **tuples, "state": JobState(data["state"])})


def topic_to_json(info: TopicInfo) -> dict[str, Any]:
    """A topic as data."""
    return asdict(info)


def topic_from_json(data: Mapping[str, Any]) -> TopicInfo:
    """The inverse of `topic_to_json`."""
    return TopicInfo(**{**data, "key": tuple(data["key"])})


# -- values ---------------------------------------------------------------------------------------------------------

_TAG = "__velo"
"""Key of the objects that stand for what JSON has no word for; no column may have such a name."""

_PARSERS: dict[str, Callable[[str], object]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda text: timedelta(microseconds=int(text)),
    "decimal": Decimal,
    "bytes": bytes.fromhex,
}


def values_to_json(value: Any) -> bytes:
    """Rows or parameters as JSON; what JSON has no word for becomes ``{"__velo": type, "value": text}``.

    numpy's scalars and arrays become plain, pandas' NA and NaT become null.

    Raises:
        TypeError: a value of no kind that records can hold.
        ValueError: a value that holds itself, or a text that is no Unicode.
    """
    return json.dumps(value, default=_tagged).encode()


def values_from_json(data: bytes) -> Any:
    """The inverse of `values_to_json`; tuples come back as lists.

    Raises:
        ValueError: it is not JSON, or has a tag that is none of ours.
    """
    return json.loads(data, object_hook=_untagged)


def _tagged(value: Any) -> Any:
    match value:
        case _ if type(value).__name__ in ("NaTType", "NAType"):
            return None
        case datetime():  # before date, whose subclass it is
            return {_TAG: "datetime", "value": value.isoformat()}
        case date():
            return {_TAG: "date", "value": value.isoformat()}
        case time():
            return {_TAG: "time", "value": value.isoformat()}
        case timedelta():
            return {_TAG: "timedelta", "value": str(value // timedelta(microseconds=1))}
        case Decimal():
            return {_TAG: "decimal", "value": str(value)}
        case bytes() | bytearray():
            return {_TAG: "bytes", "value": value.hex()}
        case UUID():
            return str(value)
        case Mapping():
            return dict(value)
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        # nanoseconds would become a bare number
        return (value.astype("datetime64[us]") if str(value.dtype).startswith("datetime64") else value).tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _untagged(found: dict[str, Any]) -> Any:
    if _TAG not in found:
        return found
    parser = _PARSERS.get(str(found[_TAG]))
    if parser is None or not isinstance(found.get("value"), str):
        raise ValueError(f"not a value of ours: {json.dumps(found, default=str)[:200]}")
    try:
        return parser(found["value"])
    except ArithmeticError as error:  # what Decimal raises
        raise ValueError(f"not a decimal: {found['value'][:80]!r}") from error


# -- tables ---------------------------------------------------------------------------------------------------------


def pack_table(table: pa.Table) -> pa.Buffer:
    """One Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpack_table(data: bytes | pa.Buffer) -> pa.Table:
    """The inverse of `pack_table`; the rows share the memory of `data`.

    Raises:
        ServerError: it is no such stream.
    """
    try:
        with pa.ipc.open_stream(data) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError) as error:
        raise ServerError(f"the body is not an Arrow stream: {error}") from error


def pack_bundle(header: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> bytes:
    """A JSON header and tables by name, as one body."""
    streams = {name: pack_table(table) for name, table in tables.items()}
    sizes = [[name, stream.size] for name, stream in streams.items()]
    head = json.dumps({**header, "tables": sizes}).encode()
    head += b" " * (-len(head) % 8)  # what follows is read in place, and Arrow wants its numbers aligned
    return b"".join([_LENGTH.pack(_MAGIC, len(head)), head, *streams.values()])


def unpack_bundle(data: bytes) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """The inverse of `pack_bundle`.

    Raises:
        ServerError: it is no bundle, or it is cut short.
    """
    whole = pa.py_buffer(data)
    try:
        magic, length = _LENGTH.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("no magic")
        at = _LENGTH.size + length
        header = json.loads(data[_LENGTH.size : at])
        sizes: Sequence[tuple[str, int]] = header.pop("tables")
        if at + sum(size for _, size in sizes) != len(data):
            raise ValueError("cut short")
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServerError(f"the server's answer is not a bundle of tables ({error})") from error
    tables = {}
    for name, size in sizes:
        tables[name] = unpack_table(whole.slice(at, size))
        at += size
    return header, tables


# -- frames and results ---------------------------------------------------------------------------------------------


def pack_frames(frames: Mapping[str, Frame]) -> bytes:
    """Frames of one moment as a bundle."""
    header = {
        t: {"next": f.next, "skipped": f.skipped, "total": f.total, "changelog": f.changelog, "key": list(f.key)}
        for t, f in frames.items()
    }
    tables = {topic: frame.rows for topic, frame in frames.items()}
    # no topic's name has a space
    tables |= {f"{topic} deleted": f.deleted for topic, f in frames.items() if f.deleted is not None}
    return pack_bundle({"frames": header}, tables)


def unpack_frames(data: bytes) -> dict[str, Frame]:
    """The inverse of `pack_frames`."""
    header, tables = unpack_bundle(data)
    frames = {}
    for topic, said in header["frames"].items():
        said["key"] = tuple(said["key"])
        frames[topic] = Frame(topic, tables[topic], **said, deleted=tables.get(f"{topic} deleted"))
    return frames


def pack_results(results: Sequence[Result]) -> bytes:
    """Results of statements as a bundle; tables are named by the statement's index."""
    header = [{"kind": r.kind, "message": r.message, "job": r.job} for r in results]
    return pack_bundle({"results": header}, {str(i): r.table for i, r in enumerate(results) if r.table is not None})


def unpack_results(data: bytes) -> list[Result]:
    """The inverse of `pack_results`."""
    header, tables = unpack_bundle(data)
    return [Result(**each, table=tables.get(str(i))) for i, each in enumerate(header["results"])]
