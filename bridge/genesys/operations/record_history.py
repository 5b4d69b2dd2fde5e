"""The audit log of one record. It may not change anything, and relies on no order of the log's entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from bridge.genesys.profiles.contract import Profile
from bridge.genesys.readings import HistoryEntry, HistoryPage
from bridge.genesys.wire import Answer, Call

#: A log that never ends is not read for ever.
MOST_PAGES = 400

Send = Callable[[Call], Answer]

_EARLIEST = datetime.min.replace(tzinfo=UTC)


def history(send: Send, profile: Profile, schema: str, record_id: str) -> list[HistoryEntry]:
    """Every entry of every page, newest first. Raises what any call raises."""
    entries = [entry for page in _pages(send, profile, schema, record_id) for entry in page.entries]
    return sorted(entries, key=_newness, reverse=True)


def summary(send: Send, profile: Profile, schema: str, record_id: str) -> Mapping[str, object]:
    """`{size, newest}` from as few pages as may be: the newest entry is on the first or on the last."""
    first = _page(send, profile, schema, record_id, 1)
    if first.pages is None or first.total is None:
        entries = history(send, profile, schema, record_id)
        return {"size": len(entries), "newest": entries[0].raw if entries else None}
    last = first if first.pages <= 1 else _page(send, profile, schema, record_id, first.pages)
    newest = max([*first.entries, *last.entries], key=_newness, default=None)
    return {"size": first.total, "newest": newest.raw if newest else None}


def _pages(send: Send, profile: Profile, schema: str, record_id: str) -> Iterator[HistoryPage]:
    for number in range(1, MOST_PAGES + 1):
        page = _page(send, profile, schema, record_id, number)
        yield page
        if number >= page.pages if page.pages is not None else not page.is_full:
            return


def _page(send: Send, profile: Profile, schema: str, record_id: str, number: int) -> HistoryPage:
    return profile.as_history_page(send(profile.read_history(schema, record_id, number)))


def _newness(entry: HistoryEntry) -> tuple[int, datetime]:
    return entry.version if entry.version is not None else -1, entry.at or _EARLIEST
