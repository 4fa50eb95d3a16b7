"""Tables on a terminal."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import pyarrow as pa
import pyarrow.types as pt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from velostream_nb.core.rows import json_rows

SHOWN_ROWS = 200
"""Rows of a result that `--format table` prints."""


def console(*, err: bool = False) -> Console:
    """A console that never cuts or colours what goes into a file or a pipe."""
    stream = sys.stderr if err else sys.stdout
    return Console(file=stream, soft_wrap=False, width=None if stream.isatty() else 240, highlight=False)


def grid(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> Table:
    """A table whose numbers are aligned to the right. Texts are data: no markup is read from them."""
    found = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in found)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in found:
        table.add_row(*(Text(cell(value)) for value in row))
    return table


def cell(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 1e15 else f"{value:g}"
    return str(value)


def show_table(table: pa.Table, kind: str) -> None:
    """Print rows on standard output as 'table', 'json' (one object a line) or 'csv'."""
    if kind == "json":
        for row in json_rows(table):
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    if kind == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(table.column_names)
        writer.writerows(zip(*(_texts(column) for column in table.columns), strict=True))
        return
    columns = [_texts(column) for column in table.slice(0, SHOWN_ROWS).columns]
    console().print(grid(table.column_names, zip(*columns, strict=True)))
    if table.num_rows > SHOWN_ROWS:
        click.echo(f"… and {table.num_rows - SHOWN_ROWS:,} more rows; --format csv prints all", err=True)


def _texts(column: pa.ChunkedArray) -> list[Any]:
    if not pt.is_timestamp(column.type):
        return list(column.to_pylist())
    whole = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return [None if v is None else v.isoformat(sep=" ", timespec="milliseconds") for v in whole.to_pylist()]
