"""Files that ship with the package: notebooks and SQL applications."""

from __future__ import annotations

from pathlib import Path

from velostream_nb.core.errors import ConfigError, did_you_mean

SHIPPED = ("notebooks", "sql")
"""Folders that a wheel carries under ``velostream_nb/_files`` and a checkout has at its top level."""


def shipped(name: str) -> Path:
    """The path of a shipped file or folder, such as ``sql/financial_trading.sql`` or ``notebooks``.

    An installed wheel is looked at first, then the checkout that an editable install points to.

    Raises:
        ConfigError: there is no such file; the hint has near names.
    """
    package = Path(__file__).parents[1]
    roots = (package / "_files", package.parent)
    for root in roots:
        path = root / name
        if path.exists() and Path(name).parts[:1] and Path(name).parts[0] in SHIPPED:
            return path
    known = [
        path.relative_to(root).as_posix()
        for root in roots
        for folder in SHIPPED
        for path in (root / folder).rglob("*.*")
        if ".ipynb_checkpoints" not in path.parts
    ]
    raise ConfigError(
        f"no shipped file {name!r}", hint=did_you_mean(name, known) or "reinstall velostream_nb: its files are missing"
    )
