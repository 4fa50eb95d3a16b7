"""The commands of the Nexmark folder's README, over files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from velostream_nb.core.files import shipped


def test_generated_events_run_through_queries(cli: Run, tmp_path: Path) -> None:
    made = cli(
        "generate", "--what", "nexmark", "--out", tmp_path, "--events", 5_000, "--behind-ms", 2_000, "--rate", 100
    )
    assert made.exit_code == 0
    assert "bid.jsonl: 4,600 records" in made.stdout.replace("\n", "")
    files = {topic: ("--source", f"{topic}={tmp_path / topic}.jsonl") for topic in ("person", "auction", "bid")}
    for query, topics in {
        "q5": ["bid"],
        "q8": ["person", "auction"],
        "q18": ["bid"],
        "q20": ["auction", "bid"],
    }.items():
        out = tmp_path / f"{query}.jsonl"
        sources = [word for topic in topics for word in files[topic]]
        ran = cli("run", shipped(f"sql/nexmark/{query}.sql"), *sources, "--sink", f"nexmark_{query}={out}", "--json")
        assert (ran.exit_code, ran.stderr) == (0, "")
        (job,) = json.loads(ran.stdout)["jobs"]
        assert (job["state"], job["late"], job["failed"]) == ("finished", 0, 0)
        assert job["rows_out"] == len(out.read_text().splitlines()) > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--what", "nexmark", "--to", "http://127.0.0.1:1"], "writes files"),
        (["--what", "nexmark", "--out", "x", "--scenario", "calm"], "--scenario is for a market"),
        (["--out", "x", "--behind-ms", "5"], "--behind-ms is for --what nexmark"),
        (["--what", "nexmarks", "--out", "x"], "'nexmarks' is not one of"),
    ],
)
def test_options_that_do_not_go_together_are_refused(cli: Run, arguments: list[str], says: str) -> None:
    result = cli("generate", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
