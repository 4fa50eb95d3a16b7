"""The types that DuckDB gives to the results of calls, asked once."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

import pyarrow as pa

from velostream_nb.engine.duck import Duck

_KNOWN: WeakKeyDictionary[Duck, dict[tuple[str, pa.Schema], pa.Schema]] = WeakKeyDictionary()
"""By connection: functions may differ from one to another."""


def result_types(duck: Duck, schema: pa.Schema, select: Callable[[str], str]) -> pa.Schema:
    """The columns of a SELECT over rows of a schema; BindError when DuckDB refuses it.

    Args:
        select: the SELECT, given the name of the rows' relation.
    """
    known = _KNOWN.setdefault(duck, {})
    key = select("__rows"), schema
    if key not in known:
        feed = duck.feed(schema)
        try:
            known[key] = duck.schema_of(select(feed.name))
        finally:
            duck.drop(feed)
    return known[key]
