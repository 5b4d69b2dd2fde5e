"""The example organisation: one of everything that an operation can meet. It may not change a world in use."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from bridge.sandbox.model import Conversation, Customer, Interaction, Record
from bridge.sandbox.records import INVENTORY_ITEM
from bridge.sandbox.world import World

_BERLIN = timezone(timedelta(hours=2))
_NEW_YORK = timezone(timedelta(hours=-4))

#: id, name, phone, email, lifetime value, tier, last support ticket
_CUSTOMERS = (
    ("cust-1", "Ada Example", "+15550100101", "ada@example.com", 12450.75, "gold", "TCK-4711"),
    ("cust-2", "Bo Example", "+15550100102", "bo@example.com", 310.0, "bronze", None),
    ("cust-3", "Cy Example", None, "cy@example.com", 0.0, "none", None),
)

#: id, type, status, customer, days ago, minutes after noon, minutes long (None: goes on)
_INTERACTIONS = (
    ("voice-1001", "voice", "active", "cust-1", 2, 0, 12),
    ("chat-1002", "chat", "active", "cust-1", 2, 5, 25),
    ("email-1003", "email", "active", "cust-1", 2, 90, 30),
    ("sms-1004", "sms", "active", "cust-1", 2, 200, 1),
    ("voice-1005", "voice", "active", "cust-2", 1, 0, 7),
    ("chat-1006", "chat", "active", "cust-2", 1, 15, None),
    ("chat-1007", "chat", "active", "cust-3", 3, 0, 9),
    ("email-1008", "email", "archived", "cust-1", 30, 0, 4),
    ("sms-1009", "sms", "deleted", "cust-2", 31, 0, 1),
    ("voice-1010", "voice", "active", None, 4, 0, 3),
    ("voice-1901", "voice", "active", "cust-1", 400, 0, 20),
    ("voice-1902", "voice", "active", "cust-2", 420, 0, 6),
    ("email-1903", "email", "active", "cust-1", 2700, 0, 15),
    ("email-1904", "email", "active", "cust-2", 2800, 0, 15),
)

#: id, state
_CONVERSATIONS = (
    ("conv-2001", "connected"),
    ("conv-2002", "alerting"),
    ("conv-2003", "terminated"),
    ("conv-2004", "abandoned"),
)

#: id, sku, quantity, price, status
_ITEMS = (
    ("item-3001", "AB-1234", 40, 19.99, "available"),
    ("item-3002", "CD-5678", 5, 249.5, "reserved"),
    ("item-3003", "EF-9012", 0, 3.25, "available"),
    ("item-3004", "GH-3456", 1000, 100, "available"),
)


def seed(world: World) -> None:
    """Fill an empty world, times relative to now, so that the retention examples stay true."""
    with world.lock:
        now, version = world.clock(), world.first_version()
        for customer_id, name, phone, email, value, tier, ticket in _CUSTOMERS:
            world.customers[customer_id] = Customer(
                id=customer_id,
                name=name,
                phone=phone,
                email=email,
                lifetime_value=value,
                tier=tier,
                last_ticket=ticket,
            )
        for entry in _INTERACTIONS:
            _add_interaction(world, now, version, entry)
        for conversation_id, state in _CONVERSATIONS:
            world.conversations[conversation_id] = Conversation(
                id=conversation_id,
                state=state,
                version=version,
                start=now - timedelta(hours=1),
                attributes={"language": "en", "system.queue": "support"},
            )
        world.records[INVENTORY_ITEM] = {
            item_id: Record(
                schema=INVENTORY_ITEM,
                id=item_id,
                version=version,
                modified=now,
                modified_by="agent-1",
                fields={"sku": sku, "quantity": quantity, "price": price, "status": status},
            )
            for item_id, sku, quantity, price, status in _ITEMS
        }


def _add_interaction(
    world: World,
    now: datetime,
    version: int,
    entry: tuple[str, str, str, str | None, int, int, int | None],
) -> None:
    interaction_id, kind, status, customer_id, days, minutes, length = entry
    # Each channel writes times in a zone of its own, so that a client cannot compare them as text.
    zone = {"voice": _BERLIN, "chat": _NEW_YORK}.get(kind, now.tzinfo)
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=days)
    start = (noon + timedelta(minutes=minutes)).astimezone(zone)
    world.interactions[interaction_id] = Interaction(
        id=interaction_id,
        type=kind,
        status=status,
        version=version,
        created=start.astimezone(now.tzinfo),
        updated=start.astimezone(now.tzinfo),
        start=start,
        end=None if length is None else start + timedelta(minutes=length),
        conversation_id="conv-2001" if customer_id == "cust-1" and days == 2 else None,
        customer=None if customer_id is None else world.customers[customer_id],
        attributes={"region": "emea" if zone is _BERLIN else "amer"},
    )
