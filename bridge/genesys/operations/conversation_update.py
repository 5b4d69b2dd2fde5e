"""Operation 2, `conversation.attributes.update`: attributes of a conversation, under the version that was read.

Each step reads, checks, and sends a PATCH with If-Match; after a 412 the next step begins anew, at most
`conflict_tries` times. It may not send without a version.

Done twice? Genesys may have carried out the PATCH although its answer, or our commit, was lost. The next try reads
first: where every value is there already, nothing is sent (`already_applied`). Where the values are not shown, or were
changed by somebody else after a PATCH of ours of unknown end, it cannot be told whether ours was carried out: they are
sent again under the newer version, and the result says `maybe_doubled`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from marshmallow import fields

from bridge.clock import rfc3339
from bridge.errors import FieldError
from bridge.genesys.bodies import Attributes, Body, Identifier, refuse, sift
from bridge.genesys.errors import Unavailable, VersionConflict
from bridge.genesys.readings import Conversation
from bridge.genesys.rules import Check
from bridge.genesys.steps import Done, Fact, StepResult, Wait, restored
from bridge.genesys.work import Work
from bridge.violations import Violation

LONGEST_KEY = 128
LONGEST_TEXT = 1024
LARGEST_INTEGER = 999_999_999
ENDED_STATES = ("terminated", "abandoned")
SYSTEM_PREFIX = "system."
#: Times the number of conflicts: writers that met once should not meet again.
CONFLICT_WAIT = timedelta(milliseconds=100)


@dataclass(frozen=True, kw_only=True)
class ConversationUpdate:
    conversation_id: str
    attributes: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _Progress:
    conflicts: int = 0
    #: The version of a PATCH whose end is not known.
    unanswered_version: int | None = None


class _Attributes(Attributes):
    def _entry_error(self, key: object, value: object) -> Violation | None:
        if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY:
            return Violation("key", f"A key must have 1 to {LONGEST_KEY} characters.")
        match value:
            case bool():
                return None
            case int() if 0 <= value <= LARGEST_INTEGER:
                return None
            case int():
                return Violation("range", f"An integer must be 0 to {LARGEST_INTEGER}.")
            case str() if len(value) <= LONGEST_TEXT:
                return None
            case str():
                return Violation("max_length", f"A string must have at most {LONGEST_TEXT} characters.")
            case _:
                return Violation("type", "Must be a string, an integer, a boolean or an ISO 8601 date-time.")


class _Body(Body):
    conversation_id = Identifier(required=True)
    attributes = _Attributes(required=True)
    participant = fields.Raw(allow_none=True)


_BODY = _Body()


def read_command(body: Mapping[str, object], _check: Check) -> ConversationUpdate:
    """`{conversation_id, attributes {…}}`. Raises Invalid naming every violation."""
    read, errors = sift(_BODY, body)
    if read.pop("participant", None) is not None:
        message = "This API profile keeps attributes per conversation: leave it out."
        errors.append(FieldError(field="participant", rule="unsupported", message=message))
    refuse(errors)
    return ConversationUpdate(**read)


def advance(work: Work) -> StepResult:
    """Raises VersionConflict after `conflict_tries` conflicts that were tried again, Invalid for a `system.` key of an
    ended conversation, and what any call raises."""
    update = read_command(work.command.body, work.check)
    progress = restored(_Progress, work.progress or {})
    profile = work.profile
    conversation = profile.as_conversation(work.send(profile.read_conversation(update.conversation_id)))
    if _is_applied(conversation, update.attributes):
        return _done(work, update, _proven_version(conversation, progress), already_applied=True)
    _refuse_frozen(conversation, update)
    metadata = {"source": work.settings.metadata_source, "timestamp": rfc3339(work.command.issued_at)}
    try:
        answer = work.send(profile.update_conversation(conversation, update.attributes, metadata))
    except VersionConflict as conflict:
        return _again(work, progress, conflict, conversation)
    except Unavailable as lost:
        if lost.sent:
            lost.progress = asdict(_Progress(conflicts=progress.conflicts, unanswered_version=conversation.version))
        raise
    unanswered = progress.unanswered_version
    doubt = unanswered is not None and conversation.version > unanswered
    return _done(work, update, profile.as_written(answer).version, maybe_doubled=doubt)


def _is_applied(conversation: Conversation, attributes: Mapping[str, object]) -> bool:
    if conversation.attributes is None:
        return False
    shown = conversation.attributes
    return all(key in shown and _same(shown[key], value) for key, value in attributes.items())


def _proven_version(conversation: Conversation, progress: _Progress) -> int | None:
    """The version that stands, where it can only be that of our own lost PATCH. A fact under the version of another
    change would make the news of that change look like a repeat."""
    version, sent_under = conversation.version, progress.unanswered_version
    return version if sent_under is not None and version == sent_under + 1 else None


def _same(shown: object, wanted: object) -> bool:
    return type(shown) is type(wanted) and shown == wanted  # True is not 1


def _refuse_frozen(conversation: Conversation, update: ConversationUpdate) -> None:
    if conversation.state not in ENDED_STATES:
        return
    message = f"Immutable once the conversation is {conversation.state}: leave it out."
    refuse(
        FieldError(field=f"attributes.{key}", rule="immutable", message=message)
        for key in update.attributes
        if key.startswith(SYSTEM_PREFIX)
    )


def _again(work: Work, progress: _Progress, conflict: VersionConflict, conversation: Conversation) -> Wait:
    """The next step reads again. Raises `conflict` where there were too many."""
    work.tally.conflicted()
    conflicts = progress.conflicts + 1
    if conflicts > work.settings.conflict_tries:
        conflict.sent_version = conversation.version
        raise conflict
    after = _Progress(conflicts=conflicts, unanswered_version=progress.unanswered_version)
    return Wait(progress=asdict(after), delay=CONFLICT_WAIT * conflicts)


def _done(
    work: Work,
    update: ConversationUpdate,
    version: int | None,
    *,
    already_applied: bool = False,
    maybe_doubled: bool = False,
) -> Done:
    payload: dict[str, object] = {
        "conversationId": update.conversation_id,
        "updatedAttributes": dict(update.attributes),
        "version": version,
        "processedAt": rfc3339(work.now),
    }
    fact = Fact(
        type="conversation.attributes.updated",
        subject=f"conversation:{update.conversation_id}",
        payload=payload,
        version=None if version is None else str(version),
        occurred_at=work.now,
    )
    marks = {"already_applied": already_applied, "maybe_doubled": maybe_doubled}
    return Done(result={**payload, **marks}, facts=(fact,))
