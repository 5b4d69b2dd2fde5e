"""Legal holds: what must not be purged or erased. It may not know who purges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from bridge.settings.model import LegalHold


def holds_on_range(holds: Sequence[LegalHold], interaction_type: str, start: datetime, end: datetime) -> list[str]:
    """The names of the holds that forbid purging interactions of a type from `start` to `end` (aware).

    A hold on a subject or a customer forbids every purge by range: which interactions a range takes is only known to
    Genesys, and what is destroyed cannot be brought back.
    """
    return [_name(hold) for hold in holds if _covers(hold, interaction_type, start, end)]


def _covers(hold: LegalHold, interaction_type: str, start: datetime, end: datetime) -> bool:
    if hold.type is None:
        return True
    if hold.type != interaction_type:
        return False
    begins = _moment(hold.from_) if hold.from_ is not None else None
    ends = _moment(hold.to) if hold.to is not None else None
    return (begins is None or begins < end) and (ends is None or ends > start)


def _moment(bound: date | datetime) -> datetime:
    """A date alone means its beginning in UTC."""
    if isinstance(bound, datetime):
        return bound if bound.tzinfo is not None else bound.replace(tzinfo=UTC)
    return datetime.combine(bound, time(), tzinfo=UTC)


def _name(hold: LegalHold) -> str:
    """What identifies the hold without telling whom it protects."""
    what = "a subject" if hold.subject else "a customer" if hold.customer else f"type {hold.type}"
    return f"on {what} ({hold.reason})" if hold.reason else f"on {what}"
