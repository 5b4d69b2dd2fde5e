"""Which arrivals are new, and which repeat what is recorded. It may not look before it inserts: the keys decide."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.errors import TemporarilyUnavailable
from bridge.events import Event
from bridge.intake import ledger
from bridge.intake.arrivals import Arrival
from bridge.intake.canonical import event_key, lasting_payload, payload_key
from bridge.intake.ledger import BRIDGE, Recorded
from bridge.privacy.vault import Vault

_ROUNDS = 4


def insert_new(
    session: Session, rows: Sequence[dict[str, Any]], arrivals: Sequence[Arrival], *, vault: Vault, now: datetime
) -> dict[str, Recorded]:
    """Insert the rows of `arrivals` (the same order); for the id of each that is a repeat, the event that it repeats.

    Counts the repeats. Raises TemporarilyUnavailable where the keys move faster than we can follow.
    """
    windowed = [row for row in rows if row["content_key_until"] is not None]
    if windowed:
        ledger.give_up_keys(session, windowed, now=now)
    by_id = dict(zip((row["id"] for row in rows), arrivals, strict=True))
    repeats: dict[str, Recorded] = {}
    waiting, rounds = list(rows), 0
    while waiting:
        if rounds == _ROUNDS:
            raise TemporarilyUnavailable("The event could not be told from its repeats; send it again.", retry_after=1)
        inserted = ledger.insert_events(session, waiting)
        barred = [row for row in waiting if row["id"] not in inserted]
        waiting = _settle(session, barred, by_id, repeats, vault) if barred else []
        rounds += 1
    if repeats:
        ledger.count_duplicates(session, sorted(held.id for held in repeats.values()))
    return repeats


def same_content(event: Event, holder: Recorded) -> bool:
    """True where both say the same, apart from what changes per sending, and where what one said was erased."""
    if holder.payload is None:
        return True
    return (event.type, event.subject) == (holder.type, holder.subject) and (
        lasting_payload(event.payload) == lasting_payload(holder.payload)
    )


def _settle(
    session: Session,
    barred: Sequence[dict[str, Any]],
    by_id: dict[str, Arrival],
    repeats: dict[str, Recorded],
    vault: Vault,
) -> list[dict[str, Any]]:
    """Fill `repeats` from the rows that a key barred; give those that have to be inserted once more."""
    holders = ledger.find_by_keys(
        session,
        vault,
        delivery_keys={row["delivery_key"] for row in barred if row["delivery_key"]},
        content_keys={row["content_key"] for row in barred if row["content_key"]},
    )
    by_delivery = {holder.delivery_key: holder for holder in holders if holder.delivery_key}
    by_content = {holder.content_key: holder for holder in holders if holder.content_key}
    once_more = []
    for row in barred:
        event, source = by_id[row["id"]].event, row["source"]
        holder = by_delivery.get(row["delivery_key"]) or by_content.get(row["content_key"])
        if holder is None:  # it was erased, or its window ended, since the insert
            once_more.append(row)
        elif _only_shares_version(event, row, holder):
            row["content_key"] = payload_key(source, event.type, event.subject, event.payload)
            once_more.append(row)
        else:
            repeats[row["id"]] = holder
    return once_more


def _only_shares_version(event: Event, row: dict[str, Any], holder: Recorded) -> bool:
    """True where two webhooks say different things under one version: two events.

    A fact of ours and the webhook that confirms it may differ, and are one (spec, part 9). In doubt, because what the
    one said was erased or altered, they are two: what was acknowledged must not be lost.
    """
    if event.version is None or BRIDGE in (row["source"], holder.source):
        return False
    if event.delivery_key is not None and event.delivery_key == holder.delivery_key:
        return False
    by_version = event_key(row["source"], event.type, event.subject, event.version, event.payload)
    return row["content_key"] == by_version and (holder.payload is None or not same_content(event, holder))
