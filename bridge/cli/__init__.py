"""The command `bridge`: what a person at a terminal, or a script, can ask for. It may not hold a rule of its own."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from bridge import __version__
from bridge.cli.edge import one_line_for_each_error

#: Name → what it is for. Each is the `command` of the module of its name, imported only when it is asked for.
COMMANDS = {
    "up": "Start everything on this machine; in an empty folder, set it up first.",
    "demo": "See it all work in half a minute, on this machine alone.",
    "init": "Write a commented bridge.toml and generate its secrets.",
    "check": "Say everything that is wrong with the configuration and the database.",
    "doctor": "Look for what usually goes wrong, and say what to do.",
    "reload": "Apply an edited bridge.toml to what runs on it.",
    "db": "Upgrade the database, or look at its state.",
    "web": "Receive webhooks and answer the API.",
    "worker": "Deliver what is owed.",
    "token": "Create, list and revoke API tokens.",
    "events": "Look at events; parse unreadable ones again; send one to try the bridge out.",
    "deliveries": "Look at deliveries; replay one, cancel one or many.",
    "replay": "Send many deliveries again.",
    "backfill": "Owe recorded events to destinations that were never owed them.",
    "replays": "See how replays come along; pause, resume or cancel one.",
    "destinations": "See how destinations are doing; pause, resume, try out, preview.",
    "keys": "Replace the secret that everything kept is encrypted under.",
    "lanes": "See which subjects wait behind a dead delivery, and let them go on.",
    "audit": "Look at who did what.",
    "interactions": "Update or merge interactions in Genesys.",
    "conversations": "Update conversations in Genesys.",
    "records": "Update custom-object records in Genesys, and read their history.",
    "purge": "Purge interactions under a policy, with two keys.",
    "holds": "Place and release legal holds; see which are in force.",
    "erase": "Make what is kept of one person unreadable, for good.",
    "commands": "Look at what was asked of Genesys, and what became of it.",
    "sandbox": "A stand-in for Genesys Cloud to try the bridge out with.",
    "completion": "Print what makes your shell complete commands and names.",
}


class _Doors(click.Group):
    """A group whose commands are imported when they are needed, so that `bridge web` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bridge.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_for_each_error(debug=ctx.params["debug"]):
            return super().invoke(ctx)


@click.group(
    cls=_Doors,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Completion: put  eval "$(bridge completion bash)"  into ~/.bashrc; of zsh and fish tells its --help. '
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage.",
)
@click.version_option(__version__, prog_name="bridge")
@click.option("--debug", is_flag=True, help="Show where an unexpected error came from.")
def main(debug: bool) -> None:
    """Brings what happens in Genesys Cloud to ERP, CRM and data lake: once, in order, signed, and accounted for.

    New here? `bridge demo`, then `bridge up` in an empty folder.
    """
