"""Legal holds: what must not be purged, erased or forgotten. It may not know who does that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import unquote

import orjson

from bridge.settings.model import LegalHold

#: Subjects that are no interaction, whatever their events tell.
_NO_INTERACTION: Final = ("record:", "contact:", "audit:")


def holds_on_range(holds: Sequence[LegalHold], interaction_type: str, start: datetime, end: datetime) -> list[str]:
    """The names of the holds that forbid purging interactions of a type from `start` to `end` (aware).

    A hold on a subject or a customer forbids every purge by range: which interactions a range takes is only known to
    Genesys, and what is destroyed cannot be brought back.
    """
    return [hold_name(hold) for hold in holds if _covers(hold, interaction_type, start, end)]


def covering_hold(
    holds: Sequence[LegalHold], *, subject: str, body: bytes, happened: Sequence[datetime]
) -> LegalHold | None:
    """The hold that forbids to forget, or erase, the event of `subject` that came in as `body`; `happened` are its
    times (aware). None: there is none.

    In doubt one does: a hold on a subject or a customer covers every event that names it anywhere, and one on a type
    and a range every event of an interaction in that range, because an event does not tell the interaction's type.
    """
    named = [hold for hold in holds if hold.type is None]
    for hold in holds:
        if hold.subject == subject or (hold.type is not None and _covers_times(hold, subject, happened)):
            return hold
    words = _words(body) if named else set()
    return next((hold for hold in named if words is None or _names(hold) <= words), None)


def holds_event(holds: Sequence[LegalHold], *, subject: str, body: bytes, happened: Sequence[datetime]) -> bool:
    """Whether there is a `covering_hold`."""
    return covering_hold(holds, subject=subject, body=body, happened=happened) is not None


def hold_name(hold: LegalHold) -> str:
    """What identifies the hold without telling whom it protects."""
    what = "a subject" if hold.subject else "a customer" if hold.customer else f"type {hold.type}"
    return f"on {what} ({hold.reason})" if hold.reason else f"on {what}"


def _covers_times(hold: LegalHold, subject: str, happened: Sequence[datetime]) -> bool:
    if subject.startswith(_NO_INTERACTION):
        return False
    begins, ends = _bounds(hold)
    return any((begins is None or begins <= at) and (ends is None or at < ends) for at in happened)


def _names(hold: LegalHold) -> set[str]:
    """The words by which a body names what is held, all of them: `record:Item/7` is Item and 7."""
    if hold.customer is not None:
        return {hold.customer.casefold()}
    kind, _, rest = (hold.subject or "").partition(":")
    if kind != "record":
        return {rest.casefold()}
    schema, _, record_id = rest.partition("/")  # as `events.record_subject` joins them
    return {unquote(schema).casefold(), record_id.casefold()}


def _words(body: bytes) -> set[str] | None:
    """Every value and key in a body, as text; None where it cannot be read."""
    try:
        return set(_flattened(orjson.loads(body)))
    except orjson.JSONDecodeError:
        return None


def _flattened(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield from (key.casefold() for key in value)
            for one in value.values():
                yield from _flattened(one)
        case list():
            for one in value:
                yield from _flattened(one)
        case str():
            yield value.casefold()
        case int():
            yield str(value)


def _covers(hold: LegalHold, interaction_type: str, start: datetime, end: datetime) -> bool:
    if hold.type is None:
        return True
    if hold.type != interaction_type:
        return False
    begins, ends = _bounds(hold)
    return (begins is None or begins < end) and (ends is None or ends > start)


def _bounds(hold: LegalHold) -> tuple[datetime | None, datetime | None]:
    """Where the range begins, and where it ends, which is not within it any more; a day that is named is held whole."""
    ends = hold.to
    if ends is not None and not isinstance(ends, datetime):
        ends += timedelta(days=1)
    return (
        _moment(hold.from_) if hold.from_ is not None else None,
        _moment(ends) if ends is not None else None,
    )


def _moment(bound: date | datetime) -> datetime:
    """A date alone means its beginning in UTC."""
    if isinstance(bound, datetime):
        return bound if bound.tzinfo is not None else bound.replace(tzinfo=UTC)
    return datetime.combine(bound, time(), tzinfo=UTC)
