"""Rows under a cell: a neat HTML table in a notebook, aligned text in a terminal, pandas when captured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.notebook.values import is_number, shorten, texts
from velostream_nb.widgets.text import escape

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS = 50
MAX_COLUMNS = 40

STYLE = """<style>
.velo-rows { --l: var(--jp-border-color2, #d8dde6); --d: var(--jp-ui-font-color2, #5b6472);
  max-width: 100%; margin: 2px 0 6px; font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 12.5px;
  line-height: 1.45; color: var(--jp-ui-font-color1, #1b1f27); }
.velo-rows .box { display: inline-block; max-width: 100%; max-height: 480px; overflow: auto;
  border: 1px solid var(--l); border-radius: 6px; vertical-align: top; }
.velo-rows .box table { border-collapse: separate; border-spacing: 0; border: 0; margin: 0; font-size: inherit;
  font-variant-numeric: tabular-nums; table-layout: auto; }
.velo-rows .box :is(th, td) { padding: 3px 10px; border: 0; border-bottom: 1px solid var(--l); text-align: left;
  vertical-align: top; white-space: nowrap; max-width: 62ch; overflow: hidden; text-overflow: ellipsis; }
.velo-rows .box th { position: sticky; top: 0; font-weight: 600; background: var(--jp-layout-color2, #f1f3f7); }
.velo-rows .box tbody tr { background: var(--jp-layout-color1, #fff); }
.velo-rows .box tbody tr:hover { background: var(--jp-layout-color2, #f1f3f7); }
.velo-rows .box tbody tr:last-child td { border-bottom: 0; }
.velo-rows .box :is(th, td).n { text-align: right; }
.velo-rows .box td.p { white-space: pre-wrap; max-width: 110ch; }
.velo-rows .box td.m { font-family: var(--jp-code-font-family, monospace); font-size: 12px; }
.velo-rows .box td.z { color: var(--d); font-style: italic; }
.velo-rows .line { padding: 1px 2px; }
.velo-rows .foot { color: var(--d); padding: 3px 2px 0; font-size: 11.5px; }
</style>"""


class Rows:
    """A table to look at.

    Args:
        table: all rows.
        caption: a few words for the line under the table; None counts the rows.
        limit: rows shown.
        whole: texts are shown in full, on several lines where needed.
    """

    def __init__(
        self, table: pa.Table, caption: str | None = None, *, limit: int = MAX_ROWS, whole: bool = False
    ) -> None:
        self.table = table
        self._caption = caption
        self._limit = max(1, limit)
        self._whole = whole

    def df(self) -> pd.DataFrame:
        """All rows as a pandas frame (see `to_pandas`)."""
        return to_pandas(self.table)

    def _repr_html_(self) -> str:
        names, columns = self._cells()
        numeric = [is_number(self.table.schema.field(i).type) for i in range(len(names))]
        head = "".join(f"<th{_class(n=n)}>{escape(name)}</th>" for name, n in zip(names, numeric, strict=True))
        body = "".join(
            f"<tr>{''.join(self._td(cell, number=n) for cell, n in zip(row, numeric, strict=True))}</tr>"
            for row in zip(*columns, strict=True)
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        box = f'<div class="box">{table}</div>' if names else ""
        return f'{STYLE}<div class="velo-rows">{box}<div class="foot">{escape(self._foot())}</div></div>'

    def __repr__(self) -> str:
        names, columns = self._cells()
        lines = []
        if names:
            plain = [list(map(_written, column)) for column in columns]
            widths = [max(map(len, [name, *column])) for name, column in zip(names, plain, strict=True)]
            right = [is_number(self.table.schema.field(i).type) for i in range(len(names))]
            lines = [_line(names, widths, right), _line(["-" * w for w in widths], widths, right)]
            lines += [_line(row, widths, right) for row in zip(*plain, strict=True)]
        return "\n".join([*lines, f"({self._foot()})"])

    def _td(self, cell: str | None, *, number: bool) -> str:
        # such as SQL, whose columns stand below each other only in a font of one width
        many_lined = cell is not None and "\n" in cell
        kinds = _class(n=number, p=self._whole and not number, m=many_lined, z=cell is None)
        return f"<td{kinds}>{escape(_written(cell))}</td>"

    def _cells(self) -> tuple[list[str], list[list[str | None]]]:
        shown = self.table.slice(0, self._limit)
        names = [str(name) for name in self.table.column_names[:MAX_COLUMNS]]
        if self._whole:
            columns = [[None if v is None else str(v) for v in c.to_pylist()] for c in shown.columns[:MAX_COLUMNS]]
        else:
            columns = [texts(column) for column in shown.columns[:MAX_COLUMNS]]
        return [shorten(name) for name in names], columns

    def _foot(self) -> str:
        rows, columns = self.table.num_rows, self.table.num_columns
        words = [self._caption or f"{rows:,} {'row' if rows == 1 else 'rows'}"]
        if rows > self._limit:
            words.append(f"the first {self._limit} shown")
        if columns > MAX_COLUMNS:
            words.append(f"{MAX_COLUMNS} of {columns} columns shown")
        return ", ".join(words)


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas without surprises.

    Integers stay integers: a column with NULLs becomes ``Int64`` rather than float64, and whole decimals (what ``sum``
    of integers gives) become int64 where they fit. Timestamps are UTC without a zone.
    """
    import pandas as pd

    types = _nullable_types()
    series = []
    for column in map(_whole, table.columns):
        nullable = pa.types.is_integer(column.type) and column.null_count > 0
        series.append(column.to_pandas(types_mapper=types.get if nullable else None))
    # by position, because a SELECT may give two columns of one name
    frame = pd.DataFrame(dict(enumerate(series)), index=pd.RangeIndex(table.num_rows))
    frame.columns = pd.Index([str(name) for name in table.column_names])
    return frame


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not (pa.types.is_decimal(column.type) and column.type.scale == 0):
        return column
    try:
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid:  # beyond 64 bits: exact as Decimal
        return column


def _nullable_types() -> dict[pa.DataType, Any]:
    import pandas as pd

    signed = {pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype()}
    unsigned = {pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(), pa.uint32(): pd.UInt32Dtype()}
    return {**signed, **unsigned, pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}


def _written(cell: str | None) -> str:
    return "NULL" if cell is None else cell


def _class(**on: bool) -> str:
    names = " ".join(name for name, wanted in on.items() if wanted)
    return f' class="{names}"' if names else ""


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
    return "  ".join(parts).rstrip()
