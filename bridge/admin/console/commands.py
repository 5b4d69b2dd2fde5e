"""Pages of commands: what was asked of Genesys, and how far it is. They may not give one."""

from __future__ import annotations

from flask import Response, request

from bridge.admin.access import Right
from bridge.admin.api.command_forms import COMMAND_STATES, CommandQuerySchema
from bridge.admin.api.commands import get_command, get_commands
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import first_found, read_listing
from bridge.admin.console.rendering import show
from bridge.events import COMMANDS

_QUERY = CommandQuerySchema()


@page("/commands", right=Right.FOLLOW)
def commands(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else first_found(get_commands, _QUERY.listed, visit.call, asked.listing)
    return show(
        "commands.html",
        status=asked.status,
        asked=asked,
        found=found,
        states=COMMAND_STATES,
        operations=sorted(COMMANDS),
    )


@page("/commands/<uuid:command_id>", right=Right.FOLLOW)
def command(visit: Visit, command_id: str) -> Response:
    return show("command.html", command=get_command(visit.call, command_id))
