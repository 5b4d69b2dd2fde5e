"""`/schemas`: what receivers get, for whoever integrates one. It may not know a destination of the configuration."""

from __future__ import annotations

from typing import Any, Final

from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.receiver_shapes import ReceivedEventSchema, ReceivedTypePageSchema
from bridge.admin.search.pages import Page
from bridge.destinations.samples import TRIAL_HEADER, sample_types
from bridge.destinations.schemas import received
from bridge.errors import NotFound
from bridge.events import carries

blueprint = ApiBlueprint("schemas", __name__, description="What receivers get, as JSON Schema with samples.")

#: Of every request, by name.
HEADERS: Final = {
    "webhook-id": "The delivery's, the same on every try and replay of it: discard what you have seen.",
    "webhook-timestamp": "Seconds since 1970, of this try.",
    "webhook-signature": "Standard Webhooks, `v1,<base64>` for each active secret; where one is configured.",
    "Idempotency-Key": "As `webhook-id`.",
    "X-Correlation-ID": "The same from the webhook that came in to every request that it led to.",
    "traceparent": "W3C Trace Context, where the event came with one.",
    "User-Agent": "`genesys-bridge/<version>`.",
    **dict.fromkeys(TRIAL_HEADER, "Only on the request of `POST /destinations/{name}/test`, and then `true`."),
}


@operation(blueprint, "GET", "/schemas", right=Right.LOOK, answers={200: ReceivedTypePageSchema})
def list_schemas(call: Call) -> Page[dict[str, Any]]:
    """The event types that the bridge knows by name, and who receives them

    `carries` says how much of its subject an event tells: a `state` makes every older event stale, an `end` too.
    """
    items = [
        {"type": each, "carries": carries(each), "kinds": [one.kind for one in received(each)]}
        for each in sample_types()
    ]
    return Page(items=items, next=None)


@operation(
    blueprint,
    "GET",
    "/schemas/<string:event_type>",
    right=Right.LOOK,
    answers={200: ReceivedEventSchema},
    refusals=[404],
)
def get_schema(call: Call, event_type: str) -> dict[str, Any]:
    """What each kind of destination receives for events of this type, with a sample

    Before a `transform` of the configuration; `POST /destinations/{name}/preview` shows what comes of that.
    """
    receivers = received(event_type)
    if not receivers:
        raise NotFound(
            "the bridge does not know this event type by name; see GET /api/v1/schemas. Destinations of kind http that "
            "take it get a CloudEvent all the same, its `data` as the source sent it"
        )
    return {"type": event_type, "carries": carries(event_type), "headers": HEADERS, "receivers": receivers}
