"""Every option a stream, a job or a session knows: one table, read by the checks here and by README.

The same name means the same thing at each level; a stream's option wins for that stream, then a job's, then the
session's (`SET k = v`), then the default below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from velostream_nb.core.errors import ConfigError, did_you_mean


class Level(StrEnum):
    """Where an option may be written."""

    STREAM = "stream"
    """``CREATE STREAM … WITH (…)``."""
    JOB = "job"
    """``START JOB … WITH (…)``."""
    SESSION = "session"
    """``SET k = v``."""


class Kind(StrEnum):
    """What an option's value is."""

    DURATION = "duration"
    INTEGER = "integer"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Setting:
    """One option.

    Attributes:
        default: the value as a user would write it; None means unset.
        help: one line.
        choices: the values of a CHOICE.
        later: values that are planned, and refused today as "not yet".
        least: the smallest INTEGER that makes sense.
    """

    name: str
    levels: frozenset[Level]
    kind: Kind
    default: str | None
    help: str
    choices: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    least: int = 0

    def check(self, value: str) -> None:
        """ConfigError when `value` cannot be this option's. Durations are read, and judged, by the planner."""
        if self.kind is Kind.CHOICE:
            self._check_choice(value)
        elif self.kind is Kind.INTEGER:
            self._check_integer(value)
        elif not value.strip():
            raise ConfigError(f"'{self.name}' is empty", hint=f"{self.help}; leave it out for the default")

    def _check_choice(self, value: str) -> None:
        if value.lower() in self.later:
            raise ConfigError(
                f"'{self.name}' = {value!r} is not yet supported", hint=f"use one of: {', '.join(self.choices)}"
            )
        if value.lower() not in self.choices:
            raise ConfigError(
                f"'{self.name}' cannot be {value!r}",
                hint=did_you_mean(value, self.choices) or f"use one of: {', '.join(self.choices)}",
            )

    def _check_integer(self, value: str) -> None:
        try:
            number = int(value.replace("_", ""))
        except ValueError:
            raise ConfigError(f"'{self.name}' must be a whole number, got {value!r}", hint=self.help) from None
        if number < self.least:
            raise ConfigError(f"'{self.name}' must be at least {self.least}, got {value}", hint=self.help)


_STREAM = frozenset({Level.STREAM})
_JOB = frozenset({Level.JOB})
_STREAM_JOB = _STREAM | _JOB
_JOB_SESSION = frozenset({Level.JOB, Level.SESSION})
_ANY = frozenset(Level)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "auto.offset.reset",
        _JOB_SESSION,
        Kind.CHOICE,
        "earliest",
        "where a new job starts to read: all that is retained, or only what comes from now on",
        choices=("earliest", "latest"),
    ),
    Setting(
        "changelog",
        _JOB_SESSION,
        Kind.CHOICE,
        "upsert",
        "how a changelog is written: the new row per key, or every row that comes and goes (op column)",
        choices=("upsert", "retract"),
    ),
    Setting("emit.every", _JOB_SESSION, Kind.DURATION, "1s", "slide of the window behind timestamp() - INTERVAL"),
    Setting(
        "event.time.field",
        _STREAM,
        Kind.TEXT,
        None,
        "column of event time; else timestamp, event_time, ts, else broker's",
    ),
    Setting("format", _STREAM, Kind.CHOICE, "json", "how records are encoded", choices=("json",), later=("avro",)),
    Setting(
        "idle.timeout", _ANY, Kind.DURATION, "10s", "a partition silent for so long no longer holds the watermark back"
    ),
    Setting(
        "join.within",
        _JOB_SESSION,
        Kind.DURATION,
        "1s",
        "bound of a stream-stream join that names none; 'unbounded' joins all rows, as a changelog",
    ),
    Setting(
        "late.data",
        _JOB_SESSION,
        Kind.CHOICE,
        "drop",
        "what becomes of rows behind the watermark (they are counted always)",
        choices=("drop", "dead_letter", "update"),
    ),
    Setting(
        "late.within", _JOB_SESSION, Kind.DURATION, "1h", "how long a closed window is kept for 'late.data' = 'update'"
    ),
    Setting("output.topic", _JOB, Kind.TEXT, None, "topic the job writes; else the job's name"),
    Setting("partitions", _STREAM, Kind.INTEGER, "1", "partitions of a topic that does not exist yet", least=1),
    Setting(
        "retention.bytes",
        _STREAM_JOB,
        Kind.INTEGER,
        str(512 * 1024 * 1024),
        "bytes kept per partition, the oldest go first",
        least=1,
    ),
    Setting(
        "retention.rows",
        _STREAM_JOB,
        Kind.INTEGER,
        "1000000",
        "records kept per partition, the oldest go first",
        least=1,
    ),
    Setting(
        "state.ttl",
        _JOB_SESSION,
        Kind.DURATION,
        None,
        "state of unbounded operators is forgotten after so long in event time; unset: never",
    ),
    Setting("topic", _STREAM_JOB, Kind.TEXT, None, "topic behind the stream; else the stream's name"),
    Setting(
        "watermark.delay", _ANY, Kind.DURATION, "0s", "how far out of order rows may come before they count as late"
    ),
)
"""All options, by name."""

ALIASES = {"kafka_topic": "topic", "kafka.topic": "topic"}
"""What other systems call an option."""

_BY_NAME = {setting.name: setting for setting in SETTINGS}


def setting(name: str, level: Level | None = None) -> Setting:
    """The option of that name (any case); ConfigError with near names, or with the levels where it belongs."""
    found = _BY_NAME.get(ALIASES.get(name.lower(), name.lower()))
    at_level = [s.name for s in SETTINGS if level is None or level in s.levels]
    if found is None:
        raise ConfigError(f"unknown option '{name}'", hint=did_you_mean(name, at_level))
    if level is not None and level not in found.levels:
        raise ConfigError(
            f"'{found.name}' is not an option of a {level}",
            hint=f"it belongs to: {', '.join(sorted(found.levels))}; options of a {level}: {', '.join(at_level)}",
        )
    return found


def check_options(options: Mapping[str, str], level: Level) -> dict[str, str]:
    """The options with lower-case names; ConfigError for the first that is unknown, misplaced or has no such value."""
    checked: dict[str, str] = {}
    for name, value in options.items():
        known = setting(name, level)
        known.check(value)
        checked[known.name] = value
    return checked


def option(name: str, *levels: Mapping[str, str]) -> str | None:
    """The value in the first of `levels` that has one, else the default."""
    for options in levels:
        if name in options:
            return options[name]
    return _BY_NAME[name].default


def integer(name: str, *levels: Mapping[str, str]) -> int | None:
    """An INTEGER option as `option` finds it; None when unset."""
    value = option(name, *levels)
    return None if value is None else int(value.replace("_", ""))
