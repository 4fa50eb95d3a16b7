"""A report as Markdown: the goals with what was measured, then each section with every figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.goals import GOALS, Goal
from benchmarks.report import OURS, Figure, Report, Section


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def amount(value: float, unit: str) -> str:
    """A value as people read it: three digits, thousands and millions as k and M."""
    if unit == "rows/CPU-s":
        return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.0f} k"
    if unit == "s" and value < 1:
        return f"{value * 1e3:.0f} ms"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{digits} {unit}".rstrip()


def between(figure: Figure) -> str:
    """The smallest and the largest of the runs."""
    return f"{amount(min(figure.runs), figure.unit)} – {amount(max(figure.runs), figure.unit)}"


def conditions(report: Report) -> list[str]:
    """Two sentences: the machine, the moment and the versions; the sizes."""
    c, s = report.conditions, report.settings
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    rows = 3.2 * s["scale"]
    return [
        f"{c['date'][:10]}, {c['cpu']} with {c['cores']} cores and {c['memory_gb']} GB, {c['system']}; load before "
        f"{c['load_before']:.2f}; commit {c['commit']}.",
        f"{versions}.",
        f"{rows:.3g} M input rows ({s['scale']:g} × 2.0 M quotes, 1.0 M orders, 0.2 M positions), batches of "
        f"{s['batch_rows']:,} rows unless it says otherwise; medians of {s['runs']} "
        f"{'run' if s['runs'] == 1 else 'runs'}, the engines in turn.",
    ]


def goals(report: Report) -> list[str]:
    """The goals that were measured: bound, figure, whether it is kept, and the yardsticks of the same run."""
    figures = report.figures()
    rows = []
    for goal in GOALS:
        figure = figures.get((goal.figure, OURS))
        if figure is not None:
            rows.append(_goal(goal, figure, figures.values(), report.conditions["cores"]))
    return table(("figure", "goal", "measured", "kept", "yardsticks of the same run"), rows)


def _goal(goal: Goal, figure: Figure, figures: Iterable[Figure], cores: int) -> tuple[str, ...]:
    unit = " per CPU-second" if figure.unit == "rows/CPU-s" else ""
    kept = "yes" if goal.met(figure) else "**no**"
    if cores < goal.on_cores:
        kept = f"needs {goal.on_cores} cores"
    others = [other for other in figures if other.name == figure.name and other.engine != OURS]
    beside = (f"{o.engine} {amount(o.median, o.unit)} ({figure.median / o.median:.2f}×)" for o in others)
    bound = f"{'≥' if figure.more else '≤'} {amount(goal.bound, figure.unit)}{unit}"
    return goal.title, bound, f"{amount(figure.median, figure.unit)}{unit}", kept, ", ".join(beside) or "–"


def section_lines(section: Section) -> list[str]:
    """A section: what was run, every figure with its spread, what is special to it, what was skipped."""
    lines = [f"## {section.title}", "", *(line for note in section.notes for line in (note, ""))]
    rows = [
        (f.name, f.engine, amount(f.median, f.unit), between(f))
        for f in section.figures
        if not section.details.get("own_table")
    ]
    if rows:
        lines += [*table(("figure", "engine", "median", "runs from – to"), rows), ""]
    for extra in section.details.get("tables", []):
        lines += [f"{extra['title']}:", "", *table(extra["head"], extra["rows"]), ""]
    lines += [f"- skipped: {said}" for said in section.skipped]
    lines += [f"- **WRONG ANSWER**: {said}" for said in section.wrong]
    return [*lines, ""] if section.skipped or section.wrong else lines


def markdown(report: Report) -> str:
    """The whole report."""
    lines = ["# Benchmarks", "", *conditions(report), "", *goals(report), ""]
    for section in report.sections:
        lines += section_lines(section)
    return "\n".join(lines).rstrip() + "\n"


def readme(report: Report) -> str:
    """What README says of speed."""
    skipped = [said for section in report.sections for said in section.skipped]
    lines = [*conditions(report), "", *goals(report)]
    lines += ["", *(f"Skipped: {said}." for said in skipped)] if skipped else []
    return "\n".join(lines)


def extra(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    """A table of a section's own, for `Section.details["tables"]`."""
    return {"title": title, "head": list(head), "rows": [[str(cell) for cell in row] for row in rows]}
