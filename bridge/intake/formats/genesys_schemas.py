"""The shapes of format `genesys` as marshmallow schemas. They may not know events, subjects or keys.

Data keys are dotted: envelope and content are read as one level (`schemas.load_flat`).
"""

from __future__ import annotations

from marshmallow import fields

from bridge.intake.formats.fields import Choice, Identifier, JsonObject, ReferenceId, Timestamp, Version
from bridge.intake.formats.naming import LONGEST_WORD
from bridge.intake.formats.schemas import Tolerant

RECORD_ACTIONS = ("create", "update", "delete")


class RecordChange(Tolerant):
    """`action` and `schemaName` beside the part `record`."""

    action = Choice(*RECORD_ACTIONS, required=True)
    schema_name = Identifier(required=True, data_key="schemaName")
    id = Identifier(required=True, data_key="record.id")
    version = Version(digits_only=True, load_default=None, data_key="record.version")
    modified_time = Timestamp(required=True, data_key="record.modifiedTime")
    modified_by = ReferenceId(load_default=None, data_key="record.modifiedBy")
    values = JsonObject(required=True, data_key="record.fields")


class ConversationAttributes(Tolerant):
    """The part `payload`, like all below."""

    id = Identifier(required=True, data_key="payload.conversationId")
    updated_attributes = JsonObject(required=True, data_key="payload.updatedAttributes")
    version = Version(required=True, data_key="payload.version")
    processed_at = Timestamp(required=True, data_key="payload.processedAt")


class _Interaction(Tolerant):
    id = Identifier(required=True, data_key="payload.interactionId")
    processed_at = Timestamp(required=True, data_key="payload.processedAt")


class InteractionUpdate(_Interaction):
    updated_attributes = JsonObject(required=True, data_key="payload.updatedAttributes")
    disposition_code = fields.String(load_default=None, data_key="payload.dispositionCode")
    version = Version(load_default=None, data_key="payload.version")


class _Customer(Tolerant):
    id = Identifier(required=True)
    phone_number = fields.String(load_default=None, data_key="phoneNumber")
    email = fields.String(load_default=None)


class InteractionMerge(_Interaction):
    source_ids = fields.List(Identifier(), required=True, data_key="payload.sourceInteractionIds")
    customer = fields.Nested(_Customer, load_default=None, data_key="payload.customer")
    version = Version(load_default=None, data_key="payload.version")


class InteractionPurge(_Interaction):
    purge_id = Identifier(load_default=None, data_key="payload.purgeId")


class UnknownEvent(Tolerant):
    """An event of a type that is not listed; the bound keeps `genesys.<type>` within its column."""

    event_type = Identifier(required=True, longest=LONGEST_WORD, data_key="eventType")
    payload = JsonObject(load_default=None)
