"""README cannot drift: its tables are what the code says. `UPDATE_README=1 pytest tests/docs` rewrites them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import velostream_nb as velo
from benchmarks import render, report
from tests.golden.case import constructs_table
from velostream_nb.cli.app import velo as command_group
from velostream_nb.cli.reference import markdown
from velostream_nb.core.settings import SETTINGS
from velostream_nb.notebook.verbs import VERBS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"


def options_table() -> str:
    lines = ["| option | where | default | what it does |", "| --- | --- | --- | --- |"]
    for setting in SETTINGS:
        where = ", ".join(sorted(level.value for level in setting.levels))
        lines.append(f"| `{setting.name}` | {where} | {setting.default or '–'} | {setting.help} |")
    return "\n".join(lines)


def verbs_table() -> str:
    lines = ["| write | to |", "| --- | --- |"]
    for verb in VERBS.values():
        usage = verb.usage.replace("|", "\\|")
        lines.append(f"| `{usage}` | {verb.help} |")
    return "\n".join(lines)


def speed_table() -> str:
    return render.readme(report.load(ROOT / "benchmarks" / "reference.json"))


TABLES = {
    "options": options_table,
    "verbs": verbs_table,
    "commands": lambda: markdown(command_group),
    "constructs": constructs_table,
    "speed": speed_table,
}


@pytest.mark.parametrize("name", TABLES)
def test_table_is_what_the_code_says(name):
    text = README.read_text()
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", text, re.DOTALL)
    assert found is not None
    wanted = TABLES[name]()
    if os.environ.get("UPDATE_README"):
        text = text.replace(found[0], f"<!-- {name} -->\n{wanted}\n<!-- /{name} -->")
        README.write_text(text)
        return
    assert found[1] == wanted, f"README's {name} table is stale: UPDATE_README=1 pytest tests/docs"


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text()):
        assert (ROOT / target).exists(), target


def test_the_python_example_runs():
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert code is not None
    printed: list[str] = []
    exec(code[1], {"print": lambda x: printed.append(str(x))})
    assert "AAPL" in printed[0]
    assert "101.5" in printed[0]


def test_public_names_are_few_and_sorted():
    assert velo.__all__ == sorted(velo.__all__)
    assert all(hasattr(velo, name) for name in velo.__all__)


def test_the_reference_of_the_benchmarks_is_one_run():
    """Its Markdown says what its JSON does, and its answers were right."""
    reference, written = report.load(ROOT / "benchmarks" / "reference.json"), ROOT / "benchmarks" / "reference.md"
    if os.environ.get("UPDATE_README"):
        written.write_text(render.markdown(reference))
    assert render.markdown(reference) == written.read_text(), "stale: UPDATE_README=1 pytest tests/docs"
    assert reference.ok
