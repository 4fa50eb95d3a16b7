"""A user's own market from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from velostream_generator.config import MarketConfig, Symbol
from velostream_generator.errors import MarketConfigError, near_names
from velostream_generator.faults import Faults


def read_market(path: Path, overrides: Mapping[str, object]) -> MarketConfig:
    """The market that the file describes, with `overrides` on top.

    Raises:
        MarketConfigError: what is wrong, with the file's name in front.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MarketConfigError(f"cannot read {path}: {error}", hint="give the path of a TOML file") from error
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MarketConfigError(f"{path} is not TOML: {error}", hint="see the example in MarketConfig.from_toml") from (
            error
        )
    try:
        options = _options(given)
    except MarketConfigError as error:
        raise MarketConfigError(f"{path}: {error.message}", hint=error.hint) from error
    try:
        return MarketConfig(**{**options, **overrides})
    except MarketConfigError as error:
        raise MarketConfigError(f"{path}: {error.message}", hint=error.hint) from error


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    known = {field.name for field in fields(MarketConfig)}
    for name, value in given.items():
        if name not in known:
            raise MarketConfigError(f"unknown option {name!r}", hint=near_names(name, known))
        match name:
            case "symbols":
                options[name] = _symbols(value)
            case "exchanges":
                options[name] = _exchanges(value)
            case "faults":
                options[name] = Faults(**_known_table("faults", value, {field.name for field in fields(Faults)}))
            case _:
                options[name] = value
    return options


def _symbols(value: object) -> tuple[Symbol, ...]:
    if not isinstance(value, dict):
        raise MarketConfigError(
            f"symbols is {type(value).__name__}, not a table for each symbol",
            hint="write [symbols.AAPL], then price = 175.0 and volatility = 0.25",
        )
    symbols = []
    for name, table in value.items():
        known = _known_table(f"symbol {name}", table, {"price", "volatility"})
        for needed in ("price", "volatility"):
            if needed not in known:
                raise MarketConfigError(
                    f"symbol {name} has no {needed}", hint=f"add {needed} = … under [symbols.{name}]"
                )
        symbols.append(Symbol(name, known["price"], known["volatility"]))
    return tuple(symbols)


def _exchanges(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise MarketConfigError(f"exchanges is {value!r}", hint='write a list, like ["NYSE", "NASDAQ"]')
    return tuple(value)


def _known_table(what: str, value: object, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MarketConfigError(f"{what} is {value!r}, not a table", hint=f"give {', '.join(sorted(known))} in a table")
    for name in value:
        if name not in known:
            raise MarketConfigError(f"unknown option {name!r} of {what}", hint=near_names(name, known))
    return value
