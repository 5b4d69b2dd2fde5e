"""Events, deliveries and destinations as the tests of this room need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bridge.audit.signing import AuditSigner
from bridge.clock import Clock, SystemClock
from bridge.destinations.registry import Forwarder, build_destinations
from bridge.events import INTERACTION_UPDATED, RECORD_UPDATED, RecordedEvent
from bridge.outbox.contract import ClaimedDelivery
from bridge.privacy.masking import Masking
from bridge.settings.model import DestinationSettings, Settings
from tests.destinations.ways import OPENED
from tests.receivers import Receiver

RECEIVED_AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)

RECORD = RecordedEvent(
    id="0196c0de-0000-7000-8000-000000000001",
    source="genesys",
    type=RECORD_UPDATED,
    subject="record:InventoryItem/r1",
    payload={
        "schemaName": "InventoryItem",
        "recordId": "r1",
        "version": 3,
        "modifiedTime": "2026-05-01T13:59:59+02:00",
        "modifiedBy": "u1",
        "fields": {"sku": "AB-1234", "quantity": 7},
        "action": "update",
    },
    version="3",
    occurred_at=datetime(2026, 5, 1, 11, 59, 59, tzinfo=UTC),
    received_at=RECEIVED_AT,
    correlation_id="corr-1",
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)
INTERACTION = replace(
    RECORD,
    type=INTERACTION_UPDATED,
    subject="interaction:i1",
    payload={
        "interactionId": "i1",
        "updatedAttributes": {"vip": "yes"},
        "dispositionCode": None,
        "version": 4,
        "processedAt": "2026-05-01T11:59:59Z",
    },
    version="4",
)


def delivery(event: RecordedEvent = RECORD, **changes: Any) -> ClaimedDelivery:
    return replace(
        ClaimedDelivery(
            lane_id=1,
            seq=1,
            token="t",
            lease_until=RECEIVED_AT,
            delivery_id="d1",
            webhook_id="w1",
            attempt=1,
            failures=0,
            created_at=RECEIVED_AT,
            destination="erp",
            event=event,
        ),
        **changes,
    )


def destination(receiver: Receiver | str, *, clock: Clock | None = None, **settings: Any) -> Forwarder:
    """A destination called erp at `receiver`: kind `erp`, on loopback, unless `settings` say otherwise."""
    url = receiver if isinstance(receiver, str) else receiver.url + "/hook"
    one = DestinationSettings(**{"name": "erp", "kind": "erp", "url": url, "allow_local": True, **settings})
    return build(one, clock=clock)[one.name]


def build(*settings: DestinationSettings, clock: Clock | None = None) -> Mapping[str, Forwarder]:
    built = build_destinations(
        Settings(destinations={one.name: one for one in settings}),
        masking=Masking(("fields.contact*",), b"key"),
        clock=clock or SystemClock(),
        signer=AuditSigner(b"a key for tests"),
    )
    OPENED.extend(built.values())
    return built
