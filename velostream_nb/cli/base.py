"""What every command shares: how errors end a command, options that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from velostream_nb.core.errors import ConfigError, ServerError, VeloError, did_you_mean

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """One clean message on standard error, exit code 1."""

    exit_code = 1

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"error: {self.message}", file=file, err=file is None)


class VeloCommand(click.Command):
    """A command with an example below its options."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The example as it is typed, never wrapped."""
        if self.example:
            with formatter.section("Example"):
                for line in self.example.splitlines():
                    formatter.write(f"  {line}\n")


class VeloGroup(click.Group):
    """Commands whose errors are ours; an unknown name gets near names."""

    command_class = VeloCommand

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of a first day, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        from velostream_generator.errors import MarketConfigError

        try:
            return super().invoke(ctx)
        except (VeloError, MarketConfigError) as error:
            raise Failure(error) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            shown = [name for name in self.list_commands(ctx) if not self.commands[name].hidden]
            hint = did_you_mean(args[0], shown) or ""
            raise click.UsageError(f"unknown command {args[0]!r}; {hint}".rstrip("; "), ctx)
        return super().resolve_command(ctx, args)


class Pairs(click.ParamType[tuple[str, str]]):
    """``NAME=VALUE`` arguments."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, sign, rest = str(value).partition("=")
        if not (key and sign and rest):
            self.fail(f"{value!r} is not of the form {self.name}", param, ctx)
        return key, rest


def pairs(option: str, given: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Repeated options as a dict; a name given twice is an error of usage."""
    found: dict[str, str] = {}
    for name, value in given:
        if name in found:
            raise click.UsageError(f"{option} {name} was given twice")
        found[name] = value
    return found


def source_option(function: F) -> F:
    """``--source TOPIC=FILE``, repeatable."""
    return click.option(
        "--source",
        "sources",
        multiple=True,
        type=Pairs("TOPIC=FILE"),
        help="File behind an input topic: .jsonl, .csv or .parquet. Repeatable.",
    )(function)


def server_options(function: F) -> F:
    """``--server`` and ``--token``."""
    token = click.option(
        "--token", envvar="VELO_TOKEN", show_envvar=True, help="Token of the server, unless it is in the URL."
    )
    server = click.option(
        "--server", envvar="VELO_SERVER", show_envvar=True, metavar="URL", help="Server, like http://127.0.0.1:8080."
    )
    return server(token(function))


def connect(server: str | None, token: str | None) -> Any:
    """A `RemoteSession`.

    Raises:
        ServerError: no server was named, or it does not answer.
    """
    from velostream_nb.client import RemoteSession

    if not server:
        raise ServerError("no server was named", hint="give --server URL, or set VELO_SERVER")
    return RemoteSession(server, token)


def read_text(path: Path) -> str:
    """The text of a file; ConfigError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        near = did_you_mean(
            path.name, [p.name for p in path.parent.glob(f"*{path.suffix}")] if path.parent.is_dir() else []
        )
        raise ConfigError(f"no such file: {path}", hint=near) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
