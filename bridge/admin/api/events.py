"""`/events`: what was recorded, and the bodies it came in; read again what could not be read.

It may not record an event itself.
"""

from __future__ import annotations

import hashlib

import orjson

from bridge import signals
from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.event_shapes import EventPageSchema, EventSchema, RawBodySchema, ReparsedSchema
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import EventQuerySchema, Listing, ReasonGiven, ReasonSchema
from bridge.admin.reparsing import Reparsed
from bridge.admin.search.events import EventFilter, FoundEvent, find_events, raw_body, show_event
from bridge.admin.search.pages import Page
from bridge.errors import Invalid
from bridge.privacy.masking import Masking

blueprint = ApiBlueprint("events", __name__, description="What happened, as it was recorded.")


@operation(blueprint, "GET", "/events", right=Right.LOOK, query=EventQuerySchema, answers={200: EventPageSchema})
def list_events(call: Call, asked: Listing[EventFilter]) -> Page[FoundEvent]:
    """Events, newest first

    `text` is looked for in the subject, in any case; `since` and `until` mean `received_at`.
    """
    with call.rooms.database.read() as session:
        rooms = call.rooms
        return find_events(session, asked.filter, asked.page, masking=rooms.masking, vault=rooms.vault, now=call.now)


@operation(blueprint, "GET", "/events/<uuid:event_id>", right=Right.LOOK, answers={200: EventSchema}, refusals=[404])
def get_event(call: Call, event_id: str) -> FoundEvent:
    """One event with what became of it

    With every delivery of it, whatever became of those.
    """
    with call.rooms.database.read() as session:
        return show_event(session, event_id, masking=call.rooms.masking, vault=call.rooms.vault, now=call.now)


@operation(
    blueprint, "GET", "/events/<uuid:event_id>/raw", right=Right.LOOK, answers={200: RawBodySchema}, refusals=[404, 410]
)
def get_raw_body(call: Call, event_id: str) -> dict[str, object]:
    """The body an event came in, personal data masked

    `sha256` is that of the exact bytes, so that it can be compared with what was sent.
    """
    with call.rooms.database.read() as session:
        body = raw_body(session, event_id, call.rooms.vault)
    return {**_described(event_id, body), "revealed": False, "body": _masked(body, call.rooms.masking), "text": None}


@operation(
    blueprint,
    "POST",
    "/events/<uuid:event_id>/reveal",
    right=Right.REVEAL,
    body=ReasonSchema,
    answers={200: RawBodySchema},
    refusals=[404, 410],
    differs={"revealed": True, "body": {"customer": {"phoneNumber": "+4915112345689"}}, "text": "…"},
)
def reveal_raw_body(call: Call, asked: ReasonGiven, event_id: str) -> dict[str, object]:
    """The exact body an event came in, unmasked; the audit keeps who asked

    The body is shown as text, and as JSON where it is. Needs a reason.
    """
    with call.rooms.database.write() as session:
        body = raw_body(session, event_id, call.rooms.vault)
        call.note(session, "event.revealed", f"event:{event_id}", reason=asked.reason, eventId=event_id)
    text = body.decode("utf-8", "replace")
    return {**_described(event_id, body), "revealed": True, "body": _read(body), "text": text}


@operation(
    blueprint,
    "POST",
    "/events/<uuid:event_id>/reparse",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: ReparsedSchema},
    refusals=[404, 409, 410],
)
def reparse_event(call: Call, asked: ReasonGiven, event_id: str) -> dict[str, object]:
    """Parse an unreadable event again, with today's format of its source

    What it tells is recorded in its place and owed as if it came now, unless it was recorded meanwhile. Where it still
    cannot be read, 422 names the fields.
    """
    done = parse_again(call, asked, event_id)
    if not done.events:
        raise Invalid("The event still cannot be read.", errors=done.errors)
    return {"id": done.id, "result": done.result, "events": [{**vars(one), "id": one.event_id} for one in done.events]}


def parse_again(call: Call, asked: ReasonGiven, event_id: str) -> Reparsed:
    """What came of it, committed, whether it can be read now or not."""
    with call.rooms.database.write() as session:
        done = call.rooms.reparser.reparse(
            session, event_id, reason=asked.reason, actor=call.caller.actor, now=call.now
        )
    signals.work_recorded.send(Call)
    return done


def _described(event_id: str, body: bytes) -> dict[str, object]:
    return {"id": event_id, "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def _masked(body: bytes, masking: Masking) -> object:
    read = _read(body)
    return masking.text(read) if isinstance(read, str) else masking.tree(read)


def _read(body: bytes) -> object:
    """The JSON of the body; its text where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
