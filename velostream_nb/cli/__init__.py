"""The commands ``velo`` and ``velo-cli``."""

__all__ = ["main"]


def main() -> None:
    """Entry point of the console scripts."""
    from velostream_nb.cli.app import velo

    velo(prog_name="velo")
