"""What the API answers about the audit and about tokens. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.access import Role
from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import DELIVERY_ID, LINES, SOMETIMES, Shape, page_of

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

_HASH = "3b1f5c0d8a7e6f4b2c9d0e1f3a5b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7"
_MAKER = "01a20300-5c6d-7e8f-9a0b-1c2d3e4f5a6b"
_HEX = {"pattern": "^[0-9a-f]{64}$"}


class AuditEntrySchema(Shape):
    """Who did what to which subject, when, and why."""

    id = Id()
    at = Moment()
    actor = fields.String(metadata=told("`token:<id>`, `cli:<user>`, `worker`, `source:<name>`, …"))
    action = fields.String()
    subject = fields.String(metadata=told("Masked."))
    reason = fields.String(allow_none=True, metadata=told("In the words of whoever did it, masked."))
    details = fields.Raw(metadata=told("Masked.", type="object"))
    sealed = fields.Boolean(metadata=told("It has its place in the signed chain."))
    hash = fields.String(allow_none=True, metadata=told("Of its place in the chain, hex; null: not sealed yet."))
    example = {
        "id": "01a20361-77c1-7b3a-9c4d-5e6f70819233",
        "at": "2026-05-01T10:05:00Z",
        "actor": f"token:{_MAKER}",
        "action": "replay.delivery",
        "subject": "record:InventoryItem/item-1",
        "reason": "the receiver was mended",
        "details": {"deliveryId": DELIVERY_ID, "destination": "erp", "freshId": False},
        "sealed": True,
        "hash": _HASH,
    }


class VerificationSchema(Shape):
    """Whether the audit is as it was written; `problem` null: it is."""

    sealed = Count(metadata=told("Positions that hold, from the first on."))
    head = fields.String(metadata=told("Hex; keep it elsewhere, and verify against it later.", **_HEX))
    problem = fields.String(allow_none=True)
    entry_id = fields.String(allow_none=True, metadata=told("The first entry that something was done to."))
    position = fields.Integer(allow_none=True, metadata=told("Its place in the chain."))
    example = {"sealed": 48213, "head": _HASH, "problem": None, "entry_id": None, "position": None}


class AuditExportSchema(Shape):
    """One line of the export: the key, an entry in its place, or a signed head; a word says which."""

    position = fields.Integer(metadata=told("The entry's place.", **{SOMETIMES: True}))
    hash = fields.String(metadata=told("Of that place, hex.", **{SOMETIMES: True}, **_HEX))
    entry = fields.Raw(metadata=told("As it is hashed.", type="object", **{SOMETIMES: True}))
    written_as = LINES
    example = {
        "position": 1,
        "hash": _HASH,
        "entry": {name: AuditEntrySchema.example[name] for name in ("id", "at", "actor", "action", "subject")},
    }


class TokenSchema(Shape):
    """A token, without what makes it one."""

    id = Id()
    name = fields.String()
    person = fields.String(metadata=told("Whose it is: two persons means two different values here."))
    role = Word(str(role) for role in Role)
    destination = fields.String(allow_none=True, metadata=told("Of a `sender`: whose commands it gives."))
    created_at = Moment()
    expires_at = Moment(allow_none=True, metadata=told("Null: never."))
    last_used_at = Moment(allow_none=True, metadata=told("To the minute."))
    revoked_at = Moment(allow_none=True)
    example = {
        "id": _MAKER,
        "name": "erp-sync",
        "person": "erp-team",
        "role": "sender",
        "destination": "erp",
        "created_at": "2026-05-01T08:00:00Z",
        "expires_at": "2027-05-01T00:00:00Z",
        "last_used_at": None,
        "revoked_at": None,
    }


class NewTokenSchema(TokenSchema):
    """A token that was just made."""

    token = fields.String(metadata=told("The token itself: shown this once."))
    example = {**TokenSchema.example, "token": f"gbr_{_MAKER}_<43 characters>"}


AuditPageSchema = page_of(AuditEntrySchema, "AuditPageSchema")
TokenPageSchema = page_of(TokenSchema, "TokenPageSchema")
