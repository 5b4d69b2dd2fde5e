"""What stands where a record was changed by somebody else, and what of a change may still be made. It may not write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridge.genesys.errors import GenesysError, VersionConflict
from bridge.genesys.operations.record_history import history
from bridge.genesys.readings import HistoryEntry, Record
from bridge.genesys.record_rules import same
from bridge.genesys.work import Work


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A record as it stands after a conflict."""

    current: Record
    #: The version that an earlier try of this very command gave; None where the log shows none.
    own_version: int | None
    #: The fields under the version that the asker saw; None where the log does not tell every change since.
    seen: Mapping[str, object] | None = field(repr=False)

    def holds(self, fields: Mapping[str, object]) -> bool:
        """Whether the record has these values already."""
        return all(_equal(self.current.fields, fields, name) for name in fields)


def read_standing(work: Work, schema: str, record_id: str, seen_version: int) -> Standing:
    """The record and what its audit log tells. Raises what any call raises, except that a log that we may not read, or
    that is not there, tells nothing."""
    profile = work.profile
    current = profile.as_record(work.send(profile.read_record(schema, record_id)))
    try:
        log = history(work.send, profile, schema, record_id)
    except GenesysError as error:
        if error.retryable:
            raise
        log = []
    own = (entry.version for entry in log if entry.request_id == work.command.id)
    return Standing(current=current, own_version=next(own, None), seen=_seen(current, log, seen_version))


def reapplied(standing: Standing, wanted: Mapping[str, object], seen_version: int) -> Mapping[str, object]:
    """The record as it stands with what the asker changed. Raises VersionConflict naming the fields that somebody else
    changed too, or all that might have been where that cannot be told."""
    seen, current = standing.seen, standing.current.fields
    if seen is None:
        in_doubt = [name for name in wanted if not _equal(current, wanted, name)]
        raise _clash(in_doubt, standing, seen_version, "the audit log does not tell who changed")
    changed = {name: value for name, value in wanted.items() if not _equal(seen, wanted, name)}
    clashes = [name for name in changed if not _equal(current, seen, name) and not _equal(current, changed, name)]
    if clashes:
        raise _clash(clashes, standing, seen_version, "somebody else changed")
    return {**current, **changed}


def _seen(current: Record, log: Sequence[HistoryEntry], seen_version: int) -> Mapping[str, object] | None:
    """`current` with every change since `seen_version` undone, newest first."""
    since = [entry for entry in log if entry.version is not None and seen_version < entry.version <= current.version]
    if len({entry.version for entry in since}) != current.version - seen_version:
        return None
    fields = dict(current.fields)
    for entry in since:
        for change in entry.changes:
            if change.before is None:
                fields.pop(change.name, None)
            else:
                fields[change.name] = change.before
    return fields


def _equal(fields: Mapping[str, object], others: Mapping[str, object], name: str) -> bool:
    return same(fields.get(name), others.get(name))


def _clash(names: Sequence[str], standing: Standing, seen_version: int, said: str) -> VersionConflict:
    message = f"{said} {', '.join(names)} since: read the record again and decide"
    current = standing.current.version
    return VersionConflict(message, current_version=current, sent_version=seen_version, fields=names)
