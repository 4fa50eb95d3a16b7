"""`pytest tests/fuzz --fuzz-minutes 30` runs so long, from a seed of its own."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-minutes", type=float, default=None, help="run random cases for so long")
    parser.addoption("--fuzz-seed", type=int, default=None, help="begin at this seed (else: at one of the moment)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs for long is there for those who ask for it."""
    if config.getoption("--fuzz-minutes", default=None) is None:
        items[:] = [item for item in items if item.name != "test_for_long"]
