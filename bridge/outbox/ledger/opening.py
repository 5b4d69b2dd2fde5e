"""From the head of a leased lane to what a sending thread is handed, its event opened. It may not read or write."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row

from bridge.events import RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, Rejected, RetryLater
from bridge.privacy.key_ring import Altered, SecretMissing
from bridge.privacy.vault import Vault

#: A row of `claim._HEADS`: lane, its head delivery and that one's event.
Head: TypeAlias = Row[*tuple[Any, ...]]


def claimed_delivery(head: Head, vault: Vault, *, token: str, until: datetime, is_newest: bool) -> ClaimedDelivery:
    """`head`, whose event is not erased, leased under `token` until then (aware)."""
    payload, unopened = _opened(head, vault)
    return ClaimedDelivery(
        lane_id=head.lane_id,
        seq=head.seq,
        token=token,
        lease_until=until,
        delivery_id=head.delivery_id,
        webhook_id=head.webhook_id,
        attempt=head.attempts + 1,
        failures=head.failures,
        created_at=head.created_at,
        destination=head.destination,
        is_newest=is_newest,
        progress=head.progress,
        unopened=unopened,
        event=RecordedEvent(
            id=head.event_id,
            source=head.source,
            type=head.type,
            subject=head.subject,
            payload=payload,
            version=head.version,
            occurred_at=head.occurred_at,
            received_at=head.received_at,
            correlation_id=head.correlation_id,
            traceparent=head.traceparent,
            caused_by=head.caused_by,
        ),
    )


def _opened(head: Head, vault: Vault) -> tuple[Mapping[str, object], RetryLater | Rejected | None]:
    """The payload, or what comes of a delivery that cannot be opened: one bad row must not hold up the others."""
    try:
        payload = vault.payload(head.event_id, head)
    except SecretMissing as missing:  # a worker that has the secret, or this one after a restart, can
        return {}, RetryLater(reason=missing.detail, error_class="secret-missing", slow=True)
    except Altered as altered:
        return {}, Rejected(reason=altered.detail, error_class="altered")
    assert payload is not None  # an erased head is cancelled where it is claimed
    return payload, None
