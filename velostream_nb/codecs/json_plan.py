"""How records of one schema are read from JSON: a decoder generated for the wanted columns, and how to fill them.

msgspec decodes straight into objects that have a slot for each wanted column and skips everything else; columns are
then filled from the slots. Decoding only 3 of 9 fields this way is twice as fast as decoding all of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from velostream_nb.codecs.assemble import Target
from velostream_nb.codecs.columns import REFUSALS, all_spell, convert_each, of_numpy, times_from_ms, times_from_text
from velostream_nb.codecs.json_fast import FastReader, Read
from velostream_nb.codecs.json_fill import Wanted, can_be_filled
from velostream_nb.codecs.values import converter
from velostream_nb.codecs.verdicts import Convert, Misfit
from velostream_nb.core.memo import Memo
from velostream_nb.core.types import declared_type, normal_type

Fill: TypeAlias = Callable[[Sequence[Any], Callable[[Any], Any]], pa.Array]
"""(decoded rows, slot getter) -> the column; raises one of `REFUSALS` when a value needs a closer look."""

NOT_DECODED = (msgspec.MsgspecError, ValueError, RecursionError)

_UNNAMEABLE = re.compile(r'["\\\x00-\x1f]')
"""Characters of a field name that msgspec cannot match; such schemas take the slow path."""

_NAN = Decimal("sNaN")
"""Stands for NaN in a slot: what fills columns at once takes a float NaN for a NULL, and trips over this."""
_any_json = msgspec.json.Decoder(float_hook=Decimal)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Column:
    """One wanted field: its slot in decoded rows, how it is filled, and the rules when it does not fill."""

    def __init__(self, field: pa.Field, slot: str) -> None:
        self.name: str = field.name
        self.type = normal_type(field.type)
        self.word = declared_type(field)
        self.slot = slot
        self.get = attrgetter(slot)
        self.convert: Convert = converter(self.type, word=self.word)
        self.accepts, self._fill = _how_to_fill(self.type, self.word)

    def fill(self, rows: Sequence[Any]) -> tuple[pa.Array, dict[int, Misfit]]:
        """The column of these rows; NULL, and a verdict, where a value does not fit."""
        try:
            return self._fill(rows, self.get), {}
        except REFUSALS:
            return convert_each(list(map(self.get, rows)), self.type, self.convert, self.name)

    def settle(self, value: Any, record: bytes) -> Any:
        """A value that the generated decoder refused, as one that its slot takes; Misfit when it does not fit."""
        if self.word and pa.types.is_string(self.type):
            return value
        if pa.types.is_string(self.type):
            # verbatim, so that numbers keep their digits and nested values stay what was sent
            return value if isinstance(value, str) else bytes(_raw_fields.decode(record)[self.name]).decode().strip()
        settled = self.convert(value, self.name)
        if isinstance(settled, float) and math.isnan(settled):
            return _NAN
        if pa.types.is_integer(self.type) or pa.types.is_floating(self.type):
            return settled
        # an integer written as 1.7e12; texts and nested values are converted when the column is filled
        return settled // 1_000 if pa.types.is_timestamp(self.type) and isinstance(value, Decimal) else value


class Plan:
    """What is fixed for a schema and a choice of columns, and what its records were like. Shared by threads.

    Attributes:
        fast: for blocks of records; None when there is a column that it cannot fill.
    """

    def __init__(self, fields: Sequence[pa.Field]) -> None:
        self.columns = [Column(field, f"c{number}") for number, field in enumerate(fields)]
        nameable = not any(_UNNAMEABLE.search(column.name) for column in self.columns)
        self.row: Any = msgspec.defstruct(
            "Row",
            [(column.slot, column.accepts, None) for column in self.columns],
            rename={column.slot: column.name for column in self.columns} if nameable else None,
            gc=False,  # rows cannot form cycles, and tracking them costs a tenth of the decode
        )
        decoder = msgspec.json.Decoder(self.row, float_hook=Decimal)
        self.decode_lines: Callable[[bytes], list[Any]] = decoder.decode_lines if nameable else _refuse
        self._decode: Callable[[Any], Any] = decoder.decode if nameable else _refuse
        self.fast: FastReader | None = None
        if all(can_be_filled(column.type, column.word) for column in self.columns):
            wanted = [Wanted(column.name, column.type, column.word, column.convert) for column in self.columns]
            self.fast = FastReader(wanted, self.read_each)

    def filled(self, rows: Sequence[Any], numbers: npt.NDArray[np.int64] | None, bad: dict[int, Misfit]) -> Read:
        """Decoded rows as columns."""
        return Read.of(numbers, {column.name: column.fill(rows) for column in self.columns}, bad)

    def read_each(self, records: Sequence[bytes | None], numbers: npt.NDArray[np.int64]) -> Read:
        """Records as columns, decoded one by one; `numbers` are what they are known by."""
        rows, decoded, bad = self.read(records)
        known_bad = {int(numbers[row]): verdict for row, verdict in bad.items()}
        return self.filled(rows, numbers if decoded is None else numbers[decoded], known_bad)

    def read(
        self, records: Sequence[bytes | None]
    ) -> tuple[list[Any], npt.NDArray[np.int64] | None, dict[int, Misfit]]:
        """Decode records one by one.

        Returns:
            The rows that decode; the record number of each (None when they all decode); verdicts on the others.
        """
        try:
            return list(map(self._decode, records)), None, {}
        except (*NOT_DECODED, TypeError):  # TypeError: a tombstone is None
            pass
        rows: list[Any] = []
        numbers: list[int] = []
        bad: dict[int, Misfit] = {}
        for number, record in enumerate(records):
            try:
                rows.append(self._read_one(record))
                numbers.append(number)
            except Misfit as verdict:
                bad[number] = verdict
        return rows, np.array(numbers, np.int64) if bad else None, bad

    def _read_one(self, record: bytes | None) -> Any:
        if record is None:
            raise Misfit("a tombstone: the record has no value", "")
        try:
            return self._decode(record)
        except NOT_DECODED:
            value = read_any(record)
        if not isinstance(value, dict):
            raise Misfit(f"expected an object, got {_kind(value)}", "")
        settled = {}
        for column in self.columns:
            if (given := value.get(column.name)) is not None:
                settled[column.slot] = column.settle(given, record)
        return self.row(**settled)


def plan_of(target: Target) -> Plan:
    """The plan for a target, made once."""
    return _plans.of(id(target), lambda: plan_for(target.fields), target, 0)


def plan_for(fields: tuple[pa.Field, ...]) -> Plan:
    """The plan for these fields, made once."""
    return _plan(fields, tuple(map(declared_type, fields)))


_plans: Memo[Plan] = Memo(entries=256, rows=0)
"""By the address of the target, which is told sooner than that the fields are the same."""


@lru_cache(maxsize=256)
def _plan(fields: tuple[pa.Field, ...], _words: tuple[str, ...]) -> Plan:
    # the words are only there for the cache: Arrow finds fields equal that differ in them alone
    return Plan(fields)


def read_any(record: bytes) -> Any:
    """Any JSON value, floats as Decimal; Misfit with the reason when it is none."""
    try:
        return _any_json.decode(record)
    except NOT_DECODED as error:
        raise Misfit(_why_not_json(record, error), "") from error


def _refuse(_: bytes) -> Any:
    raise msgspec.DecodeError("field names that need the slow path")


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a number")


def _why_not_json(record: bytes, error: BaseException) -> str:
    if not record.strip():
        return "not JSON: an empty record"
    if isinstance(error, RecursionError):
        return "not JSON: nested too deeply"
    try:
        text = record.decode()
    except UnicodeDecodeError as bad:
        return f"not JSON: invalid UTF-8 at byte {bad.start}"
    detail = str(error)
    if "truncated" in detail:
        # msgspec says the same of half a surrogate pair, wherever it stands
        if re.search(r"\\u[dD][89a-fA-F]", text) and text.rstrip().endswith("}"):
            return "not JSON: half a surrogate pair in a text"
        return f"not JSON: truncated at byte {len(record)}"
    if match := re.search(r"malformed: (.*) \(byte (\d+)\)", detail):
        return f"not JSON: {match[1]} at byte {match[2]}"
    return f"not JSON: {detail}"


def _how_to_fill(dtype: pa.DataType, word: str) -> tuple[Any, Fill]:
    """The type of the slot, and how a column is filled from it."""
    if word and pa.types.is_string(dtype):
        return (Any, _fill_each) if word == "JSON" else (str | None, _fill_texts(word))
    if pa.types.is_int64(dtype):
        return int | None, _fill_int64
    if pa.types.is_integer(dtype):
        return int | None, _fill_as(dtype)
    if pa.types.is_float64(dtype):
        return float | None, _fill_float64
    if pa.types.is_float32(dtype):
        return float | None, _fill_float32
    if pa.types.is_timestamp(dtype):
        return int | str | None, _fill_times(dtype)
    if pa.types.is_string(dtype):
        return str | None, _fill_as(dtype)
    if pa.types.is_boolean(dtype):
        return bool | None, _fill_as(dtype)
    if pa.types.is_date(dtype):
        return str | None, _fill_dates
    if pa.types.is_decimal(dtype):
        return Decimal | None, _fill_each
    return Any, _fill_each


def _fill_as(dtype: pa.DataType) -> Fill:
    return lambda rows, get: pa.array(list(map(get, rows)), dtype)


def _fill_texts(word: str) -> Fill:
    def fill(rows: Sequence[Any], get: Callable[[Any], Any]) -> pa.Array:
        texts = pa.array(list(map(get, rows)), pa.string())
        if not all_spell(texts, word):
            raise pa.ArrowInvalid("looked at one by one")
        return texts

    return fill


def _fill_each(_rows: Sequence[Any], _get: Callable[[Any], Any]) -> pa.Array:
    raise pa.ArrowInvalid("looked at one by one")


def _fill_int64(rows: Sequence[Any], get: Callable[[Any], Any]) -> pa.Array:
    try:
        return of_numpy(np.fromiter(map(get, rows), np.int64, len(rows)), pa.int64())
    except TypeError:  # a None: pyarrow makes it NULL, at half the speed
        return pa.array(list(map(get, rows)), pa.int64())


def _fill_float64(rows: Sequence[Any], get: Callable[[Any], Any]) -> pa.Array:
    try:
        numbers = np.fromiter(map(get, rows), np.float64, len(rows))
    except ValueError as error:  # `_NAN`
        raise pa.ArrowInvalid("looked at one by one") from error
    # numpy reads None as NaN, and JSON has no NaN: so every NaN here is a NULL
    if np.count_nonzero(numbers != numbers):
        return pa.array(numbers, from_pandas=True)
    return of_numpy(numbers, pa.float64())


def _fill_float32(rows: Sequence[Any], get: Callable[[Any], Any]) -> pa.Array:
    narrow = pa.array(list(map(get, rows)), pa.float32())
    if pc.any(pc.is_inf(narrow)).as_py():
        raise pa.ArrowInvalid("out of range for FLOAT")
    return narrow


def _fill_times(dtype: pa.DataType) -> Fill:
    def fill(rows: Sequence[Any], get: Callable[[Any], Any]) -> pa.Array:
        values = list(map(get, rows))
        numbers = np.array(values)
        if numbers.dtype == np.int64:  # all numbers, and none too big
            return times_from_ms(of_numpy(numbers, pa.int64()), dtype)
        try:
            return times_from_ms(pa.array(values, pa.int64()), dtype)
        except REFUSALS:
            return times_from_text(pa.array(values, pa.string()), dtype)

    return fill


def _fill_dates(rows: Sequence[Any], get: Callable[[Any], Any]) -> pa.Array:
    return pa.array(list(map(get, rows)), pa.string()).cast(pa.date32())
