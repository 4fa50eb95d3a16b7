"""The contract of every codec; `tests/contracts/test_codecs.py` runs over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from velostream_nb.core.records import Decoded, RecordSet
from velostream_nb.core.schema import StreamSchema


class Codec(Protocol):
    """Turns records of one format into typed batches. Stateless, safe to share between threads."""

    name: str

    def decode(self, records: RecordSet, schema: StreamSchema, columns: Sequence[str] | None = None) -> Decoded:
        """Decode a run of records.

        Args:
            columns: the columns that some job reads (projection push-down); None means all. The event-time column
                is always decoded, because `TS` needs it; it is in the batch only when asked for.

        A record that does not decode never raises: it is in `Decoded.rejected` with its offset, the field at fault and
        the raw bytes. A field that is absent or null becomes NULL, except for the event-time column and columns
        declared NOT NULL, whose absence rejects the record. Unknown fields are ignored. A row's `TS` is its
        event-time column in epoch microseconds, or the broker's timestamp when the schema has none.
        A typed payload (`RecordBatch`) is cast column by column to the schema; rows that do not cast are rejected.
        """

    def encode(self, batch: pa.RecordBatch) -> pa.BinaryArray:
        """One value a row. Timestamps become epoch milliseconds; hidden columns are left out."""

    def infer(self, records: RecordSet, *more: RecordSet) -> StreamSchema:
        """The schema of the first records of a topic nobody declared; SchemaError when none of them decodes.

        It holds the values of all of the runs, whatever their forms and partitions; `StreamSchema.inferred` is set.

        Integers named like event time (`guess_time_column`) become TIMESTAMP.
        """
