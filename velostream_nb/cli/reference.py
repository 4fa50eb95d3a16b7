"""The command table of README, made from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from velostream_nb.cli.base import VeloCommand


@click.command("reference", cls=VeloCommand, hidden=True)
@click.pass_context
def reference(ctx: click.Context) -> None:
    """Print README's command table as Markdown."""
    assert ctx.parent is not None, "a subcommand has its group as parent"
    group = ctx.parent.command
    assert isinstance(group, click.Group)
    click.echo(markdown(group))


def markdown(group: click.Group) -> str:
    """A table of all commands: what each does, its options, with defaults and environment variables."""
    lines = ["| command | what it does | options |", "| --- | --- | --- |"]
    for name in group.commands:
        command = group.commands[name]
        if not command.hidden:
            lines.append(f"| `{_usage(command)}` | {_text(command)} | {'<br>'.join(_options(command))} |")
    return "\n".join(lines)


def _usage(command: click.Command) -> str:
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    return " ".join(["velo", command.name or "", *arguments])


def _text(command: click.Command) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


def _options(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
            notes = [f"default {option.default}"] if option.show_default and option.default is not None else []
            notes += [f"env `{option.envvar}`"] if option.envvar else []
            extra = f" ({', '.join(notes)})" if notes else ""
            yield f"{names}: {(option.help or '').rstrip('.')}{extra}".replace("|", "\\|")
