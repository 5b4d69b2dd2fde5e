"""`/destinations`: how each is doing; pause, resume, try out, preview. It may not send a delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from bridge import signals
from bridge.admin.access import READS_ARE_NOTED, Right
from bridge.admin.api.destination_queries import (
    DestinationQuerySchema,
    PreviewOrder,
    PreviewOrderSchema,
    TrialOrder,
    TrialOrderSchema,
    TriesQuerySchema,
)
from bridge.admin.api.destination_shapes import (
    DestinationPageSchema,
    DestinationSchema,
    PreviewSchema,
    TrialSchema,
)
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import Listing, ReasonGiven, ReasonSchema
from bridge.admin.api.tries_shapes import TriesSchema
from bridge.admin.destinations import (
    KnownDestination,
    Trial,
    destination_named,
    note_trial,
    pause_destination,
    preview_request,
    resume_destination,
    try_destination,
)
from bridge.admin.search.destinations import LISTED, FoundDestination
from bridge.admin.search.pages import Page, cut
from bridge.admin.search.recorded import recorded_event
from bridge.admin.search.tries import Span, TriesSeen

blueprint = ApiBlueprint("destinations", __name__, description="Whom we owe events to, and how each is doing.")


@operation(
    blueprint,
    "GET",
    "/destinations",
    right=Right.LOOK,
    query=DestinationQuerySchema,
    answers={200: DestinationPageSchema},
)
def list_destinations(call: Call, asked: Listing[None]) -> Page[FoundDestination]:
    """Destinations in the order of the configuration, with their state and figures

    State and breaker are as they are now. Where counting takes long (a million rows) the figures are some seconds old.
    """
    found = call.rooms.lookout.destinations(call.now)
    return cut(LISTED, asked.page, _after(found, asked.page.before_id), _place)


@operation(
    blueprint,
    "GET",
    "/destinations/<string:name>",
    right=Right.LOOK,
    answers={200: DestinationSchema},
    refusals=[404],
)
def get_destination(call: Call, name: str) -> FoundDestination:
    """One destination with its state and figures

    As in the list.
    """
    return call.rooms.lookout.destination(name, call.now)


@operation(
    blueprint,
    "GET",
    "/destinations/<string:name>/tries",
    right=Right.LOOK,
    query=TriesQuerySchema,
    answers={200: TriesSchema},
    refusals=[404],
)
def get_tries(call: Call, span: Span, name: str) -> TriesSeen:
    """How its tries went over the last `hour` or `day`, and what fails now, by kind

    Each stretch tells of the deliveries owed in it, of a busy one of a sample of the newest.
    """
    return call.rooms.lookout.tries(name, span)


@operation(
    blueprint,
    "POST",
    "/destinations/<string:name>/pause",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: DestinationSchema},
    refusals=[404, 409],
    differs={"state": "paused", "paused_at": "2026-05-01T10:25:00Z", "paused_reason": "the ERP is being updated"},
)
def pause(call: Call, order: ReasonGiven, name: str) -> FoundDestination:
    """Send it nothing until it is resumed; what it is owed waits, and its lanes cost nothing

    Refused with 409 where it is paused already.
    """
    with call.rooms.database.write() as session:
        pause_destination(
            session,
            _known(call, name),
            reason=order.reason,
            actor=call.caller.actor,
            now=call.now,
            notes=call.rooms.notes,
        )
    return call.rooms.lookout.destination(name, call.now)


@operation(
    blueprint,
    "POST",
    "/destinations/<string:name>/resume",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: DestinationSchema},
    refusals=[404, 409],
)
def resume(call: Call, order: ReasonGiven, name: str) -> FoundDestination:
    """Send it again what it is owed

    Refused with 409 unless it is paused; one that `bridge.toml` pauses (`disabled`) is resumed there.
    """
    with call.rooms.database.write() as session:
        resume_destination(
            session,
            _known(call, name),
            reason=order.reason,
            actor=call.caller.actor,
            now=call.now,
            notes=call.rooms.notes,
        )
    signals.work_recorded.send(Call)
    return call.rooms.lookout.destination(name, call.now)


@operation(
    blueprint,
    "POST",
    "/destinations/<string:name>/test",
    right=Right.STEER,
    body=TrialOrderSchema,
    answers={200: TrialSchema},
    refusals=[404, 409],
)
def try_out(call: Call, order: TrialOrder, name: str) -> Trial:
    """Send it one harmless request at once and say what came of it

    The request goes the way of deliveries (same address, TLS, credentials, signature, deadline) with the header
    `X-Bridge-Test: true` and a `webhook-id` that begins with `test_`. Its body has the shape that the kind sends, about
    a thing called `bridge-test` and without values: an `erp` gets an update of record `bridge-test` of schema
    `BridgeTest` with no fields, a `crm` one of conversation `bridge-test` with no attributes, `governance` a seal of 0
    entries, an `http` destination a CloudEvent of type `com.genesys.bridge.bridge.test`. A `datalake` gets an object
    `_bridge-test.jsonl.gz`; Genesys is asked for an interaction that is not there.

    It is no delivery: owed to nobody, not tried again, and nothing waits for it. Paused destinations are tried too.
    """
    one = _known(call, name)
    trial = try_destination(one, call.rooms.clock)
    with call.rooms.database.write() as session:
        actor, notes = call.caller.actor, call.rooms.notes
        note_trial(session, one, trial, reason=order.reason, actor=actor, now=call.rooms.clock.now(), notes=notes)
    return trial


@operation(
    blueprint,
    "POST",
    "/destinations/<string:name>/preview",
    right=Right.LOOK,
    body=PreviewOrderSchema,
    answers={200: PreviewSchema},
    refusals=[404, 409, 410],
)
def preview(call: Call, order: PreviewOrder, name: str) -> dict[str, Any]:
    """The request that an event would become, without sending it

    Secrets are hidden, and personal data is masked. `reveal` shows it to the role approver, with a `reason`: the audit
    keeps who asked and why.
    """
    one, rooms = _known(call, name), call.rooms
    revealed = order.reason is not None
    if revealed:
        call.caller.require(Right.REVEAL)
    with rooms.database.read() as session:
        event = recorded_event(session, order.event_id, rooms.vault)
    shown = preview_request(one, event, None if revealed else rooms.masking)
    if revealed or call.caller.role in READS_ARE_NOTED:  # a look by POST, which the entrance does not take for one
        action, subject = "event.revealed" if revealed else "access.read", f"event:{event.id}"
        with rooms.database.write() as session:
            call.note(session, action, subject, reason=order.reason, eventId=event.id, destination=name)
    return {**vars(shown), "revealed": revealed}


def _known(call: Call, name: str) -> KnownDestination:
    return destination_named(call.rooms.lookout.known, name)


def _after(found: Sequence[FoundDestination], place: str | None) -> Sequence[FoundDestination]:
    """What follows that place; everything where the destination is configured no more."""
    places = [_place(one) for one in found]
    return found if place not in places else found[places.index(place) + 1 :]


def _place(one: FoundDestination) -> str:
    """A name in the form of an id, as cursors are made of."""
    return str(uuid5(NAMESPACE_URL, one.name))
