"""What arrives otherwise than the formats know it: types, fields, and kinds of values. It never gives a value.

Genesys changes its webhooks without asking. What a format does not know is dropped or kept as unknown, and nothing
fails; so somebody has to look. Reads the newest bodies only, so that it costs the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal

import orjson
from sqlalchemy.orm import Session

from bridge.admin.search.events import EventBody, EventFilter, newest_bodies
from bridge.errors import ConfigurationError, Invalid
from bridge.intake.formats import Discerning, find_format
from bridge.intake.ledger import BRIDGE
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault
from bridge.settings.model import SourceSettings

Kind = Literal["unreadable", "unknown-type", "unread-field", "mixed-values"]
_AT_ONCE = 200
#: Of one body: a document may hold any number of names, and be nested as deep as it likes.
_MOST_FIELDS, _DEEPEST = 500, 8
_REMEDIES: Mapping[Kind, str] = {
    "unreadable": "mend the sender, or the source's format; then `bridge events reparse`",
    "unknown-type": "kept, and heard by a destination of kind http that lists the type in `events`",
    "unread-field": "destinations do not hear of it; an upgrade of the bridge, or a format of your own, may read it",
    "mixed-values": "whoever receives it must expect both, or the sender is to be asked which it will be",
}


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One way in which what a source sends is not what its format, or the source itself before, says."""

    source: str
    kind: Kind
    #: Of the event; `unreadable` where there is none.
    type: str
    #: Dotted path, masked; None where it is about the whole event.
    field: str | None
    #: For people: the rule that is broken, or the kinds of values that were met.
    detail: str | None
    #: How many of the events that were looked at.
    events: int
    first_seen: datetime
    last_seen: datetime
    #: Id of the newest event that shows it.
    sample: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """`found`: the most frequent first."""

    looked_at: int
    #: When the oldest event that was looked at was received; None: there was none.
    back_to: datetime | None
    found: list[Drift]


@dataclass
class _Tally:
    found: dict[tuple[str, Kind, str, str | None], Drift] = field(default_factory=dict)
    #: Kinds of values by source, type, schema and field, each with the newest event that shows it.
    values: dict[tuple[str, str, str, str], dict[str, Drift]] = field(default_factory=dict)


def find_drift(
    session: Session, sources: Mapping[str, SourceSettings], *, since: datetime, limit: int, masking: Masking,
    vault: Vault, source: str | None = None,
) -> DriftReport:  # fmt: skip
    """What the newest `limit` events since then show, read with today's formats of `sources`."""
    tally, looked_at, back_to = _Tally(), 0, None
    for row in islice(_rows(session, EventFilter(source=source, since=since), vault), limit):
        looked_at, back_to = looked_at + 1, row.received_at
        settings = sources.get(row.source)
        for drift in _of_event(row, None if settings is None else settings.format):
            _add(tally.found, (drift.source, drift.kind, drift.type, drift.field), drift)
        if row.state == "recorded":
            _add_values(tally, row)
    found = [*tally.found.values(), *_mixed(tally)]
    masked = [replace(one, field=None if one.field is None else masking.text(one.field)) for one in found]
    return DriftReport(
        looked_at=looked_at,
        back_to=back_to,
        found=sorted(masked, key=lambda one: (-one.events, one.source, one.kind, one.type, one.field or "")),
    )


def _rows(session: Session, wanted: EventFilter, vault: Vault) -> Iterator[EventBody]:
    """Newest first, without what the bridge itself has recorded."""
    before: str | None = None
    while True:
        rows = newest_bodies(session, wanted, before, vault, limit=_AT_ONCE)
        yield from (row for row in rows if row.source != BRIDGE)
        if len(rows) < _AT_ONCE:
            return
        before = rows[-1].id


def _of_event(row: EventBody, form: str | None) -> Iterator[Drift]:
    if row.state == "unreadable":
        for error in {(one["field"], one["rule"]) for one in row.errors or ()}:
            yield _drift(row, "unreadable", error[0], error[1])
        return
    if row.type.startswith("genesys."):
        yield _drift(row, "unknown-type", None, None)
    for path in _unread(row, form):
        yield _drift(row, "unread-field", path, None)


def _unread(row: EventBody, form: str | None) -> list[str]:
    try:
        known = None if form is None else find_format(form)
        return known.unread(orjson.loads(row.body))[:_MOST_FIELDS] if isinstance(known, Discerning) else []
    except (ConfigurationError, Invalid, orjson.JSONDecodeError):  # of a format that it had before
        return []


def _drift(row: EventBody, kind: Kind, path: str | None, detail: str | None) -> Drift:
    return Drift(
        source=row.source,
        kind=kind,
        type=row.type,
        field=path,
        detail=detail,
        events=1,
        first_seen=row.received_at,
        last_seen=row.received_at,
        sample=row.id,
        remedy=_REMEDIES[kind],
    )


def _add(found: dict[Any, Drift], key: object, drift: Drift) -> None:
    """Rows come newest first: the first one met is the newest."""
    known = found.get(key)
    found[key] = drift if known is None else replace(known, events=known.events + 1, first_seen=drift.first_seen)


def _add_values(tally: _Tally, row: EventBody) -> None:
    try:
        document = orjson.loads(row.body)
    except orjson.JSONDecodeError:
        return
    # Records of two schemas may well call two things by one name.
    schema = row.subject.partition("/")[0] if row.subject.startswith("record:") else ""
    for path, kind in dict(islice(_kinds(document, "", 0), _MOST_FIELDS)).items():
        by_kind = tally.values.setdefault((row.source, row.type, schema, path), {})
        _add(by_kind, kind, _drift(row, "mixed-values", path, None))


def _kinds(value: object, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Every field with the kind of its value; null says nothing, and a list is of the kind of what it holds."""
    if isinstance(value, dict) and depth < _DEEPEST:
        for key, below in value.items():
            yield from _kinds(below, f"{path}.{key}" if path else key, depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for below in value:
            yield from _kinds(below, f"{path}[]", depth + 1)
    elif value is not None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        yield path, "number" if number else {str: "text", bool: "true or false"}.get(type(value), "object or list")


def _mixed(tally: _Tally) -> Iterator[Drift]:
    """Fields whose values are now of one kind, now of another; the rarer kind is what drifts."""
    for by_kind in tally.values.values():
        if len(by_kind) > 1:
            *_, rarest = sorted(by_kind.values(), key=lambda one: (-one.events, one.last_seen))
            yield replace(rarest, detail=", ".join(f"{kind} ({one.events})" for kind, one in sorted(by_kind.items())))
