"""What a run over files does not need, it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import velostream_generator as market

from velostream_nb.core.files import shipped

_SCRIPT = """
import sys
from pathlib import Path
from velostream_nb.jobs.batch import run_files

app, folder, out = map(Path, sys.argv[1:])
sources = {name: folder / f"{name}.parquet" for name in ("market_data", "trading_positions", "order_book_updates")}
summary = run_files(app.read_text(), sources, sink_dir=out, batch_rows=500)
assert summary.ok and all(job.rows_in for job in summary.jobs)
print([name for name in ("pandas", "streamz.dataframe", "ipywidgets", "bqplot", "jupyter_server") if name in sys.modules])
"""


def test_five_jobs_over_files_import_no_pandas(tmp_path: Path) -> None:
    """Its import takes longer than their start; pyarrow imports it with the first array that is made of Python's."""
    market.write(market.MarketConfig(seed=3), tmp_path / "day", format="parquet", events=5_000)
    app = shipped("sql/financial_trading.sql")
    command = [sys.executable, "-c", _SCRIPT, str(app), str(tmp_path / "day"), str(tmp_path / "out")]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
