"""Every benchmark through its real code, with next to no rows: that it runs, that its answers are right and complete."""

import subprocess
import sys

import pytest

import velostream_nb as velo
from benchmarks import __main__, child, inputs, peers, render
from benchmarks.plan import FULL, SECTIONS, TINY
from benchmarks.report import DUCKDB, OURS, Section, load
from benchmarks.workers.latency import Subscriber
from velostream_nb.jobs.batch import BATCH_ROWS

EXPECTED = {
    "files": ["five jobs, JSON lines", "five jobs, Parquet: peak memory"],
    "arrow": ["CPU ÷ DuckDB's, 50,000-row batches", "CPU ÷ DuckDB's, 1,000-row batches, with start"],
    "cores": ["wall on 2 cores ÷ on 1, Parquet"],
    "latency": ["latency p99, 2 k rows/s, replay", "backlog growth, 2 k rows/s, live"],
    "memory": ["peak memory, 2 k rows", "cost per row, 6 k rows ÷ 2 k"],
    "many_jobs": ["times a record is decoded, 3 jobs", "CPU per job of 3 ÷ of one"],
    "nexmark": ["Nexmark q1", "Nexmark q5"],
    "startup": ["import velostream_nb", "velo --help", "cell to first row, later jobs"],
}


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory):
    """Input files of the tests' own, made once."""
    patched = pytest.MonkeyPatch()
    patched.setattr(inputs, "DATA", tmp_path_factory.mktemp("data"))
    yield
    patched.undo()


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_measures_what_it_says(name):
    report = __main__.run(TINY, [name])
    (section,) = report.sections
    assert not section.wrong
    alone = name == "cores" and section.skipped
    measured = {figure.name for figure in section.figures if figure.engine == OURS}
    assert alone or measured >= set(EXPECTED[name]), section.skipped
    assert all(len(figure.runs) >= 1 for figure in section.figures)
    assert f"## {section.title}" in render.markdown(report)
    if name in ("files", "nexmark", "arrow"):
        assert any(figure.engine == DUCKDB for figure in section.figures)
    if name == "many_jobs":
        assert report.figures()["times a record is decoded, 3 jobs", OURS].median == 1.0


def test_the_command_prints_the_table_and_keeps_the_result(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(__main__, "QUICK", TINY)
    status = __main__.main(["--quick", "--only", "startup", "--peers", "none", "--out", str(tmp_path)])
    assert status == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("# Benchmarks\n")
    assert "minutes" in printed.err
    (kept,) = tmp_path.glob("*.json")
    assert render.markdown(load(kept)) == kept.with_suffix(".md").read_text() == printed.out[:-1]


def test_nothing_heavy_is_loaded_beside_the_workers():
    """What the system says of a worker's memory begins with that of its parent."""
    names = ", ".join(f"benchmarks.suites.{name}" for name in SECTIONS)
    code = (
        f"import benchmarks.__main__, {names}, sys\n"
        "print([m for m in ('duckdb', 'numpy', 'pyarrow', 'velostream_nb', 'polars') if m in sys.modules])"
    )
    asked = subprocess.run([sys.executable, "-c", code], cwd=child.ROOT, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"


def test_answers_that_differ_are_found(tmp_path):
    sources = inputs.trading(TINY.scale, "jsonl")
    left, right = tmp_path / "left", tmp_path / "right"
    for folder in (left, right):
        folder.mkdir()
        child.run("benchmarks.workers.files_duckdb", {"sources": sources, "out": str(folder)})
    spikes = right / "volume_spikes.jsonl"
    lines = spikes.read_text().splitlines()
    spikes.write_text("\n".join([lines[0].replace('"volume":', '"volume":1'), *lines[2:]]))
    found = child.run("benchmarks.workers.compare", {"left": str(left), "right": str(right)}).answer
    # one row changed (it is in neither other answer), one is gone
    assert found["volume_spikes"] == {"rows": len(lines), "differ": 3}
    assert found["risk_alerts"]["differ"] == 0


def test_a_worker_that_fails_says_why():
    with pytest.raises(child.WorkerError, match="KeyError"):
        child.run("benchmarks.workers.compare", {})


def test_the_system_counts_a_workers_cpu_and_memory():
    outcome = child.run("benchmarks.workers.make", {"what": "nexmark", "folder": str(inputs.DATA / "n"), "events": 100})
    assert 0 < outcome.cpu_s <= outcome.wall_s * 4
    assert 20 < outcome.peak_mb < 2_000


def test_inputs_leave_the_disk_its_room(monkeypatch):
    monkeypatch.setattr(inputs, "SPARE_BYTES", 10**18)
    with pytest.raises(child.WorkerError, match="do not fit"):
        inputs.trading(0.0001, "jsonl")


def test_a_peer_that_does_not_install_is_skipped_with_the_reason(tmp_path, monkeypatch):
    def refuse(command, **_):
        raise subprocess.CalledProcessError(1, command, stderr="ERROR: no matching distribution\n")

    monkeypatch.setattr(peers, "ENVS", tmp_path)
    monkeypatch.setattr(peers.venv, "create", lambda *_, **__: None)
    monkeypatch.setattr(peers.subprocess, "run", refuse)
    skipped: list[str] = []
    assert peers.prepared(["polars"], skipped, lambda _: None) == []
    assert skipped == ["Polars batch: it does not install here (ERROR: no matching distribution)"]


@pytest.mark.parametrize("peer", peers.PEERS.values(), ids=lambda peer: peer.name)
def test_a_peer_has_its_script_and_pinned_packages(peer):
    compile((peers.HERE / f"{peer.name}_five.py").read_text(), peer.name, "exec")
    assert all("==" in line for line in (peers.HERE / f"{peer.name}.txt").read_text().split())


def test_a_section_that_fails_does_not_take_the_others_with_it(monkeypatch):
    def fail(_plan, _say):
        raise child.WorkerError("it fell over")

    monkeypatch.setattr("benchmarks.suites.files.measure", fail)
    monkeypatch.setattr("benchmarks.suites.cores.measure", lambda _plan, _say: Section("cores", "Cores"))
    report = __main__.run(TINY, ["files", "cores"])
    assert [section.wrong for section in report.sections] == [["it failed: it fell over"], []]
    assert not report.ok


def test_a_subscriber_ends_with_what_it_is_used_in():
    with (
        velo.connect() as session,
        pytest.raises(RuntimeError, match="the engine fell over"),
        Subscriber(session) as subscriber,
    ):
        raise RuntimeError("the engine fell over")
    assert not subscriber.is_alive()


def test_ticks_are_as_large_as_those_of_velo_run():
    assert FULL.batch_rows == BATCH_ROWS
