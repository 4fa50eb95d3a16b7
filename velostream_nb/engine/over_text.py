"""OVER with bounded frames as SQL, for DuckDB, and in words, for EXPLAIN."""

from __future__ import annotations

import pyarrow as pa

from velostream_nb.engine.duck import Duck, quote, quoted
from velostream_nb.engine.node import hidden_of, items_shown, items_sql, shown
from velostream_nb.engine.result_types import result_types
from velostream_nb.sql import plan


def results_of(node: plan.Over, duck: Duck, schema: pa.Schema) -> pa.Schema:
    """The types that DuckDB's own window functions give."""
    return result_types(duck, schema, lambda feed: calls_sql(node, feed))


def calls_sql(node: plan.Over, feed: str, extra: str = "") -> str:
    """The node's rows as DuckDB computes them, from all the rows that they look at."""
    calls = items_sql(tuple((call.call, call.name) for call in node.calls))
    columns = "".join(f"{quote(c)}, " for c in node.inputs[0].columns)
    return f"SELECT {columns}{calls}, {quoted(hidden_of(node))}{extra} FROM {feed} AS __in"


def describe_over(node: plan.Over) -> str:
    """For EXPLAIN: what is computed, what is kept and what is waited for."""
    calls = items_shown(tuple((call.call, call.name) for call in node.calls))
    keeps = dict.fromkeys(k for r in node.reaches for k in _kept_by(r))
    waits = dict.fromkeys(w for r in node.reaches for w in _waited_for(r))
    waited = f"; waits for {' and '.join(waits)}" if waits else ""
    return f"over {calls}; keeps {' and '.join(keeps) or 'nothing'}{waited}"


def _per(reach: plan.Reach) -> str:
    names = ", ".join(c for c in reach.partition if c != reach.ends)
    return f" per ({shown(names)})" if names else ""


def _counted(count: int, reach: plan.Reach) -> str:
    noun = "row" if reach.kind == "rows" else "event time"
    return f"{count} {noun}{'s' * (count > 1)}{_per(reach)}"


def _kept_by(reach: plan.Reach) -> list[str]:
    kind = " non-null" if reach.counted else ""
    found = []
    if reach.before and reach.kind == "time":
        found.append(f"{reach.before * reach.unit_us / 1e6:g} s of rows")
    elif reach.before:
        found.append(f"last {_counted(reach.before, reach)}")
    if reach.first:
        found.append(f"first {reach.first}{kind} row{'s' * (reach.first > 1)}{_per(reach)}")
    if reach.beyond:
        found.append(f"last {reach.beyond}{kind} row{'s' * (reach.beyond > 1)}{_per(reach)}")
    return [f"{what}, until the partition ends" for what in found] if reach.ends else found


def _waited_for(reach: plan.Reach) -> list[str]:
    end = ", or the end of the partition" if reach.ends else ""
    if reach.ahead:
        return [f"{reach.ahead} later non-null row{'s' * (reach.ahead > 1)}{_per(reach)}{end}"]
    if reach.after <= 0:
        return []
    if reach.kind == "time":
        return [f"the watermark to be {reach.after * reach.unit_us / 1e6:g} s past the row"]
    return [_counted(reach.after, reach).replace(" ", " later ", 1) + end]
