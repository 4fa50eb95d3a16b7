"""What arrives: the market's rows in order of arrival, with the faults that were asked for."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from velostream_generator.config import MarketConfig, RandomStream
from velostream_generator.encode import to_json_lines
from velostream_generator.faults import MALFORMATIONS, Faults, malform
from velostream_generator.prices import Integers
from velostream_generator.schemas import SCHEMAS, TIME_COLUMN, TOPICS
from velostream_generator.simulator import Simulator

Payload: TypeAlias = pa.RecordBatch | list[bytes]
"""A run of whole records, or of broken ones as the bytes in which they arrive."""

_DRAWS = 6


class Feed:
    """Records in the order in which they arrive, the same for the same configuration however it is stepped.

    Attributes:
        simulator: the market beneath; do not step it yourself.
        faults: how many records were delivered late, out of order ('disorder'), twice or broken, so far.
    """

    def __init__(self, config: MarketConfig) -> None:
        self.simulator = Simulator(config)
        self.faults: Counter[str] = Counter(late=0, disorder=0, duplicate=0, malformed=0)
        self._shift_ms = 0
        self._lanes: dict[str, _Delays] | None = None
        if config.faults.any:
            self._lanes = {topic: _Delays(config, topic, self.faults) for topic in TOPICS}

    def step(self, duration_ms: int) -> dict[str, list[Payload]]:
        """What arrives in the next `duration_ms` of event time, per topic (`TOPICS`), in order.

        Records that are under way when the last step ends are never delivered.

        Raises:
            MarketConfigError: the duration is not a positive whole number.
        """
        truth = self.simulator.step(duration_ms)
        if self._lanes is None:
            return {topic: [self._stamped(batch)] if batch.num_rows else [] for topic, batch in truth.items()}
        end_ms = self.simulator.now_ms
        return {topic: self._deliver(topic, self._lanes[topic], truth[topic], end_ms) for topic in TOPICS}

    def skip(self, duration_ms: int) -> None:
        """Leave a hole of this length: everything delivered from here on is stamped that much later."""
        self._shift_ms += duration_ms

    def _deliver(self, topic: str, delays: _Delays, batch: pa.RecordBatch, end_ms: int) -> list[Payload]:
        batch, breaks, cuts = delays.arrivals(batch, end_ms)
        batch = self._stamped(batch)
        numeric = next(field.name for field in SCHEMAS[topic] if pa.types.is_floating(field.type))
        broken = breaks >= 0
        lines = to_json_lines(batch.filter(pa.array(broken))).splitlines()
        records = (
            malform(line, numeric=numeric, time=TIME_COLUMN, how=MALFORMATIONS[how], cut=cut)
            for line, how, cut in zip(lines, breaks[broken], cuts[broken], strict=True)
        )
        payloads: list[Payload] = []
        # runs of whole and of broken records take turns
        edges = [0, *(np.flatnonzero(np.diff(broken)) + 1).tolist(), len(broken)]
        for start, end in pairwise(edges):
            if start == end:
                continue
            if broken[start]:
                payloads.append(list(islice(records, end - start)))
            else:
                payloads.append(batch.slice(start, end - start))
        return payloads

    def _stamped(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._shift_ms == 0 or batch.num_rows == 0:
            return batch
        place = batch.schema.get_field_index(TIME_COLUMN)
        moved = batch.column(place).cast(pa.int64()).to_numpy() + self._shift_ms * 1_000
        return batch.set_column(place, batch.schema.field(place), pa.array(moved).cast(pa.timestamp("us")))


class _Delays:
    """One topic's records between their turn and their arrival."""

    def __init__(self, config: MarketConfig, topic: str, counts: Counter[str]) -> None:
        self._faults: Faults = config.faults
        seed = config.seed if config.faults.seed is None else config.faults.seed
        key = (int(RandomStream.FAULTS), TOPICS.index(topic))
        self._random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
        self._counts = counts
        self._waiting = pa.RecordBatch.from_pylist([], schema=SCHEMAS[topic])
        self._arrival_ms = np.empty(0, np.int64)
        self._draw = np.empty((0, _DRAWS))

    def arrivals(self, batch: pa.RecordBatch, end_ms: int) -> tuple[pa.RecordBatch, Integers, npt.NDArray[np.float64]]:
        """The records that arrive before `end_ms`, out of `batch` and those under way, in order of arrival.

        Returns:
            The records, duplicates included; for each the index of its malformation or -1; and where to cut it.
        """
        # one row of draws per record, in log order: the same for every step size
        draw = np.concatenate([self._draw, self._random.random((batch.num_rows, _DRAWS))])
        time_ms = batch.column(TIME_COLUMN).cast(pa.int64()).to_numpy() // 1_000
        arrival_ms = np.concatenate([self._arrival_ms, time_ms + self._delays_ms(draw[len(self._draw) :])])
        records = pa.concat_batches([self._waiting, batch])
        due = arrival_ms < end_ms
        self._waiting = records.filter(pa.array(~due))
        self._arrival_ms, self._draw = arrival_ms[~due], draw[~due]

        order = np.flatnonzero(due)[np.argsort(arrival_ms[due], kind="stable")]
        twice = draw[order, 1] < self._faults.duplicate
        order = np.repeat(order, 1 + twice)
        broken = draw[order, 2] < self._faults.malformed
        kinds = (draw[order, 4] * len(MALFORMATIONS)).astype(np.int64)
        self._count(draw[order[np.diff(order, prepend=-1) != 0], 0], int(twice.sum()), int(broken.sum()))
        return records.take(pa.array(order)), np.where(broken, kinds, -1), draw[order, 5]

    def _delays_ms(self, draw: npt.NDArray[np.float64]) -> Integers:
        faults = self._faults
        late = draw[:, 0] < faults.late
        disordered = ~late & (draw[:, 0] < faults.late + faults.disorder)
        delay_ms = np.zeros(len(draw), np.int64)
        delay_ms[late] = np.ceil((1.5 + 1.5 * draw[late, 3]) * faults.late_ms).astype(np.int64)
        delay_ms[disordered] = 1 + (draw[disordered, 3] * faults.disorder_ms).astype(np.int64)
        return delay_ms

    def _count(self, moved: npt.NDArray[np.float64], twice: int, broken: int) -> None:
        late = int((moved < self._faults.late).sum())
        disordered = int((moved < self._faults.late + self._faults.disorder).sum()) - late
        self._counts.update(late=late, disorder=disordered, duplicate=twice, malformed=broken)
