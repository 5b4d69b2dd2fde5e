"""The answers of profile `interaction`, read into the words of `readings`. It may not know which call was asked.

Answers to reads must hold what the operations cannot do without; answers to writes and polls may lack anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from bridge.genesys.decipher import whole_number
from bridge.genesys.errors import Unavailable
from bridge.genesys.readings import (
    Change,
    Conversation,
    Customer,
    HistoryEntry,
    HistoryPage,
    Interaction,
    MergeState,
    PurgeState,
    Record,
    Written,
)
from bridge.genesys.wire import Answer
from bridge.violations import field_errors

HISTORY_PAGE_SIZE = 25

_MERGE_ENDS: Mapping[str, Literal["completed", "failed"]] = {"completed": "completed", "failed": "failed"}


def as_interaction(answer: Answer) -> Interaction:
    read = _load(_INTERACTION, answer)
    return Interaction(
        id=read["id"],
        type=read["type"],
        status=read["status"],
        created=read["createdDate"],
        start=read["startTime"] or read["createdDate"],
        end=read["endTime"],
        customer=_customer(answer.fields.get("customer")) or Customer(),
        attributes=read["attributes"],
        disposition_code=read["dispositionCode"],
    )


def as_conversation(answer: Answer) -> Conversation:
    read = _load(_CONVERSATION, answer)
    version = _version(answer)
    if version is None:
        raise _outside_contract("version")
    return Conversation(id=read["id"], state=read["state"].lower(), version=version, attributes=read["attributes"])


def as_record(answer: Answer) -> Record:
    read = _load(_RECORD, answer)
    version = _version(answer)
    if version is None:
        raise _outside_contract("version")
    return Record(version=version, fields=read["fields"])


def as_history_page(answer: Answer) -> HistoryPage:
    listed = answer.fields.get("entities")
    if not isinstance(listed, list):
        raise _outside_contract("entities")
    return HistoryPage(
        entries=[_history_entry(entry) for entry in listed if isinstance(entry, dict)],
        pages=whole_number(answer.fields.get("pageCount")),
        total=whole_number(answer.fields.get("total")),
        is_full=len(listed) >= HISTORY_PAGE_SIZE,
    )


def as_merge_state(answer: Answer) -> MergeState:
    """Of the answer to the submission, to a poll, and of the merged interaction itself."""
    body = answer.fields
    said = str(body.get("processingState") or body.get("status") or "").lower()
    return MergeState(
        merged_id=_string(body.get("id")),
        state=_MERGE_ENDS.get(said, "running"),
        confirmed_ids=_confirmed(body),
        version=whole_number(body.get("version")),
        customer=_customer(body.get("customer")),
    )


def as_purge_state(answer: Answer) -> PurgeState:
    body = answer.fields
    listed = body.get("interactions")
    parts = [part for part in listed if isinstance(part, dict)] if isinstance(listed, list) else []
    totals = [whole_number(part.get("totalInteractionsPurged")) for part in parts]
    counted = [total for total in totals if total is not None]
    reasons = [reason for part in parts if (reason := _string(part.get("errorReason")))]
    return PurgeState(
        purge_id=_string(body.get("purgeId")) or _string(body.get("id")),
        status=(_string(body.get("status")) or "").lower(),
        total_purged=sum(counted) if counted else None,
        error_reason="; ".join(dict.fromkeys(reasons)) or None,
    )


def as_written(answer: Answer) -> Written:
    body = answer.fields
    whole, by = body.get("fields"), body.get("modifiedBy")
    return Written(
        version=_version(answer),
        fields=whole if isinstance(whole, dict) else None,
        modified_at=_moment(body.get("modifiedTime")),
        modified_by=_string(by.get("id")) if isinstance(by, dict) else None,
    )


class _Read(Schema):
    class Meta:
        unknown = EXCLUDE


def _time(*, required: bool = False) -> fields.AwareDateTime:
    """The platform writes UTC: a time without a zone can only be that."""
    if required:
        return fields.AwareDateTime(format="iso", default_timezone=UTC, required=True)
    return fields.AwareDateTime(format="iso", default_timezone=UTC, load_default=None, allow_none=True)


def _object() -> fields.Dict:
    return fields.Dict(keys=fields.String(), load_default=None, allow_none=True)


def _text() -> fields.String:
    return fields.String(load_default=None, allow_none=True)


_INTERACTION = _Read.from_dict(
    {
        "id": fields.String(required=True),
        "type": _text(),
        "status": _text(),
        "createdDate": _time(required=True),
        "startTime": _time(),
        "endTime": _time(),
        "attributes": _object(),
        "dispositionCode": _text(),
    },
    name="InteractionAnswer",
)()
_CONVERSATION = _Read.from_dict(
    {"id": fields.String(required=True), "state": fields.String(required=True), "attributes": _object()},
    name="ConversationAnswer",
)()
_RECORD = _Read.from_dict({"fields": fields.Dict(keys=fields.String(), required=True)}, name="RecordAnswer")()


def _load(schema: Schema, answer: Answer) -> dict[str, Any]:
    try:
        read: dict[str, Any] = schema.load(answer.fields)
    except ValidationError as wrong:
        names = ", ".join(error.field for error in field_errors(wrong.messages))
        raise _outside_contract(names) from None
    return read


def _outside_contract(names: str) -> Unavailable:
    return Unavailable(f"Genesys answered outside its contract: look at {names}")


def _version(answer: Answer) -> int | None:
    version = whole_number(answer.fields.get("version"))
    return version if version is not None else whole_number(answer.headers.get("etag"))


def _customer(value: object) -> Customer | None:
    if not isinstance(value, dict):
        return None
    return Customer(
        id=_string(value.get("id")),
        phone_number=_string(value.get("phoneNumber")),
        email=_string(value.get("email")),
    )


def _confirmed(body: Mapping[str, object]) -> frozenset[str] | None:
    """The sources as ids, or as objects with an id."""
    for name in ("sourceInteractionIds", "sourceInteractions"):
        listed = body.get(name)
        if isinstance(listed, list):
            ids = (entry.get("id") if isinstance(entry, dict) else entry for entry in listed)
            return frozenset(id_ for id_ in ids if isinstance(id_, str))
    return None


def _history_entry(entry: Mapping[str, object]) -> HistoryEntry:
    metadata, changes = entry.get("metadata"), entry.get("changes")
    return HistoryEntry(
        version=whole_number(entry.get("version")),
        at=_moment(entry.get("timestamp")),
        request_id=_string(metadata.get("requestCorrelationId")) if isinstance(metadata, dict) else None,
        changes=_changes(changes if isinstance(changes, list) else []),
        raw=entry,
    )


def _changes(listed: Sequence[object]) -> list[Change]:
    return [
        Change(name=name, before=change.get("oldValue"), after=change.get("newValue"))
        for change in listed
        if isinstance(change, dict) and (name := _string(change.get("field"))) is not None
    ]


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None
