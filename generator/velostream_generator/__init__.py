"""A market to try streaming SQL on: quotes, positions and orders, seeded, reproducible and fast.

>>> from velostream_generator import MarketConfig, Simulator
>>> rows = Simulator(MarketConfig(seed=7)).step(1_000)
>>> rows["market_data"].num_rows
24
"""

from velostream_generator.config import (
    DEFAULT_EXCHANGES,
    DEFAULT_SYMBOLS,
    SCENARIOS,
    Cadence,
    MarketConfig,
    Symbol,
)
from velostream_generator.encode import to_json_lines
from velostream_generator.episodes import Episode, EpisodeKind
from velostream_generator.errors import MarketConfigError
from velostream_generator.faults import Faults
from velostream_generator.feed import Feed, Payload
from velostream_generator.live import live
from velostream_generator.nexmark import (
    NEXMARK_SCHEMAS,
    NEXMARK_TIME,
    NEXMARK_TOPICS,
    NexmarkConfig,
    nexmark,
    nexmark_blocks,
    write_nexmark,
)
from velostream_generator.schemas import KEYS, SCHEMAS, TOPICS
from velostream_generator.simulator import Simulator
from velostream_generator.writer import FORMATS, write

__all__ = [
    "DEFAULT_EXCHANGES",
    "DEFAULT_SYMBOLS",
    "FORMATS",
    "KEYS",
    "NEXMARK_SCHEMAS",
    "NEXMARK_TIME",
    "NEXMARK_TOPICS",
    "SCENARIOS",
    "SCHEMAS",
    "TOPICS",
    "Cadence",
    "Episode",
    "EpisodeKind",
    "Faults",
    "Feed",
    "MarketConfig",
    "MarketConfigError",
    "NexmarkConfig",
    "Payload",
    "Simulator",
    "Symbol",
    "live",
    "nexmark",
    "nexmark_blocks",
    "to_json_lines",
    "write",
    "write_nexmark",
]
