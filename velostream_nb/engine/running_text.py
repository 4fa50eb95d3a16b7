"""Running values in words, for EXPLAIN."""

from __future__ import annotations

from velostream_nb.core.records import TS
from velostream_nb.engine.duck import quote
from velostream_nb.engine.node import shown
from velostream_nb.sql import plan


def describe_running(node: plan.Running, keeps: str) -> str:
    """For EXPLAIN: what runs, and what is kept."""
    calls = ", ".join(dict.fromkeys(_shown(c, node) for c in node.calls))
    names = ", ".join(c for c in node.partition if c != node.ends)
    per = f" per ({shown(names)})" if names else ""
    until = " until the partition ends" if node.ends else ""
    return f"running {calls}{per}; keeps {keeps}{' per key' if names else ''}{until}"


def _shown(call: plan.RunningCall, node: plan.Running) -> str:
    ties = [o for o in call.order[1:] if o not in (TS, *(quote(p) for p in node.pos))]
    order = f" by event time, {shown(', '.join(ties))}" if ties else ""
    return f"{shown(call.call)}{order}{'' if call.peers else ' row by row'}"
