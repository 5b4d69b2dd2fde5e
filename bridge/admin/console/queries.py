"""What an address or a form asks for, read by the API's own schemas. It may not know what is asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict

from bridge.admin.api.entrance import Call
from bridge.admin.api.queries import Listing, PageQuerySchema
from bridge.admin.search.pages import Page, read_cursor
from bridge.errors import FieldError, Invalid
from bridge.violations import field_errors

F = TypeVar("F")
T = TypeVar("T")
#: What a browser's field for date and time gives; it has no zone, and every page says that times are UTC.
_LOCAL_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d(?:\.\d+)?)?")
_TIMES = ("since", "until")
#: A list may be as long as the database is large, and what is looked for stand at its end, or nowhere.
PATIENCE_SECONDS = 1.5


@dataclass(frozen=True, kw_only=True)
class Asked(Generic[F]):
    """A list's address. Where a filter is wrong, `listing` is None and `errors` says why, by the field's name."""

    listing: Listing[F] | None
    #: The filters as they were typed, without the empty ones and the cursor: the address of every page of the list.
    values: Mapping[str, str]
    errors: Mapping[str, str]
    #: False on the first page.
    is_later_page: bool

    @property
    def status(self) -> int:
        """What a page of the list is answered with."""
        return 422 if self.errors else 200

    @property
    def narrows(self) -> bool:
        return bool(self.values)


def read_listing(schema: PageQuerySchema, arguments: MultiDict[str, str]) -> Asked[Any]:
    """What the query asks of a list; fields left empty do not narrow."""
    given = _filled_in(arguments)
    values = {name: value for name, value in given.items() if name not in ("cursor", "limit")}
    is_later = "cursor" in given
    try:
        listing = schema.load(given)
    except ValidationError as wrong:
        errors = field_errors(wrong.messages)
    except Invalid as wrong:  # the cursor
        errors = wrong.errors
    else:
        return Asked(listing=listing, values=values, errors={}, is_later_page=is_later)
    return Asked(listing=None, values=values, errors=_by_field(errors), is_later_page=is_later)


def first_found(view: Callable[[Call, Listing[F]], Page[T]], listed: str, call: Call, listing: Listing[F]) -> Page[T]:
    """The first page from there on that has something on it: nobody wants to click through empty ones.

    After PATIENCE_SECONDS it is an empty one all the same.
    """
    clock = call.rooms.clock
    until = clock.monotonic() + PATIENCE_SECONDS
    found = view(call, listing)
    while not found.items and found.next is not None and clock.monotonic() < until:
        further = replace(listing.page, before_id=read_cursor(listed, found.next))
        found = view(call, replace(listing, page=further))
    return found


def read_order(schema: Schema, body: Mapping[str, object]) -> Any:
    """What a form orders. Raises Invalid with every field that is wrong."""
    try:
        return schema.load(body)
    except ValidationError as wrong:
        raise Invalid("the order cannot be carried out as it is", errors=field_errors(wrong.messages)) from wrong


def read_filter(arguments: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Those fields of an order's filter that are filled in."""
    return {name: value for name, value in _filled_in(arguments).items() if name in names}


def _filled_in(arguments: Mapping[str, str]) -> dict[str, str]:
    given = {name: value.strip() for name, value in arguments.items() if value.strip()}
    for name in _TIMES:
        if (local := _LOCAL_TIME.fullmatch(given.get(name, ""))) is not None:
            given[name] = f"{local[1]}{local[2] or ':00'}Z"
    return given


def _by_field(errors: tuple[FieldError, ...]) -> dict[str, str]:
    return {error.field: error.message for error in errors}
