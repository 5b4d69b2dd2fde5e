"""What a Genesys notification topic is about. It may not know the envelope that a topic comes in."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, conversation_subject
from bridge.intake.formats.fields import is_identifier

CONVERSATION_ENDED = "conversation.ended"
CONTACT_UPDATED = "contact.updated"
CONTACT_MERGED = "contact.merged"

_CONVERSATION = re.compile(r"v2\.detail\.events\.conversation\.(?P<id>[^.]+)\.(?P<what>[a-z0-9_.]{1,100})")
_CONTACT = re.compile(r"v2\.externalcontacts\.contacts\.(?P<id>[^.]+)")
_KNOWN = {"attributes": CONVERSATION_ATTRIBUTES_UPDATED, "customer.end": CONVERSATION_ENDED}
#: A segment of a topic that is an id, or a template's place for one.
_ID_SEGMENT = re.compile(r"(?<=\.)(?:\{[^.{}]*\}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?=\.|$)")
_NOT_IN_A_TYPE = re.compile(r"[^a-z0-9_.{}-]")


def contact_subject(contact_id: str) -> str:
    return f"contact:{contact_id}"


def type_of(topic: str, body: Mapping[str, object]) -> str:
    """The event type of `topic`, with ids in place or as a template; `genesys.<template>` where we know no better."""
    if conversation := _CONVERSATION.fullmatch(topic):
        what = conversation["what"]
        return _KNOWN.get(what, f"conversation.{what}")
    if _CONTACT.fullmatch(topic):
        return CONTACT_MERGED if "mergedFrom" in body or "mergedTo" in body else CONTACT_UPDATED
    return "genesys." + _NOT_IN_A_TYPE.sub("_", _ID_SEGMENT.sub("{id}", topic).lower())


def subject_of(topic: str, body: Mapping[str, object]) -> str | None:
    """Whom `topic` is about, by its body or by the id in its place; None where neither says."""
    if conversation := _CONVERSATION.fullmatch(topic):
        found = _first_id(body.get("conversationId"), conversation["id"])
        return conversation_subject(found) if found else None
    if contact := _CONTACT.fullmatch(topic):
        found = _first_id(body.get("id"), body.get("contactId"), contact["id"])
        return contact_subject(found) if found else None
    return None


def _first_id(*candidates: object) -> str | None:
    for candidate in candidates:
        if is_identifier(candidate) and not candidate.startswith("{"):
            return candidate
    return None
