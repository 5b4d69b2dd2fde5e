"""Operation 4, `record.update`: a custom-object record, under the version that its asker saw.

The first step checks and sends a PUT. After a 409 the next step reads the record and its audit log and decides by
`on_conflict`: `fail` (both versions are told), `retry` (the changed fields once more, unless somebody else changed one
of them), `overwrite`. It may not, with `retry`, change a field that the asker did not change.

Done twice? Genesys may have carried out the PUT although its answer, or our commit, was lost. The next PUT states the
same version and meets a 409; then the record's audit log shows a change with our request id, or the record holds our
values: nothing is sent (`already_applied`). Where the log shows no request ids and somebody else has changed our fields
again, it looks like a conflict and ends as one; nothing is done twice then either, except by `overwrite`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from math import isfinite
from typing import Literal

from marshmallow import fields

from bridge.clock import rfc3339
from bridge.errors import FieldError
from bridge.genesys.bodies import Attributes, Body, Identifier, Text, Whole, refuse, sift
from bridge.genesys.errors import GenesysError, Invalid, VersionConflict
from bridge.genesys.operations.record_conflict import read_standing, reapplied
from bridge.genesys.operations.record_history import summary
from bridge.genesys.readings import Written
from bridge.genesys.rules import Check
from bridge.genesys.steps import Done, Fact, StepResult, Wait, restored
from bridge.genesys.work import Work
from bridge.violations import Violation

DEFAULT_TAGS = ("api-update",)
CONFLICT_CHOICES = ("fail", "retry", "overwrite")
#: Times the number of conflicts: writers that met once should not meet again.
CONFLICT_WAIT = timedelta(milliseconds=100)


@dataclass(frozen=True, kw_only=True)
class RecordUpdate:
    schema: str
    record_id: str
    version: int
    fields: Mapping[str, object] = field(repr=False)
    tags: Sequence[str]
    on_conflict: Literal["fail", "retry", "overwrite"]


@dataclass(frozen=True, kw_only=True)
class _Progress:
    conflicts: int = 0


class _Fields(Attributes):
    """JSON values only."""

    def _entry_error(self, key: object, value: object) -> Violation | None:
        if not isinstance(key, str) or not key:
            return Violation("key", "A field's name must have at least 1 character.")
        match value:
            case None | bool() | str() | list() | dict():
                return None
            case int() if -(2**63) <= value < 2**63:
                return None
            case float() if isfinite(value):
                return None
            case _:
                return Violation("type", "Must be a JSON value, a number of at most 64 bit.")


class _Body(Body):
    schema = Identifier(required=True)
    record_id = Identifier(required=True)
    version = Whole(required=True)
    values = _Fields(required=True, data_key="fields")
    tags = fields.List(Text(), load_default=list(DEFAULT_TAGS))
    on_conflict = Text(among=CONFLICT_CHOICES, load_default="fail")


_BODY = _Body()


def read_command(body: Mapping[str, object], check: Check) -> RecordUpdate:
    """`{schema, record_id, version, fields, tags?, on_conflict?}`. Raises Invalid naming every violation, those of the
    record's schema as `fields.<name>`."""
    read, errors = sift(_BODY, body)
    if "values" in read and "schema" in read:
        errors += check.rules.records.violations(read["schema"], read["values"])
    refuse(errors)
    values = read.pop("values")
    return RecordUpdate(fields=values, **read)


def advance(work: Work) -> StepResult:
    """Raises VersionConflict (`on_conflict` forbids going on, or `conflict_tries` are used up), Invalid, and what any
    call raises."""
    asked = read_command(work.command.body, work.check)
    conflicts = restored(_Progress, work.progress or {}).conflicts
    if conflicts == 0:
        return _put(work, asked, asked, conflicts)
    standing = read_standing(work, asked.schema, asked.record_id, asked.version)
    current = standing.current
    if standing.own_version is not None or standing.holds(asked.fields):
        version = standing.own_version if standing.own_version is not None else current.version
        whole = current.fields if version == current.version else None
        return _done(work, asked, Written(version=version, fields=whole), already_applied=True)
    if asked.on_conflict == "fail":
        message = f"the record has version {current.version}: read it again and decide"
        raise VersionConflict(message, current_version=current.version, sent_version=asked.version)
    values = asked.fields
    if asked.on_conflict == "retry":
        values = reapplied(standing, asked.fields, asked.version)
        refuse(work.check.rules.records.violations(asked.schema, values))
    return _put(work, asked, replace(asked, version=current.version, fields=values), conflicts)


def _put(work: Work, asked: RecordUpdate, sent: RecordUpdate, conflicts: int) -> StepResult:
    metadata = {
        "tags": list(sent.tags),
        "source": work.settings.metadata_source,
        "requestCorrelationId": work.command.id,
    }
    call = work.profile.update_record(
        sent.schema, sent.record_id, version=sent.version, fields=sent.fields, metadata=metadata
    )
    try:
        written = work.profile.as_written(work.send(call))
    except VersionConflict as conflict:
        work.tally.conflicted()
        conflict.sent_version = sent.version
        if conflicts + 1 > work.settings.conflict_tries:
            raise
        return Wait(progress=asdict(_Progress(conflicts=conflicts + 1)), delay=CONFLICT_WAIT * conflicts)
    except Invalid as refused:
        raise Invalid(_as_ours(refused), answer=refused.answer, code=refused.code) from refused
    whole = written.fields if written.fields is not None else sent.fields
    return _done(work, asked, replace(written, fields=whole))


def _as_ours(refused: Invalid) -> list[FieldError]:
    """Genesys names a record's fields without saying that they are below `fields`."""
    ours = ("body", "fields", "version", "metadata")
    return [
        error
        if error.field.split(".")[0] in ours
        else FieldError(field=f"fields.{error.field}", rule=error.rule, message=error.message)
        for error in refused.errors
    ]


def _done(work: Work, asked: RecordUpdate, written: Written, *, already_applied: bool = False) -> Done:
    result: dict[str, object] = {
        "schemaName": asked.schema,
        "recordId": asked.record_id,
        "fromVersion": asked.version,
        "version": written.version,
        "changedFields": sorted(asked.fields),
        "already_applied": already_applied,
    }
    if work.settings.verify_history:
        result["history"] = _history(work, asked)
    return Done(result=result, facts=_facts(work, asked, written))


def _history(work: Work, asked: RecordUpdate) -> Mapping[str, object]:
    """`{size, newest}`, or `{error}`: the record is changed, whatever becomes of this."""
    try:
        return summary(work.send, work.profile, asked.schema, asked.record_id)
    except GenesysError as error:
        return {"error": str(error)}


def _facts(work: Work, asked: RecordUpdate, written: Written) -> tuple[Fact, ...]:
    """None where the state or its version is not known: then Genesys's webhook is the only one who can tell."""
    if written.version is None or written.fields is None:
        return ()
    modified_at = written.modified_at or work.now
    payload = {
        "action": "update",
        "schemaName": asked.schema,
        "recordId": asked.record_id,
        "version": written.version,
        "modifiedTime": rfc3339(modified_at),
        "modifiedBy": written.modified_by,
        "fields": dict(written.fields),
    }
    fact = Fact(
        type="custom_object.record.updated",
        subject=f"record:{asked.schema}/{asked.record_id}",
        payload=payload,
        version=str(written.version),
        occurred_at=modified_at,
    )
    return (fact,)
