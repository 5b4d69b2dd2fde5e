"""A purge policy: what it must say, and what governance allows. It may not know how or when a purge is carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from bridge.errors import FieldError
from bridge.genesys.bodies import Attributes, Body, Flag, Moment, Text, Whole, refuse, sift
from bridge.settings.model import PurgeSettings

INTERACTION_TYPES = ("voice", "email", "chat", "callback", "sms", "social")
CLASSIFICATIONS = ("public", "internal", "confidential", "pii", "hipaa")
PURGE_TYPES = ("permanent", "soft")
MOST_RETENTION_DAYS = 3650
FEWEST_REASON_CHARACTERS = 10


@dataclass(frozen=True, kw_only=True)
class PurgeScope:
    """Which interactions a purge takes; times are aware."""

    interaction_type: str
    start: datetime
    end: datetime
    #: `{"attributes": {…}}`, or empty for everything of that type and time.
    filters: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class PurgePolicy:
    """What is to be purged, under which rules and why."""

    scope: PurgeScope
    retention_days: int
    classification: str
    purge_type: str
    reason: str


#: Names what stands in the way of a purge of that scope: legal holds, or purges that are open and overlap.
Blocks = Callable[[PurgeScope], Sequence[str]]


def no_blocks(_scope: PurgeScope) -> Sequence[str]:
    """For callers that keep no holds and no list of purges."""
    return ()


class _DateRange(Body):
    start = Moment(required=True)
    end = Moment(required=True)


class _Filters(Body):
    attributes = Attributes(least=0, load_default=None)


class _Policy(Body):
    interactionType = Text(required=True, among=INTERACTION_TYPES)  # noqa: N815 (the name in the body)
    dateRange = fields.Nested(_DateRange, required=True)  # noqa: N815
    retentionDays = Whole(required=True, most=MOST_RETENTION_DAYS)  # noqa: N815
    classification = Text(required=True, among=CLASSIFICATIONS)
    purgeType = Text(required=True, among=PURGE_TYPES)  # noqa: N815
    reason = Text(required=True, shortest=FEWEST_REASON_CHARACTERS)
    filters = fields.Nested(_Filters, load_default=None, allow_none=True)
    everything = Flag(load_default=False)


_POLICY = _Policy()


def read_policy(
    body: Mapping[str, object], *, governance: PurgeSettings, now: datetime, holds: Blocks, open_purges: Blocks
) -> PurgePolicy:
    """The policy that `body` states: `{interactionType, dateRange {start, end}, retentionDays, classification,
    purgeType, reason, filters {attributes}?, everything?}`.

    Raises Invalid naming everything that its form, the governance rules, legal holds and open purges have against it.
    """
    read, errors = sift(_POLICY, body)
    errors += _governance_errors(read, governance)
    errors += _window_errors(read, governance, now)
    errors += _selection_errors(read, errors)
    scope = _scope(read)
    if scope is not None:
        errors += _block_errors(scope, holds, open_purges)
    refuse(errors)
    assert scope is not None  # without errors everything was read
    return PurgePolicy(
        scope=scope,
        retention_days=read["retentionDays"],
        classification=read["classification"],
        purge_type=read["purgeType"],
        reason=read["reason"],
    )


def _scope(read: Mapping[str, Any]) -> PurgeScope | None:
    """The scope as far as it is right; None where it cannot be told."""
    start, end = _range(read)
    if start is None or end is None or "interactionType" not in read:
        return None
    attributes = (read.get("filters") or {}).get("attributes")
    filters = {"attributes": dict(attributes)} if attributes else {}
    return PurgeScope(interaction_type=read["interactionType"], start=start, end=end, filters=filters)


def _range(read: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    stated = read.get("dateRange") or {}
    return stated.get("start"), stated.get("end")


def _governance_errors(read: Mapping[str, Any], governance: PurgeSettings) -> Iterable[FieldError]:
    classification, days, purge_type = (read.get(key) for key in ("classification", "retentionDays", "purgeType"))
    for rule in governance.rules:
        if rule.classification != classification:
            continue
        least = rule.min_retention_days
        if least is not None and days is not None and days < least:
            message = f"Governance keeps {classification} at least {least} days: state {least} or more."
            yield FieldError(field="retentionDays", rule="governance", message=message)
        if rule.require_type is not None and purge_type is not None and purge_type != rule.require_type:
            message = f"Governance requires {rule.require_type} for {classification}."
            yield FieldError(field="purgeType", rule="governance", message=message)


def _window_errors(read: Mapping[str, Any], governance: PurgeSettings, now: datetime) -> Iterable[FieldError]:
    start, end = _range(read)
    days = read.get("retentionDays")
    if start is not None and end is not None and start >= end:
        yield FieldError(field="dateRange.end", rule="order", message="Must be later than dateRange.start.")
    if end is None or days is None or not governance.require_expired_window:
        return
    if end > now - timedelta(days=days):
        message = f"Must lie at least the stated {days} retention days in the past."
        yield FieldError(field="dateRange.end", rule="retention", message=message)


def _selection_errors(read: Mapping[str, Any], errors: Sequence[FieldError]) -> Iterable[FieldError]:
    """Everything of a type and time is purged only where that is said, and said without a doubt."""
    if any(error.field.startswith(("filters", "everything")) for error in errors):
        return
    attributes = (read.get("filters") or {}).get("attributes") or {}
    selects = any(value.strip("*% ") for value in attributes.values())
    if not selects and not read["everything"]:
        message = "The filter takes everything of that type and time: narrow it, or say everything: true."
        yield FieldError(field="filters", rule="everything", message=message)
    if selects and read["everything"]:
        message = "Contradicts the filter: leave one of the two out."
        yield FieldError(field="everything", rule="everything", message=message)


def _block_errors(scope: PurgeScope, holds: Blocks, open_purges: Blocks) -> Iterable[FieldError]:
    for name in holds(scope):
        message = f"Legal hold {name} covers this: release it first, or narrow the purge."
        yield FieldError(field="body", rule="legal_hold", message=message)
    for name in open_purges(scope):
        message = f"Purge {name} is open and overlaps: wait for its end, or narrow the purge."
        yield FieldError(field="dateRange", rule="overlap", message=message)
