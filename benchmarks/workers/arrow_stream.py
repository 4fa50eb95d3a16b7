"""The five jobs over Arrow batches in memory, Arrow out: no file, no JSON, no thread beside the engine's own.

The whole input is in the broker before the first tick, in batches of the size asked for (slices: nothing is copied).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.child import serve
from benchmarks.five import COLUMNS, OUTPUTS


def work(options: dict[str, Any]) -> dict[str, Any]:
    """Options: ``sources`` (Parquet file by topic), ``batch_rows``, ``out`` (folder for the answers, or None).

    Answers CPU seconds: `load_s` and `save_s` of reading and writing the files, which are no part of the figure, and
    `run_s` from the first tick to the last; and `ticks`, how many there were.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    began_s = time.process_time()  # the import of Arrow is part of every start
    tables = {topic: pq.read_table(path, columns=list(COLUMNS[topic])) for topic, path in options["sources"].items()}
    load_s = time.process_time() - began_s

    from velostream_nb.brokers.contract import Retention
    from velostream_nb.brokers.embedded import EmbeddedBroker
    from velostream_nb.codecs.json import JsonCodec
    from velostream_nb.core.clock import SystemClock
    from velostream_nb.core.files import shipped
    from velostream_nb.jobs.catalog import Catalog
    from velostream_nb.jobs.execute import Executor
    from velostream_nb.jobs.intake import BatchSize
    from velostream_nb.jobs.reading import Looker
    from velostream_nb.jobs.runner import Inline
    from velostream_nb.jobs.ticker import Ticker

    size = options["batch_rows"]
    clock, codec = SystemClock(), JsonCodec()
    broker = EmbeddedBroker(clock, retention=Retention(rows=None, bytes=None))
    catalog = Catalog(broker, codec)
    ticker = Ticker(broker, codec, clock, BatchSize(rows=size, most=size, target_us=None), backpressure=True)
    inline = Inline(ticker)
    executor = Executor(broker, catalog, Looker(broker, codec, catalog), ticker, lambda: inline, clock)
    # the retention of the streams' topics is the broker's: those that exist keep it
    for topic, table in tables.items():
        broker.create_topic(topic)
        for batch in table.combine_chunks().to_batches(max_chunksize=size):
            broker.produce(topic, batch)
    executor.run(shipped("sql/financial_trading.sql").read_text(), {})
    began_s = time.process_time()
    ticks = 0
    while levels := ticker.levels():
        ticks += 1
        if not ticker.tick():
            ticker.tick(final={job.name for job in levels[0]})
    run_s = time.process_time() - began_s
    for job in ticker.jobs.values():
        assert job.error is None, job.error
        assert not job.lost, f"{job.name} lost {job.lost} records"
    began_s = time.process_time()
    if options["out"]:
        for topic in OUTPUTS:
            sets = broker.read_range({topic: None}, 10**9)[topic][0]
            answer = pa.Table.from_batches([records.payload for records in sets])
            pq.write_table(answer, Path(options["out"]) / f"{topic}.parquet")
    save_s = time.process_time() - began_s
    ticker.close()
    broker.close()
    return {"load_s": load_s, "run_s": run_s, "save_s": save_s, "ticks": ticks}


if __name__ == "__main__":
    serve(work)
