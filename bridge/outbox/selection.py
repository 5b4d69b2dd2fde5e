"""What a replay selects, as it is asked for and as it is stored. It may not read a row: `selecting` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from bridge.clock import rfc3339
from bridge.errors import FieldError, Invalid
from bridge.events import Owed, RecordedEvent

#: Would this destination be owed this event today? A forwarder's `owe`, handed in by the app; told by the envelope.
Wants = Callable[[RecordedEvent], Owed | None]
#: `every` event, or of each (destination, subject) only the `latest`.
Mode = Literal["latest", "every"]
#: States of the newest delivery of an event to a destination; `none`: it was never owed.
SELECTABLE = ("dead", "delivered", "superseded", "cancelled", "none")


@dataclass(frozen=True, kw_only=True)
class ReplayFilter:
    """What a replay selects; a field that is None does not narrow. Times are `received_at`, aware, UTC."""

    #: None: every one that is configured.
    destination: str | None = None
    #: One of SELECTABLE; None: whatever is final.
    state: str | None = None
    type: str | None = None
    subject: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: The order's time: rows count as they stood then, so that the selection neither grows nor shrinks under the walk,
    #: and a replay does not find its own. None: not ordered yet.
    as_of: datetime | None = None


def check_filter(selected: ReplayFilter, wanted: Mapping[str, Wants]) -> None:
    """Raise Invalid, with every field that is wrong, unless the filter can be carried out."""
    errors = []
    if selected.state is not None and selected.state not in SELECTABLE:
        errors.append(FieldError(field="filter.state", rule="enum", message=f"use one of {', '.join(SELECTABLE)}"))
    if selected.destination is not None and selected.destination not in wanted:
        known = ", ".join(sorted(wanted)) or "none is configured"
        errors.append(FieldError(field="filter.destination", rule="known", message=f"known destinations: {known}"))
    if selected.state == "none" and selected.destination is None:
        message = "say which destination was never owed these events"
        errors.append(FieldError(field="filter.destination", rule="required", message=message))
    if selected.since and selected.until and selected.since >= selected.until:
        errors.append(FieldError(field="filter.until", rule="range", message="must lie after filter.since"))
    if errors:
        raise Invalid("the filter cannot be carried out", errors=errors)


def stored_filter(chosen: ReplayFilter) -> dict[str, object]:
    """The filter as JSON, without what does not narrow."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in asdict(chosen).items()
        if value is not None
    }


def loaded_filter(stored: Mapping[str, Any]) -> ReplayFilter:
    """The inverse of `stored_filter`."""
    times = {name: datetime.fromisoformat(stored[name]) for name in ("since", "until", "as_of") if name in stored}
    return ReplayFilter(**{**stored, **times})
