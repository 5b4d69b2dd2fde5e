"""Pages of a list, newest first, that stay stable while rows are added. It may not know what is listed.

A page begins after an id, never at an offset: ids are UUIDv7, so their order is the order of recording, and the primary
key finds the place at once. It may be short, even empty, and go on all the same (`lists.walk`).
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from bridge.errors import FieldError, Invalid
from bridge.lists.walk import EXAMINED

MAX_LIMIT = 500
DEFAULT_LIMIT = 50
_CHECK_BYTES = 5
_CURSOR_BYTES = 16 + _CHECK_BYTES

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    """Which page is wanted."""

    #: 1 to MAX_LIMIT.
    limit: int = DEFAULT_LIMIT
    #: The last id of the page before; None: the first page.
    before_id: str | None = None
    #: Rows that are looked at, at most, where no index serves the filter.
    examined: int = EXAMINED


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    items: list[T]
    #: The cursor of the page after this one; None: this is the last.
    next: str | None


def cut(
    listed: str, wanted: PageRequest, rows: Sequence[T], id_of: Callable[[T], str], *, floor: str | None = None
) -> Page[T]:
    """The page of `rows`, which were asked for with one more than its limit: that one tells that there is a next.

    `floor` is the id down to which was looked; None: to the end. Where there are fewer rows, the next page begins
    there.
    """
    items = list(rows[: wanted.limit])
    last = id_of(items[-1]) if len(rows) > wanted.limit else floor
    return Page(items=items, next=None if last is None else cursor(listed, last))


def cursor(listed: str, last_id: str) -> str:
    """An opaque word for "after `last_id` in the list `listed`"."""
    place = UUID(last_id).bytes
    return urlsafe_b64encode(place + _check(listed, place)).decode()


def read_cursor(listed: str, word: str) -> str:
    """The id that a cursor stands for. Raises Invalid where it is not one of this list's."""
    try:
        decoded = urlsafe_b64decode(word.encode("ascii"))
    except ValueError:  # not ASCII, or not base64
        decoded = b""
    place, check = decoded[:16], decoded[16:]
    if len(decoded) != _CURSOR_BYTES or check != _check(listed, place):
        message = "send the `next` of the page before, unchanged, to the same list"
        raise Invalid(
            "the cursor is not one of this list", errors=[FieldError(field="cursor", rule="cursor", message=message)]
        )
    return str(UUID(bytes=place))


def _check(listed: str, place: bytes) -> bytes:
    # Not a secret: it only tells a typing error, or a cursor of another list, from a place.
    return hashlib.sha256(listed.encode() + place).digest()[:_CHECK_BYTES]
