"""What can be wrong with records that arrive: asked for as probabilities, reproduced from the seed."""

from __future__ import annotations

import json
from dataclasses import dataclass

from velostream_generator.checks import require_integer, require_number
from velostream_generator.errors import MarketConfigError

MALFORMATIONS = ("truncated", "wrong type", "no timestamp", "not JSON")
"""How a record can be broken, each as often as the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often records arrive late, out of order, twice or broken. Probabilities are per record, 0 to 1.

    Attributes:
        late: arrives between 1.5 and 3 times `late_ms` of event time after its turn, so that a watermark delay of
            `late_ms` has passed by.
        disorder: arrives up to `disorder_ms` of event time after its turn: a watermark delay of that much loses none.
        duplicate: arrives twice, one after the other.
        malformed: arrives broken in one of the ways of `MALFORMATIONS`, instead of whole.
        seed: of the faults alone; None follows the market's seed. The market beneath is the same either way.
    """

    late: float = 0.0
    late_ms: int = 30_000
    disorder: float = 0.0
    disorder_ms: int = 1_000
    duplicate: float = 0.0
    malformed: float = 0.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("late", "disorder", "duplicate", "malformed"):
            require_number(f"faults.{name}", getattr(self, name), 0.0, 1.0, "a probability")
        if self.late + self.disorder > 1.0:
            raise MarketConfigError(
                f"faults.late and faults.disorder add up to {self.late + self.disorder:g}",
                hint="keep the sum at most 1",
            )
        require_integer("faults.late_ms", self.late_ms, 1, 86_400_000)
        require_integer("faults.disorder_ms", self.disorder_ms, 1, 86_400_000)
        if self.seed is not None:
            require_integer("faults.seed", self.seed, 0, 2**63 - 1)

    @property
    def any(self) -> bool:
        """True when some record may be touched."""
        return any((self.late, self.disorder, self.duplicate, self.malformed))


def malform(record: bytes, *, numeric: str, time: str, how: str, cut: float) -> bytes:
    """Break one JSON object.

    Args:
        record: the object, without newline.
        numeric: the field that gets a text where a number belongs ("wrong type").
        time: the field that is left out ("no timestamp"): without it a record has no place in a stream.
        how: one of `MALFORMATIONS`.
        cut: where a truncated record ends, 0 for after its first byte up to 1 for before its last.
    """
    match how:
        case "truncated":
            return record[: 1 + int(cut * (len(record) - 2))]
        case "wrong type":
            return json.dumps({**json.loads(record), numeric: "n/a"}, separators=(",", ":")).encode()
        case "no timestamp":
            fields = json.loads(record)
            del fields[time]
            return json.dumps(fields, separators=(",", ":")).encode()
        case "not JSON":
            return b"<html><body>502 Bad Gateway</body></html>"
    raise ValueError(f"no such malformation: {how!r}")
