"""Comparing two results: what is a regression, what is noise, and what cannot be compared."""

from dataclasses import asdict

import pytest

from benchmarks import check
from benchmarks.report import load, save
from tests.benchmarks.results import RATE, YARDSTICK, figure, report

OLD = [400_000.0, 402_000.0, 398_000.0]


def verdict(old, new, **more):
    return check.change(figure(old, **more), figure(new, **more)).verdict


def test_a_change_beyond_five_per_cent_and_three_mads_counts():
    assert verdict(OLD, [370_000.0, 372_000.0, 371_000.0]) == "worse"
    assert verdict(OLD, [430_000.0, 431_000.0, 432_000.0]) == "better"
    assert verdict(OLD, [385_000.0, 386_000.0, 387_000.0]) == "same", "3.5 % is within the least change"


def test_where_less_is_better_more_is_worse():
    assert verdict([1.0, 1.0, 1.0], [1.2, 1.2, 1.2], more=False, unit="s") == "worse"
    assert verdict([1.0, 1.0, 1.0], [0.8, 0.8, 0.8], more=False, unit="s") == "better"


@pytest.mark.parametrize("side", ["old", "new"])
def test_runs_that_differ_among_themselves_hide_a_change(side):
    quiet, wild = [1.0, 1.0, 1.0], [1.0, 1.2, 1.4]
    old, new = (wild, [1.0] * 3) if side == "old" else (quiet, wild)
    assert verdict(old, new, more=False, unit="s") == "same"
    assert verdict(quiet, [1.2] * 3, more=False, unit="s") == "worse"


def test_latencies_may_differ_by_more_than_rates():
    assert verdict([10.0] * 3, [11.5] * 3, more=False, unit="ms", least_change=0.2) == "same"
    assert verdict([10.0] * 3, [12.5] * 3, more=False, unit="ms", least_change=0.2) == "worse"


def test_from_nothing_to_something_is_a_change():
    assert verdict([0.0] * 3, [0.0] * 3, more=False) == "same"
    assert verdict([0.0] * 3, [2.0] * 3, more=False) == "worse"


def test_a_result_reads_as_it_was_written(tmp_path):
    written = report(figure(OLD), YARDSTICK)
    save(written, tmp_path / "a.json")
    assert asdict(load(tmp_path / "a.json")) == asdict(written)


def compared(tmp_path, old, new, capsys):
    save(old, tmp_path / "old.json")
    save(new, tmp_path / "new.json")
    status = check.main([str(tmp_path / "old.json"), str(tmp_path / "new.json")])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_a_regression_is_named_and_ends_with_one(tmp_path, capsys):
    status, said = compared(tmp_path, report(figure(OLD)), report(figure([300_000.0] * 3)), capsys)
    assert status == 1
    assert f"WORSE: {RATE}: 4e+05 -> 3e+05 rows/CPU-s (-25.0%; noise 5%)" in said


def test_an_improvement_is_named_and_ends_well(tmp_path, capsys):
    status, said = compared(tmp_path, report(figure(OLD)), report(figure([500_000.0] * 3)), capsys)
    assert status == 0
    assert f"BETTER: {RATE}" in said


def test_a_yardstick_that_moved_is_told_and_is_no_regression(tmp_path, capsys):
    slower = figure([500_000.0] * 3, engine=YARDSTICK.engine)
    status, said = compared(tmp_path, report(figure(OLD), YARDSTICK), report(figure(OLD), slower), capsys)
    assert status == 0
    assert "The yardsticks moved too" in said
    assert "nothing of ours changed" in said


def test_a_wrong_answer_ends_with_one_however_fast(tmp_path, capsys):
    new = report(figure([500_000.0] * 3), wrong=["price_alerts: 3 rows differ"])
    status, said = compared(tmp_path, report(figure(OLD)), new, capsys)
    assert status == 1
    assert "WRONG ANSWER: price_alerts" in said


def test_versions_that_changed_are_told(tmp_path, capsys):
    new = report(figure(OLD), versions={"duckdb": "2.1.0"})
    _, said = compared(tmp_path, report(figure(OLD)), new, capsys)
    assert "duckdb was 2.0.0 and is 2.1.0" in said


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (report(figure(OLD), conditions={"cpu": "Another CPU"}), "different machines: cpu Some CPU and Another CPU"),
        (report(figure(OLD), conditions={"cores": 8}), "different machines: cores 2 and 8"),
        (report(figure(OLD), settings={"scale": 0.1}), "different settings: scale 1.0 and 0.1"),
        (report(figure(OLD, name="another")), "no figure in common"),
    ],
)
def test_what_does_not_compare_is_refused_with_the_reason(other, why, tmp_path, capsys):
    status, said = compared(tmp_path, report(figure(OLD)), other, capsys)
    assert status == 2
    assert why in said
    assert "hint:" in said


def test_other_peers_do_not_matter(tmp_path, capsys):
    status, _ = compared(tmp_path, report(figure(OLD)), report(figure(OLD), settings={"peers": []}), capsys)
    assert status == 0


def test_files_that_are_no_results_are_refused(tmp_path, capsys):
    (tmp_path / "x.json").write_text("{}")
    assert check.main([str(tmp_path / "x.json"), str(tmp_path / "x.json")]) == 2
    assert "no result of `make bench`" in capsys.readouterr().err
    assert check.main([str(tmp_path / "none.json"), str(tmp_path / "x.json")]) == 2
    assert check.main(["a", "b", "c"]) == 2


def test_without_arguments_the_reference_meets_the_newest_result(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(check, "HERE", tmp_path)
    save(report(figure(OLD)), tmp_path / "reference.json")
    assert check.main([]) == 2
    assert "run `make bench`" in capsys.readouterr().err
    save(report(figure([100.0])), tmp_path / "results" / "2026-11-23T100000Z.json")
    save(report(figure(OLD)), tmp_path / "results" / "2026-11-24T090000Z.json")
    assert check.main([]) == 0
