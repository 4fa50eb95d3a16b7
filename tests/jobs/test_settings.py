"""The table of options, and the checks that read it."""

from __future__ import annotations

import pytest

from velostream_nb.core.errors import ConfigError
from velostream_nb.core.settings import SETTINGS, Kind, Level, check_options, integer, option, setting
from velostream_nb.sql.parse import parse_duration_us


def test_the_table_is_in_order_complete_and_its_defaults_are_valid() -> None:
    names = [s.name for s in SETTINGS]
    assert names == sorted(set(names))
    for s in SETTINGS:
        assert s.help
        assert s.levels
        if s.default is not None:
            s.check(s.default)
            if s.kind is Kind.DURATION:
                assert parse_duration_us(s.default) >= 0
        assert (s.kind is Kind.CHOICE) == bool(s.choices)


def test_options_are_found_in_any_case_and_checked_by_level() -> None:
    assert check_options({"Output.Topic": "x"}, Level.JOB) == {"output.topic": "x"}
    with pytest.raises(ConfigError, match=r"'output\.topic' is not an option of a stream") as caught:
        check_options({"output.topic": "x"}, Level.STREAM)
    assert "it belongs to: job" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="unknown option 'watermark'"):
        setting("watermark")


@pytest.mark.parametrize(
    ("name", "value", "level", "says"),
    [
        ("late.data", "dorp", Level.JOB, "cannot be 'dorp'"),
        ("format", "avro", Level.STREAM, "not yet"),
        ("retention.rows", "many", Level.STREAM, "whole number"),
        ("retention.rows", "0", Level.JOB, "at least 1"),
        ("topic", "  ", Level.STREAM, "is empty"),
    ],
)
def test_values_that_cannot_be_are_refused_with_what_to_write(name: str, value: str, level: Level, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        check_options({name: value}, level)
    assert caught.value.hint


def test_the_nearest_level_wins() -> None:
    assert option("join.within", {}, {"join.within": "3s"}) == "3s"
    assert option("join.within", {"join.within": "2s"}, {"join.within": "3s"}) == "2s"
    assert option("join.within") == "1s"
    assert integer("retention.rows", {"retention.rows": "1_000"}) == 1_000
    assert option("event.time.field") is None


def test_other_systems_names_of_an_option_are_understood() -> None:
    assert check_options({"kafka_topic": "x"}, Level.STREAM) == {"topic": "x"}
