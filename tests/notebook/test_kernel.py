"""In a real kernel: the quickstart from top to bottom, cards, interrupts, and the end of the kernel."""

import re
import warnings
from collections.abc import Iterator
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from .lab import QUICKSTART, wait_for

MOVES_ON = (
    "s = %velo session\nmine = s.job('mine')\nfirst = mine.info().rows_out",
    "import time\nend = time.monotonic() + 20\n"
    "while (n := mine.info().rows_out) <= first and time.monotonic() < end:\n    time.sleep(0.1)",
    "(n > first, len(averages.df()) > 0, averages.info().state.value)",
)
"""Cells after the quickstart's own: does its last job go on by itself?"""

WIDGET = "application/vnd.jupyter.widget-view+json"


class Kernel:
    """Runs cells in a kernel process and gives their outputs."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def start(self, code: str) -> str:
        return str(self.client.execute(code))

    def outputs(self, request: str, timeout_s: float = 60) -> list[dict[str, Any]]:
        """What a cell has put out when it is over."""
        found: list[dict[str, Any]] = []
        while True:
            message = self.client.get_iopub_msg(timeout=timeout_s)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return found
            if kind in ("display_data", "execute_result", "error", "stream"):
                found.append({"kind": kind, **content})

    def run(self, code: str) -> list[dict[str, Any]]:
        outputs = self.outputs(self.start(code))
        errors = [output for output in outputs if output["kind"] == "error"]
        assert not errors, "\n".join(errors[0]["traceback"])
        return outputs

    def text(self, code: str) -> str:
        return "\n".join(o["data"]["text/plain"] for o in self.run(code) if "data" in o)

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager = KernelManager()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client about its own transport
        manager.start_kernel()
        running = Kernel(manager)
    running.run("%load_ext velostream_nb\n%velo market start --scenario calm --speed 20")
    yield running
    running.close()


def test_a_job_is_a_live_card_with_text_and_html_behind_it(kernel: Kernel) -> None:
    (card,) = kernel.run("%%velo_sql\nSTART JOB carded AS SELECT symbol, price FROM market_data")
    assert set(card["data"]) == {WIDGET, "text/plain", "text/html"}
    assert card["data"]["text/plain"].startswith("job carded running: market_data -> carded")
    assert "job carded running" in card["data"]["text/html"]
    line, again = kernel.run("%%velo_sql\nSTART JOB carded AS SELECT symbol, price FROM market_data")
    assert "runs with this text already" in line["data"]["text/plain"]
    assert WIDGET in again["data"]


def test_a_handle_and_a_chart_are_widgets(kernel: Kernel) -> None:
    kernel.run("%%velo_sql -o job --wait\nSTART JOB charted AS SELECT timestamp, symbol, price FROM market_data")
    (value,) = kernel.run("job")
    assert value["kind"] == "execute_result"
    assert WIDGET in value["data"]
    (chart,) = kernel.run("%velo chart charted --y price")
    assert WIDGET in chart["data"]
    assert chart["data"]["text/plain"].startswith("LiveChart('charted'")
    (table,) = kernel.run("%velo tail charted -f -n 5")
    assert WIDGET in table["data"]
    _, _, below = kernel.run(
        "%%velo_sql --chart --y price\nSELECT 1 AS one; START JOB charted AS\n"
        "SELECT timestamp, symbol, price FROM market_data"
    )[-3:]
    assert below["data"]["text/plain"].startswith("LiveChart('charted'")


def test_an_error_is_one_clean_message(kernel: Kernel) -> None:
    (error,) = kernel.outputs(kernel.start("%%velo_sql\nSELECT prise FROM market_data"))
    assert error["ename"] == "BindError"
    assert len(error["traceback"]) == 1
    assert "^^^^^" in error["traceback"][0]


def test_an_interrupt_ends_the_wait_and_no_job(kernel: Kernel) -> None:
    kernel.run("%%velo_sql --no-display\nSTART JOB steady AS SELECT symbol FROM market_data")
    # prices are positive: this query waits for ever
    request = kernel.start("%%velo_sql\nSELECT symbol FROM market_data WHERE price < 0 EMIT CHANGES LIMIT 1")

    def waiting() -> bool:
        busy = kernel.client.get_iopub_msg(timeout=30)
        return busy["parent_header"].get("msg_id") == request and busy["msg_type"] == "execute_input"

    wait_for(waiting, 30, "the cell runs")
    kernel.manager.interrupt_kernel()
    errors = [output for output in kernel.outputs(request) if output["kind"] == "error"]
    assert [error["ename"] for error in errors] == ["KeyboardInterrupt"]
    jobs = kernel.text("%velo jobs")
    assert re.search(r"steady\s+running", jobs)
    before = int(kernel.text("%velo_sql SELECT count(*) AS n FROM steady").split()[-1])
    wait_for(
        lambda: int(kernel.text("%velo_sql SELECT count(*) AS n FROM steady").split()[-1]) > before,
        20,
        "the job goes on after the interrupt",
    )


def test_the_quickstart_runs_from_top_to_bottom_and_its_chart_has_data() -> None:
    notebook = nbformat.read(QUICKSTART, as_version=4)
    assert all(cell.get("outputs", []) == [] for cell in notebook.cells)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for source in MOVES_ON:
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    by_id = {cell.id: cell.outputs for cell in code}
    assert "AAPL" in by_id["select"][0]["data"]["text/plain"]
    assert WIDGET in by_id["start-job"][0]["data"]
    assert WIDGET in by_id["chart"][0]["data"]
    assert "NVDA" in by_id["pandas"][0]["data"]["text/plain"]
    assert by_id["your-query"][1]["data"]["text/plain"].startswith("LiveChart('mine'")
    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == "(True, True, 'running')"


def test_a_kernel_with_running_jobs_ends_at_once_and_silently(capfd: pytest.CaptureFixture[str]) -> None:
    manager = KernelManager()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manager.start_kernel()
        running = Kernel(manager)
    running.run("%load_ext velostream_nb\n%velo market start --speed 50")
    running.run("%%velo_sql --chart\nSTART JOB j AS SELECT timestamp, symbol, price FROM market_data")
    process = psutil.Process(manager.provisioner.process.pid)  # type: ignore[union-attr,attr-defined]
    capfd.readouterr()
    running.client.shutdown()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 5, "the kernel ends")
    running.close()
    printed = "".join(capfd.readouterr())
    assert "leaked" not in printed
    assert "Traceback" not in printed
