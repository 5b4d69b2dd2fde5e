"""`/commands`: what was asked of Genesys, and what became of it. It may not give a command."""

from __future__ import annotations

from datetime import timedelta

from bridge.admin.access import Caller, Right, Role
from bridge.admin.api.command_forms import CommandQuerySchema, Span, SpanQuerySchema
from bridge.admin.api.command_shapes import CommandPageSchema, CommandSchema, SummarySchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import Listing
from bridge.admin.search.pages import Page, cut
from bridge.commands.measures import measure
from bridge.commands.reading import CommandView, list_commands, read_command
from bridge.commands.search import CommandFilter, OwnCommands
from bridge.errors import FieldError, Invalid

SUMMARY_SPAN = timedelta(days=1)

blueprint = ApiBlueprint("commands", __name__, description="What was asked of Genesys, and what became of it.")


@operation(
    blueprint, "GET", "/commands", right=Right.FOLLOW, query=CommandQuerySchema, answers={200: CommandPageSchema}
)
def get_commands(call: Call, asked: Listing[CommandFilter]) -> Page[CommandView]:
    """Commands, newest first

    A sender sees those of its own destination. `since` and `until` mean `created_at`.
    """
    page = asked.page
    wanted = CommandFilter(**{**vars(asked.filter), "own": _own(call.caller)})
    with call.rooms.database.read() as session:
        found = list_commands(session, wanted, before_id=page.before_id, limit=page.limit + 1, examined=page.examined)
    return cut(CommandQuerySchema.listed, page, found.items, lambda command: command.id, floor=found.floor)


@operation(
    blueprint, "GET", "/commands/<uuid:command_id>", right=Right.FOLLOW, answers={200: CommandSchema}, refusals=[404]
)
def get_command(call: Call, command_id: str) -> CommandView:
    """One command with its steps, its result or its error

    This is what `status_url` leads to. `accepted` and `running` are on their way, the other states are final. A sender
    sees the commands of its own destination.
    """
    with call.rooms.database.read() as session:
        return read_command(session, command_id, own=_own(call.caller))


@operation(blueprint, "GET", "/commands/summary", right=Right.LOOK, query=SpanQuerySchema, answers={200: SummarySchema})
def get_summary(call: Call, span: Span) -> dict[str, object]:
    """How the commands went, by operation

    `violations` counts commands that Genesys refused for what stands in them.
    """
    until = span.until or call.now
    since = span.since or until - SUMMARY_SPAN
    if since >= until:
        error = FieldError(field="until", rule="range", message="Must lie after since.")
        raise Invalid("some fields are wrong", errors=[error])
    with call.rooms.database.read() as session:
        operations = measure(session, since=since, until=until)
    return {"since": since, "until": until, "operations": operations}


def _own(caller: Caller) -> OwnCommands | None:
    """What a sender may follow; None: everybody else may follow all."""
    return OwnCommands(destination=caller.destination) if caller.role is Role.SENDER else None
