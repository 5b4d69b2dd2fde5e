"""Conversations and their attributes: who may change what, under which version. It may not know HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.sandbox.model import CONVERSATION_STATES, ENDED_STATES, Conversation
from bridge.sandbox.notices import conversation_attributes_updated, conversation_state_changed
from bridge.sandbox.reading import Fields
from bridge.sandbox.refusals import Problem, Refused, version_conflict
from bridge.sandbox.world import World

MOST_TEXT = 1024
MOST_INTEGER = 999_999_999

_QUOTED = re.compile(r'"(\d{1,19})"')


def update_attributes(
    world: World, conversation_id: str, if_match: str | None, body: Mapping[str, object]
) -> dict[str, object]:
    """The conversation under its new version. `if_match` is the header: `"<version>"` or `*`.

    Raises `Refused`: 428 without If-Match, 400, 404, 412 with the version that stands.
    """
    expected = _expected_version(if_match)
    updates = _attributes(body)
    with world.lock:
        conversation = world.conversation(conversation_id)
        if expected is not None and expected != conversation.version:
            raise version_conflict(412, conversation.version)
        _refuse_system_keys(conversation, updates)
        _apply(world, conversation, updates)
        return conversation.as_json()


def change_as_agent(world: World, conversation_id: str, body: Mapping[str, object]) -> dict[str, object]:
    """What somebody at the desk does: another state, other attributes, without asking for a version."""
    fields = Fields(body)
    fields.only(("state", "attributes"))
    state = fields.text("state", among=CONVERSATION_STATES) if fields.has("state") else None
    fields.check()
    updates = _attributes(body) if fields.has("attributes") else {}
    with world.lock:
        conversation = world.conversation(conversation_id)
        if state is not None and state != conversation.state:
            conversation.state = state
            conversation.version += 1
            world.tell(conversation_state_changed(conversation, world.clock()))
        if updates:
            _apply(world, conversation, updates)
        return conversation.as_json()


def _apply(world: World, conversation: Conversation, updates: Mapping[str, object]) -> None:
    conversation.attributes.update(updates)
    conversation.version += 1
    world.tell(conversation_attributes_updated(conversation, updates, world.clock()))


def _expected_version(if_match: str | None) -> int | None:
    if if_match is None:
        raise Refused(428, "precondition.required", "If-Match with the version that was read is required.")
    if if_match.strip() == "*":
        return None
    quoted = _QUOTED.fullmatch(if_match.strip())
    if quoted is None:
        raise Refused(400, "invalid.if.match", 'If-Match must be the version in quotes, like "3", or *.')
    return int(quoted[1])


def _attributes(body: Mapping[str, object]) -> dict[str, object]:
    fields = Fields(body)
    updates = fields.mapping("attributes")
    if fields.has("metadata"):
        metadata = fields.inside("metadata")
        metadata.text("source")
        metadata.moment("timestamp")
    if not updates:
        fields.refuse("attributes", "empty", "at least one attribute is required")
    for key, value in updates.items():
        if not 1 <= len(key) <= 128:
            fields.refuse("attributes", "key.length", "a key has 1 to 128 characters")
        if not _is_value(value):
            rule = f"a string of at most {MOST_TEXT}, an integer 0 to {MOST_INTEGER}, a boolean or a date-time"
            fields.refuse(f"attributes.{key[:128]}", "value", rule)
    fields.check()
    return updates


def _is_value(value: object) -> bool:
    match value:
        case bool():
            return True
        case int():
            return 0 <= value <= MOST_INTEGER
        case str():
            return len(value) <= MOST_TEXT
        case _:
            return False


def _refuse_system_keys(conversation: Conversation, updates: Mapping[str, object]) -> None:
    frozen = sorted(key for key in updates if key.startswith("system."))
    if conversation.state not in ENDED_STATES or not frozen:
        return
    rule = f"immutable in state {conversation.state}"
    problems = [Problem(field=f"attributes.{key}", code="immutable", message=rule) for key in frozen]
    raise Refused(400, "attribute.immutable", "system attributes of an ended conversation.", problems=problems)
