"""EXPLAIN: the operators of a plan in the order of the data, with what each keeps."""

from __future__ import annotations

from collections.abc import Mapping

from velostream_nb.core.functions import Function
from velostream_nb.core.types import sql_type
from velostream_nb.engine.job import JobEngine
from velostream_nb.sql.plan import JobPlan


def explain(plan: JobPlan, functions: Mapping[str, Function] | None = None) -> list[str]:
    """Readable lines: one an operator (numbered, with its inputs), then output and assumptions."""
    engine = JobEngine(plan, functions=functions)
    try:
        lines = []
        for number, node in enumerate(engine.nodes, start=1):
            reads = f" <- {', '.join(str(i + 1) for i in node.inputs)}" if node.inputs else ""
            lines.append(f"{number}. {node.operator.describe()}{reads}")
        columns = ", ".join(f"{f.name} {sql_type(f.type)}" for f in engine.output_schema)
        mode = f"changelog, upserts by ({', '.join(engine.key)})" if engine.changelog else "append"
        lines.append(f"output: {mode}; {columns}")
        return lines + [f"note: {note}" for note in plan.notes]
    finally:
        engine.close()
