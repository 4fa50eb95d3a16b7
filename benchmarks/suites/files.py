"""The five jobs from files to files, whole processes: rows per CPU-second, wall time, peak memory, against the peers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import child, inputs
from benchmarks.peers import Peer, prepared
from benchmarks.plan import Plan
from benchmarks.render import amount, between, extra
from benchmarks.report import DUCKDB, OURS, Section

FORMS = {"jsonl": "JSON lines", "parquet": "Parquet"}
Run = Callable[[dict[str, str], str], child.Outcome]
"""One engine's run: sources and a folder for the answers."""


def measure(plan: Plan, say: Callable[[str], None]) -> Section:
    """Every engine in turn, `plan.runs` times; what each answers first is compared with DuckDB's answer."""
    section = Section("files", "The five jobs, from files to files")
    section.notes = [
        "Whole processes, interpreter start and imports included; CPU seconds and memory as the operating system counts "
        "them. Every engine reads the same files and writes its alerts to JSON lines; all rows of all five answers are "
        "compared with DuckDB's. How the queries of the others differ: benchmarks/five.py and the heads of "
        "benchmarks/peers/*.py."
    ]
    head = ("input", "engine", "rows per CPU-second", "runs from – to", "wall", "CPU", "peak memory")
    section.details |= {"own_table": True, "tables": [extra("Medians", head, ())]}
    peers = prepared(plan.peers, section.skipped, say)
    for form in FORMS:
        _form(form, plan, section, peers, say)
    return section


def _form(form: str, plan: Plan, section: Section, peers: list[Peer], say: Callable[[str], None]) -> None:
    sources = inputs.trading(plan.scale, form)
    engines: dict[str, Run] = {
        DUCKDB: lambda sources, out: child.run("benchmarks.workers.files_duckdb", {"sources": sources, "out": out}),
        OURS: lambda sources, out: child.run(
            "benchmarks.workers.files_stream", {"sources": sources, "out": out, "batch_rows": plan.batch_rows}
        ),
        **{peer.label: peer.five for peer in peers if form in peer.forms},
    }
    done: dict[str, list[child.Outcome]] = {engine: [] for engine in engines}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(plan.runs):
            for engine, run in list(engines.items()):
                out = Path(folder) / engine
                out.mkdir(exist_ok=True)
                say(f"{FORMS[form]}, run {turn + 1} of {plan.runs}: {engine}")
                try:
                    done[engine].append(run(sources, str(out)))
                except child.WorkerError as error:
                    if engine in (OURS, DUCKDB):
                        raise
                    section.skipped.append(f"{engine} from {FORMS[form]}: {error}")
                    del engines[engine]
        for engine in engines:
            if engine != DUCKDB:
                _compare(form, engine, Path(folder), section)
    rows = sum(inputs.rows_at(plan.scale).values())
    for engine, outcomes in done.items():
        if outcomes:
            _add(form, engine, rows, outcomes, section)
            section.details.setdefault("versions", {}).update(outcomes[0].answer.get("versions", {}))
    jobs = done[OURS][0].answer["jobs"]
    section.details[form] = {"rows": rows, "busy_s": {name: job["busy_s"] for name, job in jobs.items()}}


def _compare(form: str, engine: str, folder: Path, section: Section) -> None:
    """Say which answers differ from DuckDB's. Ours must not; of a peer it is part of the result."""
    options = {"left": str(folder / DUCKDB), "right": str(folder / engine)}
    found = child.run("benchmarks.workers.compare", options).answer
    section.details.setdefault("alerts", {topic: counts["rows"] for topic, counts in found.items()})
    for topic, counts in found.items():
        if counts["differ"]:
            said = f"{engine} from {FORMS[form]}, {topic}: {counts['differ']:,} rows differ of {counts['rows']:,}"
            (section.wrong if engine == OURS else section.notes).append(said)


def _add(form: str, engine: str, rows: int, outcomes: list[child.Outcome], section: Section) -> None:
    name = f"five jobs, {FORMS[form]}"
    section.add(name, [rows / o.cpu_s for o in outcomes], "rows/CPU-s", more=True, engine=engine)
    section.add(f"{name}: wall", [o.wall_s for o in outcomes], "s", more=False, engine=engine, least_change=0.1)
    section.add(f"{name}: peak memory", [o.peak_mb for o in outcomes], "MB", more=False, engine=engine)
    rate, wall, peak = section.figures[-3:]
    cells = [FORMS[form], engine, amount(rate.median, rate.unit), between(rate), amount(wall.median, "s")]
    section.details["tables"][0]["rows"].append([*cells, f"{rows / rate.median:.2f} s", amount(peak.median, "MB")])
