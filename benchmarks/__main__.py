"""`make bench`: measure, print the table, keep the result as JSON and Markdown."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import conditions, render
from benchmarks.child import WorkerError
from benchmarks.plan import FULL, LONG_ROWS, PEERS, QUICK, SECTIONS, Plan, minutes
from benchmarks.report import Report, Section, save

HERE = Path(__file__).resolve().parent
REFERENCE = HERE / "reference"
BUSY_LOAD = 0.5


def run(plan: Plan, sections: Sequence[str]) -> Report:
    """Measure these sections, one after another."""
    # packages are compiled once, when they are installed; where Python may not keep that, each process would do it anew
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    settings = plan.as_settings()
    report = Report(conditions.now(), settings, conditions.versions())
    for name in sections:
        suite = importlib.import_module(f"benchmarks.suites.{name}")
        began_s = time.monotonic()
        _say(f"== {name}")
        try:
            section: Section = suite.measure(plan, _say)
        except WorkerError as error:  # the other sections are worth having all the same
            section = Section(name, name, wrong=[f"it failed: {error}"])
        section.details["took_s"] = round(time.monotonic() - began_s, 1)
        report.versions |= section.details.pop("versions", {})
        report.sections.append(section)
    return report


def _say(what: str) -> None:
    """Progress goes to standard error, so that the table alone is on standard output."""
    print(what, file=sys.stderr, flush=True)


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; the environment's BENCH_… are its defaults."""
    env = os.environ.get

    def switch(name: str) -> bool:
        return env(name, "") not in ("", "0")

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", default=switch("QUICK"), help="two minutes, small inputs")
    parser.add_argument("--long", action="store_true", default=switch("BENCH_LONG"), help="memory at 50 M rows too")
    parser.add_argument("--only", default=env("BENCH_ONLY", ""), help=f"some of: {','.join(SECTIONS)}")
    parser.add_argument(
        "--scale", type=float, default=env("BENCH_SCALE"), help="of the five jobs' input; 1 is 3.2 M rows"
    )
    parser.add_argument("--runs", type=int, default=env("BENCH_RUNS"), help="of each figure")
    parser.add_argument("--peers", default=env("BENCH_PEERS"), help=f"some of: {','.join(PEERS)}; or none")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the result")
    parser.add_argument(
        "--reference", action="store_true", default=switch("BENCH_REFERENCE"), help="also as README's figures"
    )
    return parser.parse_args(arguments)


def planned(options: argparse.Namespace) -> tuple[Plan, tuple[str, ...]]:
    """What to measure. SystemExit for names that mean nothing."""
    plan = QUICK if options.quick else FULL
    if options.long:
        plan = dataclasses.replace(plan, memory_rows=LONG_ROWS)
    for name in ("scale", "runs"):
        if getattr(options, name) is not None:
            plan = dataclasses.replace(plan, **{name: getattr(options, name)})
    if options.peers is not None:
        peers = () if options.peers == "none" else _names("peer", options.peers, PEERS)
        plan = dataclasses.replace(plan, peers=peers)
    return plan, _names("section", options.only, SECTIONS) or SECTIONS


def _names(what: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in known:
            raise SystemExit(f"error: there is no {what} {name!r}\nhint: choose from {', '.join(known)}")
    return names


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 when an answer was wrong."""
    options = asked(arguments)
    plan, sections = planned(options)
    load = os.getloadavg()[0]
    _say(
        f"measuring {', '.join(sections)}: about {max(1, round(minutes(plan, sections)))} minutes, and once more for data"
    )
    if load > BUSY_LOAD:
        _say(f"warning: the load is {load:.2f}: the figures will be those of a busy machine")
    report = run(plan, sections)
    text = render.markdown(report)
    targets = [options.out / report.conditions["date"].replace(":", "")]
    if options.reference:
        targets.append(REFERENCE)
    for target in targets:
        save(report, target.with_suffix(".json"))
        target.with_suffix(".md").write_text(text)
        _say(f"written: {target.with_suffix('.json')} and .md")
    print(text)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
