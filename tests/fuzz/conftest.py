"""`pytest tests/fuzz --fuzz-minutes 30` runs so long, from a seed of its own."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-minutes", type=float, default=None, help="run random cases for so long")
    parser.addoption("--fuzz-seed", type=int, default=None, help="begin at this seed (else: at one of the moment)")
