"""The commands ``velo`` and ``velo-cli``."""

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of the console scripts."""
    from velostream_nb.cli.app import velo
    from velostream_nb.cli.lean import start_lean

    if sys.argv[1:2] == ["run"]:
        start_lean()

    velo(prog_name="velo")
