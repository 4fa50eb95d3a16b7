"""The tables people read."""

import pytest

from benchmarks import render
from benchmarks.__main__ import asked, main, planned
from benchmarks.goals import GOALS
from benchmarks.plan import FULL, QUICK, SECTIONS, minutes
from benchmarks.report import Section
from tests.benchmarks.results import YARDSTICK, figure, report


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1_234_567, "rows/CPU-s", "1.23 M"),
        (316_400, "rows/CPU-s", "316 k"),
        (0.0521, "s", "52 ms"),
        (10.43, "s", "10.4 s"),
        (355.2, "MB", "355 MB"),
        (1.4, "", "1.40"),
        (0.62, "µs", "0.62 µs"),
    ],
)
def test_amounts_have_three_digits(value, unit, shown):
    assert render.amount(value, unit) == shown


def test_a_goal_stands_with_its_figure_and_the_yardsticks():
    lines = render.goals(report(figure([300_000.0, 320_000.0, 310_000.0]), YARDSTICK))
    assert lines[2] == (
        "| JSON lines in, alerts out | ≥ 400 k per CPU-second | 310 k per CPU-second | **no** "
        "| DuckDB batch 670 k (0.46×) |"
    )
    assert "| yes |" in render.goals(report(figure([400_000.0])))[2]


def test_where_less_is_better_the_bound_is_from_above():
    (line,) = render.goals(report(figure([350.0], name="peak memory, 1 M rows", unit="MB", more=False)))[2:]
    assert line == "| peak memory, 1 M rows | ≤ 400 MB | 350 MB | yes | – |"


def test_two_cores_are_not_asked_of_one():
    ratio = figure([0.9], name="wall on 2 cores ÷ on 1, Parquet", unit="", more=False)
    assert "needs 2 cores" in render.goals(report(ratio, conditions={"cores": 1}))[2]


def test_what_was_not_measured_is_not_in_the_table_and_what_was_skipped_is_told():
    found = report(figure([400_000.0]))
    found.sections.append(Section("cores", "On two cores", skipped=["one core here"]))
    assert len(render.goals(found)) == 3
    assert "Skipped: one core here." in render.readme(found)
    assert "- skipped: one core here" in render.markdown(found)


def test_wrong_answers_are_shouted():
    assert "**WRONG ANSWER**: q3" in render.markdown(report(figure([1.0]), wrong=["q3"]))


def test_every_row_of_a_table_has_all_its_columns():
    found = report(figure([310_000.0]), YARDSTICK)
    found.sections[0].details["tables"] = [render.extra("More", ("a", "b"), [(1, 2)])]
    for line in render.markdown(found).splitlines():
        if line.startswith("|"):
            assert line.count("|") in (3, 5, 6), line


def test_goals_are_of_different_figures():
    assert len({goal.figure for goal in GOALS}) == len(GOALS)


def test_options_come_from_the_environment_and_the_command_line(monkeypatch):
    for name in ("QUICK", "BENCH_LONG", "BENCH_ONLY", "BENCH_SCALE", "BENCH_RUNS", "BENCH_PEERS", "BENCH_REFERENCE"):
        monkeypatch.delenv(name, raising=False)
    assert planned(asked([])) == (FULL, SECTIONS)
    monkeypatch.setenv("QUICK", "1")
    monkeypatch.setenv("BENCH_SCALE", "0.5")
    monkeypatch.setenv("BENCH_ONLY", "files,arrow")
    plan, sections = planned(asked(["--peers", "none"]))
    assert (plan.scale, plan.peers, plan.rates) == (0.5, (), QUICK.rates)
    assert sections == ("files", "arrow")
    monkeypatch.setenv("QUICK", "0")
    assert planned(asked([]))[0].rates == FULL.rates
    assert planned(asked(["--long"]))[0].memory_rows[-1] == 50_000_000


@pytest.mark.parametrize("arguments", [["--only", "flies"], ["--peers", "spark"]])
def test_unknown_names_are_refused_with_the_known_ones(arguments):
    with pytest.raises(SystemExit, match=r"there is no (section|peer) .*\nhint: choose from"):
        main(arguments)


def test_a_quick_run_is_two_minutes_and_a_full_one_less_than_an_hour():
    assert minutes(QUICK, SECTIONS) < 4
    assert 10 < minutes(FULL, SECTIONS) < 60
