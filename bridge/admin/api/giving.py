"""From a request that gives a command to its answer. It may not know any operation."""

from __future__ import annotations

from bridge.admin.access import Caller
from bridge.admin.api.command_forms import Manner, Wish
from bridge.admin.api.command_shapes import EndedCommandSchema, GivenCommandSchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import PREFIX
from bridge.admin.api.operation import Answer
from bridge.commands.asking import Asked, Asker

#: What every operation that gives a command may answer, and refuse with.
ANSWERS = {202: GivenCommandSchema, 200: EndedCommandSchema}
REFUSALS = (409, 422, 503)


def asker(caller: Caller) -> Asker:
    """Who asks: a sender's token names the destination that is not told of what it has asked for itself."""
    return Asker(actor=caller.actor, destination=caller.destination)


def give(call: Call, operation: str, wish: Wish, manner: Manner, **named_by_path: str) -> Answer:
    """Record the command and answer 202; or 200 with its end, where the caller would rather wait and it ends in time,
    and where it is a repeated one that has ended."""
    asked = call.rooms.commands.commands.ask(
        operation,
        {**wish.body, **named_by_path},
        asker=asker(call.caller),
        idempotency_key=manner.idempotency_key,
        correlation_id=manner.correlation_id,
        traceparent=manner.traceparent,
        violations=wish.violations,
    )
    return answer(call, asked, wait_seconds=manner.wait_seconds)


def answer(call: Call, asked: Asked, *, wait_seconds: int = 0) -> Answer:
    """What is told of a command that was recorded."""
    url = f"{PREFIX}/commands/{asked.id}"
    told = {"command": asked.id, "status_url": url, "repeated": asked.repeated}
    headers = {"Location": url}
    if not wait_seconds and not asked.repeated:
        return Answer(202, told, headers)
    ended = call.rooms.commands.waits.end_of(asked.id, seconds=wait_seconds)
    if ended is None:
        return Answer(202, told, headers)
    if wait_seconds:
        headers["Preference-Applied"] = f"wait={wait_seconds}"
    return Answer(200, vars(ended) | told, headers)
