"""Options on a magic's line: read by argparse, refused in our words."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from velostream_nb.core.errors import ConfigError, did_you_mean


class Options(argparse.ArgumentParser):
    """An argument parser for one magic or verb: raises `ConfigError`, never prints and never exits.

    Args:
        usage: how it is written, for the hint of every error.
    """

    def __init__(self, usage: str) -> None:
        super().__init__(prog=usage.split(" [")[0], add_help=False, allow_abbrev=False)
        self.written = usage

    def error(self, message: str) -> NoReturn:
        raise ConfigError(_plain(message), hint=self.written)

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """The values of a line that is split into words.

        Raises:
            ConfigError: an unknown option (with near names), a missing or wrong value, a word too many.
        """
        known, rest = self.parse_known_args(list(words))
        for word in rest:
            if word.startswith("-"):
                near = did_you_mean(word, self.flags)
                raise ConfigError(f"unknown option {word}", hint=f"{near + ' ' if near else ''}usage: {self.written}")
        if rest:
            raise ConfigError(f"unexpected {rest[0]!r}", hint=f"usage: {self.written}")
        return known

    @property
    def flags(self) -> list[str]:
        """Every option, short and long."""
        return [flag for action in self._actions for flag in action.option_strings]

    def leading(self, line: str) -> tuple[list[str], str]:
        """Split a line into its leading options (with their values) and the text after them, which is not touched.

        A lone ``--`` begins a SQL comment, so it belongs to the text.
        """
        words: list[str] = []
        rest = line.lstrip()
        while found := re.match(r"-(?:-?[A-Za-z][\w-]*)(=\S*)?(?=\s|$)", rest):
            words.append(found.group())
            rest = rest[found.end() :].lstrip()
            if found.group(1) is None and self._takes_value(found.group()) and rest:
                value = re.match(r"'[^']*'|\"[^\"]*\"|\S+", rest)
                assert value is not None  # rest begins with a character that is no space
                words.append(unquote(value.group()))
                rest = rest[value.end() :].lstrip()
        return words, rest

    def _takes_value(self, flag: str) -> bool:
        return any(flag in action.option_strings and action.nargs != 0 for action in self._actions)


def split_words(line: str) -> list[str]:
    """A line as words, quotes taken off; ConfigError when one is never closed."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ConfigError(f"{str(error).lower()} in: {line.strip()}", hint="close the quote") from error


def unquote(word: str) -> str:
    """A word without the pair of quotes around it: IPython leaves them on."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def at_least(least: int) -> Callable[[str], int]:
    """A type for whole numbers of at least `least`."""

    def whole(text: str) -> int:
        try:
            value = int(text.replace("_", ""))
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return value

    return whole


def positive(text: str) -> float:
    """A type for numbers above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above zero, got {text!r}")
    return value


def variable(text: str) -> str:
    """A type for names of Python variables."""
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a Python variable")
    return text


def _plain(message: str) -> str:
    """Argparse's sentence without its "argument -n/--rows:" style of pointing."""
    found = re.match(r"argument ([^:]+): (.*)", message, re.DOTALL)
    return f"{found[1].split('/')[-1]}: {found[2]}" if found else message


def add(parser: Options, *names: str, **kwargs: Any) -> Options:
    """Add an argument and give the parser back, so that a parser is one expression."""
    parser.add_argument(*names, **kwargs)
    return parser
