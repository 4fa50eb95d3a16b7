"""The commands as people meet them: help, versions, mistakes."""

from __future__ import annotations

import shlex
import subprocess
import sys

import click
import pytest

from tests.cli.conftest import VELO, Run
from velostream_nb import __version__
from velostream_nb.cli.app import velo
from velostream_nb.cli.base import VeloCommand
from velostream_nb.cli.reference import markdown

SHOWN = {name: command for name, command in velo.commands.items() if not command.hidden}


def test_the_commands_are_listed_in_the_order_of_a_first_day(cli: Run) -> None:
    result = cli("--help")
    listed = [line.split()[0] for line in result.stdout.split("Commands:\n")[1].splitlines() if line.startswith("  ")]
    assert listed == ["demo", "run", "generate", "sql", "server", "jobs", "topics", "stop", "tail", "version"]
    assert "..." not in result.stdout.split("Commands:")[1], "a short help is cut"


@pytest.mark.parametrize("name", SHOWN)
def test_each_help_says_what_it_does_and_shows_an_example(cli: Run, name: str) -> None:
    result = cli(name, "--help")
    command = SHOWN[name]
    assert result.exit_code == 0
    assert isinstance(command, VeloCommand)
    assert "Example:\n  velo " in result.stdout
    assert f"\n  velo {name}" in result.stdout
    assert command.help is not None
    assert command.help.splitlines()[0].endswith(".")
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{option.name} has no help"
            assert option.help[0].isupper(), option.help
            assert option.help.split("  [")[0].endswith("."), option.help


@pytest.mark.parametrize("name", SHOWN)
def test_examples_are_commands_that_parse(name: str) -> None:
    """Each line of an example is taken apart by the command itself."""
    command = SHOWN[name]
    assert isinstance(command, VeloCommand)
    for line in command.example.replace("\\\n", " ").splitlines():
        words = shlex.split(line)
        if words[0] == "velo":
            inner = velo.commands[words[1]]
            inner.make_context(words[1], words[2:], resilient_parsing=False)


def test_versions(cli: Run) -> None:
    assert cli("--version").stdout.strip() == f"velo {__version__}"
    lines = dict(line.split(" ", 1) for line in cli("version").stdout.splitlines())
    assert lines["velo"] == __version__
    assert set(lines) == {"velo", "python", "duckdb", "pyarrow", "sqlglot", "streamz", "voila"}


def test_unknown_names_come_with_near_ones(cli: Run) -> None:
    result = cli("rnu")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown command 'rnu'; did you mean run?" in result.stderr
    result = cli("demo", "--minute", "1")
    assert (result.exit_code, "--minutes" in result.stderr) == (2, True)


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
from velostream_nb.cli.app import velo
try:
    velo(["--help"], prog_name="velo")
except SystemExit:
    pass
heavy = "duckdb pyarrow pandas numpy sqlglot streamz rich httpx tornado jupyter_server voila".split()
print("loaded:", [name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_the_reference_has_every_command_and_option() -> None:
    table = markdown(velo)
    for name, command in SHOWN.items():
        assert f"| `velo {name}" in table
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(f"`{spelling}`" in table for spelling in option.opts)
    assert all(line.count(" | ") == 2 for line in table.splitlines()[2:])


def test_both_scripts_start_the_same_command() -> None:
    done = subprocess.run([*VELO, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"velo {__version__}"
    from importlib.metadata import entry_points

    scripts = {e.name: e.value for e in entry_points(group="console_scripts") if e.name.startswith("velo")}
    assert scripts == {"velo": "velostream_nb.cli:main", "velo-cli": "velostream_nb.cli:main"}
