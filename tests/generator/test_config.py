from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import velostream_generator
from velostream_generator import DEFAULT_EXCHANGES, Faults, MarketConfig, MarketConfigError, Symbol

GOOD = """
scenario = "volatility"
seed = 9
exchanges = ["XETRA", "TRADEGATE"]
market_interval_ms = 250

[symbols.SAP]
price = 210
volatility = 0.28

[symbols."BRK.B"]
price = 480.5
volatility = 0.18

[faults]
late = 0.01
late_ms = 4000
"""


def market(tmp_path: Path, text: str, **overrides: object) -> MarketConfig:
    path = tmp_path / "market.toml"
    path.write_text(text, encoding="utf-8")
    return MarketConfig.from_toml(path, **overrides)


def test_a_market_comes_from_a_file(tmp_path: Path) -> None:
    assert market(tmp_path, GOOD) == MarketConfig(
        symbols=(Symbol("SAP", 210, 0.28), Symbol("BRK.B", 480.5, 0.18)),
        exchanges=("XETRA", "TRADEGATE"),
        scenario="volatility",
        seed=9,
        market_interval_ms=250,
        faults=Faults(late=0.01, late_ms=4_000),
    )


def test_what_the_file_leaves_out_is_as_ever_and_what_the_caller_says_wins(tmp_path: Path) -> None:
    config = market(tmp_path, "seed = 3\nscenario = 'risk'", scenario="calm")
    assert (config.seed, config.scenario, config.exchanges) == (3, "calm", DEFAULT_EXCHANGES)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("seed = ", "is not TOML", "example"),
        ("sceanrio = 'calm'", "unknown option 'sceanrio'", "did you mean scenario?"),
        ("scenario = 'volatile'", "unknown scenario 'volatile'", "did you mean volatility?"),
        ("scenario = 3", "unknown scenario 3", "known: arbitrage"),
        ("seed = -1", "seed is -1", "whole number"),
        ("seed = true", "seed is True", "whole number"),
        ("traders = 2.5", "traders is 2.5", "whole number"),
        ("market_interval_ms = 0", "market_interval_ms is 0", "from 1"),
        ("correlation = 1.0", "correlation is 1.0", "0.99"),
        ("rate = nan", "rate is nan", "events a second"),
        ("rate = 20000000", "rate is 20000000", "from 0.001 to 1e+06"),
        ("exchanges = 'NYSE'", "exchanges is 'NYSE'", "list"),
        ("exchanges = []", "no exchanges", "at least one"),
        ("exchanges = ['A', 'A']", "exchange 'A' is given 2 times", "once"),
        ("exchanges = ['']", "'' is no name", "text"),
        ("scenario = 'arbitrage'\nexchanges = ['A']", "with one exchange", "two exchanges"),
        ("symbols = ['AAPL']", "symbols is list", "[symbols.AAPL]"),
        ("symbols.AAPL = 3", "symbol AAPL is 3, not a table", "price, volatility"),
        ("[symbols]", "no symbols", "at least one"),
        ("[symbols.A]\nprice = 3", "symbol A has no volatility", "[symbols.A]"),
        ("[symbols.A]\nprice = 3\nvolatilty = 1", "unknown option 'volatilty' of symbol A", "did you mean volatility?"),
        ("[symbols.A]\nprice = -3\nvolatility = .5", "is not TOML", "example"),
        ("[symbols.A]\nprice = -3\nvolatility = 0.5", "price of A is -3", "US dollars"),
        ("[symbols.A]\nprice = '3'\nvolatility = 0.5", "price of A is '3'", "US dollars"),
        ("[symbols.A]\nprice = 3\nvolatility = 25", "volatility of A is 25", "0.25 for 25 %"),
        ("[faults]\nlate = 2", "faults.late is 2", "probability"),
        ("[faults]\nlate = 0.6\ndisorder = 0.6", "add up to 1.2", "at most 1"),
        ("[faults]\nlates = 0.1", "unknown option 'lates' of faults", "did you mean late"),
        ("[faults]\nseed = 'x'", "faults.seed is 'x'", "whole number"),
    ],
)
def test_a_file_that_does_not_fit_says_what_and_what_to_do(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(MarketConfigError) as caught:
        market(tmp_path, text)
    assert "market.toml" in caught.value.message
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(caught.value) == f"{caught.value.message}\nhint: {caught.value.hint}"


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(MarketConfigError, match="cannot read"):
            MarketConfig.from_toml(path)
    (tmp_path / "latin.toml").write_bytes(b"scenario = '\xe9'")
    with pytest.raises(MarketConfigError, match="cannot read"):
        MarketConfig.from_toml(tmp_path / "latin.toml")


def test_the_example_of_the_package_is_true() -> None:
    outcome = doctest.testmod(velostream_generator)
    assert outcome.attempted == 3
    assert outcome.failed == 0
