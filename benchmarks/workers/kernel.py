"""Jobs started from a notebook: from the moment a cell is sent to a kernel until its job's first row is readable.

A real kernel, spoken to as a notebook does; before the first job it has loaded the extension and produced rows, and has
run no SQL. A thread inside it watches for the row; both sides read the same monotonic
clock of the machine.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from typing import Any

from benchmarks.child import serve

CELL = """%%velo_sql
START JOB first_{number} AS
SELECT symbol, price, AVG(price) OVER w AS usual, timestamp FROM trades WHERE price > {number}
WINDOW w AS (PARTITION BY symbol ORDER BY timestamp ROWS BETWEEN 20 PRECEDING AND CURRENT ROW)
"""
PREPARE = """
%load_ext velostream_nb
import json as __json, threading as __threading, time as __time
__s = %velo session
__now = 1_767_623_400_000
__s.produce("trades", [{"symbol": "AB"[i % 2], "price": 1_000.5 + i, "timestamp": __now + i} for i in range(1_000)])
__seen = {}
def __watch(topic):
    while not __s.frames({topic: 0}, limit=1)[topic].rows.num_rows:
        __time.sleep(0.0005)
    __seen[topic] = __time.perf_counter()
"""
WATCH = "__threading.Thread(target=__watch, args=('first_{number}',)).start()"
TOLD = "print(__json.dumps(__seen.get('first_{number}')))"


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``jobs``, how many to start in one kernel. Answers milliseconds of each, in order."""
    from jupyter_client.manager import KernelManager

    with tempfile.TemporaryDirectory() as folder:
        # nobody's own start-up files and history in the figure
        env = {**os.environ, "IPYTHONDIR": folder, "JUPYTER_RUNTIME_DIR": folder}
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(env=env)
        client = manager.client()
        try:
            client.start_channels()
            client.wait_for_ready(timeout=60)
            _ran(client, PREPARE)
            return {"first_row_ms": [_first_row_ms(client, number) for number in range(options["jobs"])]}
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def _first_row_ms(client: Any, number: int) -> float:
    _ran(client, WATCH.format(number=number))
    began_s = time.perf_counter()
    _ran(client, CELL.format(number=number))
    while True:
        seen_s = json.loads(_ran(client, TOLD.format(number=number)))
        if seen_s is not None:
            return (float(seen_s) - began_s) * 1e3
        if time.perf_counter() - began_s > 60:
            raise AssertionError("no row in a minute")


def _ran(client: Any, code: str) -> str:
    """What a cell prints; AssertionError when it fails."""
    printed: list[str] = []

    def output(message: Any) -> None:
        if message["header"]["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=60, output_hook=output)
    assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", []))
    return "".join(printed)


if __name__ == "__main__":
    serve(work)
