from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config

from velostream_nb.jobs.session import Session
from velostream_nb.notebook.default import default


class Outcome:
    """What a cell left: displays (MIME bundles, in order), printed text, its value, its error."""

    def __init__(self, result: Any, captured: Any) -> None:
        self.value = result.result
        self.error = result.error_in_exec or result.error_before_exec
        self.bundles = [output.data for output in captured.outputs]
        self.printed = captured.stdout + captured.stderr

    @property
    def text(self) -> str:
        return "\n".join(bundle["text/plain"] for bundle in self.bundles)

    @property
    def html(self) -> str:
        return "\n".join(bundle.get("text/html", "") for bundle in self.bundles)


class Notebook:
    """Cells run in a real IPython shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def try_cell(self, code: str) -> Outcome:
        with capture_output() as captured:
            result = self.shell.run_cell(code)
        return Outcome(result, captured)

    def cell(self, code: str) -> Outcome:
        outcome = self.try_cell(code)
        assert outcome.error is None, outcome.printed
        return outcome

    def fails(self, code: str, kind: type[BaseException]) -> str:
        """The message of a cell that must fail with that class."""
        outcome = self.try_cell(code)
        assert isinstance(outcome.error, kind), repr(outcome.error)
        return outcome.printed

    @property
    def session(self) -> Session:
        return default.get()

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.shell.user_ns[name] = value


@pytest.fixture
def bare_shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell without the extension."""
    for name in ("VELO_SERVER", "VELO_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    InteractiveShell.clear_instance()
    config = Config({"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "nocolor"}})
    shell = InteractiveShell.instance(config=config)
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def nb(bare_shell: InteractiveShell) -> Iterator[Notebook]:
    """The extension loaded, and a topic ``trades`` of three rows."""
    notebook = Notebook(bare_shell)
    notebook.cell("%load_ext velostream_nb")
    notebook.session.sql("CREATE STREAM trades (symbol VARCHAR, price DOUBLE, volume BIGINT, timestamp TIMESTAMP)")
    notebook.session.produce(
        "trades",
        [
            {"symbol": "AAPL", "price": 175.5, "volume": 100, "timestamp": 1_000},
            {"symbol": "MSFT", "price": 350.25, "volume": 12_000, "timestamp": 2_000},
            {"symbol": "AAPL", "price": 176.0, "volume": 300, "timestamp": 3_000},
        ],
    )
    yield notebook
    notebook.cell("%unload_ext velostream_nb")
