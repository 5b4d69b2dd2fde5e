"""Follows a command until it has ended, and says on the way how far it is. It may not move it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from bridge.commands.reading import CommandView, read_command
from bridge.database import Database

_LOOK_SECONDS = 0.1
#: Looks at a command that nobody has begun until the hint that no worker may be running.
_PATIENCE = 100

Show = Callable[[CommandView], None]


def follow(database: Database, command_id: str, *, quiet: bool) -> CommandView:
    """The command, when it has ended. On standard error: a line that moves on a terminal, else one per step; nothing
    if `quiet`. Raises NotFound."""
    if quiet:
        return _follow(database, command_id, lambda command: None)
    if not sys.stderr.isatty():
        return _follow(database, command_id, _Lines().show)
    from rich.console import Console

    with Console(stderr=True).status("waiting for a worker") as line:
        return _follow(database, command_id, lambda command: line.update(progress_line(command)))


def progress_line(command: CommandView) -> str:
    """`interaction.merge running: step 3 waiting, merged_id 8f2…, polls 1`."""
    told = [f"step {len(command.steps)} {command.steps[-1]['outcome']}"] if command.steps else []
    told += [f"{name} {value}" for name, value in command.progress.items()]
    if command.error is not None:
        told.append(command.error)
    return f"{command.operation} {command.state}" + (f": {', '.join(told)}" if told else "")


class _Lines:
    """For a log or a pipe: a line whenever there is something new to say."""

    def __init__(self) -> None:
        self._said = ""

    def show(self, command: CommandView) -> None:
        line = progress_line(command)
        if line != self._said:
            click.echo(line, err=True)
        self._said = line


def _follow(database: Database, command_id: str, show: Show) -> CommandView:
    looks = 0
    while True:
        with database.read() as session:
            command = read_command(session, command_id)
        show(command)
        if command.is_over:
            return command
        looks += 1
        if looks == _PATIENCE and command.state == "accepted":
            click.echo("nobody has begun it for 10 s: does a worker run? The command waits for one", err=True)
        time.sleep(_LOOK_SECONDS)
