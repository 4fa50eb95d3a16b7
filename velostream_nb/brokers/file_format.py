"""What kind of file a name says it is, and opening it with errors that people can act on."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from velostream_nb.core.errors import BrokerError, ConfigError, did_you_mean

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True, slots=True)
class FileFormat:
    """'jsonl', 'csv' or 'parquet'; `gzipped` for text that ends in ``.gz`` as well."""

    kind: str
    gzipped: bool


def file_format(path: Path) -> FileFormat:
    """The format that the name's ending says; ConfigError with near endings otherwise."""
    gzipped = path.suffix.lower() == ".gz"
    suffix = Path(path.stem).suffix.lower() if gzipped else path.suffix.lower()
    kind = _SUFFIXES.get(suffix)
    if kind is None:
        what = f"ends in {suffix!r}" if suffix else "has no ending"
        raise ConfigError(
            f"cannot tell the format of {path.name!r}: it {what}",
            hint=did_you_mean(suffix, _SUFFIXES) if suffix else f"known: {', '.join(sorted(_SUFFIXES))}",
        )
    if gzipped and kind == "parquet":
        raise ConfigError(f"{path.name!r}: Parquet compresses its own columns", hint="unpack it, or name it .parquet")
    return FileFormat(kind, gzipped)


def require_file(path: Path) -> None:
    """BrokerError, with near names from the same folder, unless the path is a readable file."""
    try:
        if path.is_dir():
            raise BrokerError(f"{path} is a folder, not a file")
        with path.open("rb"):
            return
    except FileNotFoundError as error:
        folder = path.parent
        if not folder.is_dir():
            raise BrokerError(f"no file {path}", hint=f"there is no folder {folder}") from error
        names = [entry.name for entry in folder.iterdir() if entry.is_file()]
        raise BrokerError(f"no file {path}", hint=did_you_mean(path.name, names)) from error
    except OSError as error:
        raise BrokerError(f"cannot read {path}: {error.strerror or error}") from error


class TextSource:
    """The bytes of a text file, unzipped when its name says so.

    Attributes:
        position: bytes of the file on disk read so far.
    """

    def __init__(self, path: Path, *, gzipped: bool) -> None:
        require_file(path)
        self.position = 0
        self._path = path
        self._file = path.open("rb")
        self._stream: BinaryIO = cast("BinaryIO", gzip.GzipFile(fileobj=self._file)) if gzipped else self._file

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end. BrokerError when the file cannot be read on."""
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise BrokerError(f"cannot read {self._path} after byte {self.position}: {error}") from error
        self.position = self._file.tell()
        return data

    def close(self) -> None:
        """Safe to call twice."""
        self._stream.close()
        self._file.close()
