"""What SQL that came over HTTP may not do: read the files of the machine it runs on."""

from __future__ import annotations

from collections.abc import Mapping

from velostream_nb.core.errors import UnsupportedError
from velostream_nb.sql.parse import parse
from velostream_nb.sql.statements import LoadTable


def refuse_files(text: str, params: Mapping[str, object]) -> None:
    """Raise before any statement of the text runs.

    DuckDB itself is locked down wherever a query runs; ``CREATE TABLE … FROM 'file'`` is read by us.

    Raises:
        UnsupportedError: a statement reads a file.
        SqlError: the text cannot be read.
    """
    for statement in parse(text, params=params or None).statements:
        if isinstance(statement, LoadTable):
            key = f"PRIMARY KEY ({', '.join(statement.key) or '…'})"
            raise UnsupportedError(
                "a server reads no files for its clients",
                hint=f'read the file where you are: s.sql("CREATE TABLE {statement.name} (…, {key})"), then '
                f"s.produce({statement.name!r}, pandas.read_csv({statement.file!r}))",
                place=statement.file_place,
            )
