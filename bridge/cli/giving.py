"""What the commands that change something in Genesys share: their options, and what they say. It may not send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import click
import orjson

from bridge.cli.edge import REFUSED
from bridge.cli.following import follow
from bridge.cli.opened import actor
from bridge.cli.printing import print_json
from bridge.commands.asking import Asked, Asker
from bridge.commands.reading import CommandView, read_command
from bridge.wiring import Wiring

F = TypeVar("F", bound=Callable[..., Any])


class Entries(click.ParamType[dict[str, object]]):
    """`name=text`, `name:=JSON`, or a JSON object of several."""

    name = "entries"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, object]:
        if isinstance(value, dict):
            return value
        name, equals, text = value.partition("=")
        try:
            if value.lstrip().startswith("{"):
                entries: dict[str, object] = orjson.loads(value)
                return entries
            if name.endswith(":"):
                return {name[:-1]: orjson.loads(text)}
        except orjson.JSONDecodeError:
            self.fail("is not JSON", param, ctx)
        if not equals:
            self.fail('must be name=text, name:=JSON ("score:=7"), or a JSON object', param, ctx)
        return {name: text}


def entries_option(name: str, what: str) -> Callable[[F], F]:
    """An option of Entries that can be repeated; `merged` makes one object of them."""
    return click.option(
        f"--{name}",
        type=Entries(),
        multiple=True,
        metavar="NAME=TEXT",
        help=f"{what}; name:=JSON for what is no text, or a JSON object of several. Repeat it for more.",
    )


def merged(several: tuple[dict[str, object], ...]) -> dict[str, object]:
    """All entries as one object; the last one of a name counts."""
    return {name: value for entries in several for name, value in entries.items()}


def manner_options(command: F) -> F:
    """`--idempotency-key`, `--wait/--no-wait`."""
    wait = click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it has ended.")
    key = click.option(
        "--idempotency-key", metavar="KEY", help="The same key again gives the same command, and not a second one."
    )
    return key(wait(command))


def asker() -> Asker:
    """The person at the terminal."""
    return Asker(actor=actor())


def give(
    bridge: Wiring,
    operation: str,
    body: Mapping[str, object],
    *,
    idempotency_key: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Record a command, follow it if wanted, and print it; exit code 1 where it did not succeed."""
    bridge.require_current()
    given = {name: value for name, value in body.items() if value is not None}
    asked = bridge.commands.ask(operation, given, asker=asker(), idempotency_key=idempotency_key)
    tell(bridge, asked, wait=wait, as_json=as_json)


def tell(bridge: Wiring, asked: Asked, *, wait: bool, as_json: bool) -> None:
    """Print what became of a command that was recorded; exit code 1 where it ended and did not succeed."""
    if not as_json:
        again = " (the same as before, by its key)" if asked.repeated else ""
        click.echo(f"command {asked.id}{again}: bridge commands show {asked.id}", err=True)
    if wait:
        command = follow(bridge.database, asked.id, quiet=as_json)
    else:
        with bridge.database.read() as session:
            command = read_command(session, asked.id)
    if as_json:
        print_json({**asdict(command), "repeated": asked.repeated})
    else:
        print_end(command)
    refuse_unless_well(command)


def print_end(command: CommandView) -> None:
    """How a command stands, in a line; and its result, where it has one."""
    click.echo(command.state if command.error is None else f"{command.state}: {command.error}")
    if command.result is not None:
        click.echo(orjson.dumps(command.result, option=orjson.OPT_INDENT_2))


def refuse_unless_well(command: CommandView) -> None:
    """End with exit code 1 where the command has ended and did not succeed."""
    if command.is_over and command.state != "succeeded":
        raise SystemExit(REFUSED)
