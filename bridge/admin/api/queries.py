"""What the API is asked with: schemas of query strings and bodies, and the domain's own types that they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate, validates_schema

from bridge.admin.access import Role
from bridge.admin.api.fields import Choice, Line, Moment, Reason, Whole, told
from bridge.admin.search import events, rejections
from bridge.admin.search.events import EventFilter
from bridge.admin.search.pages import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, read_cursor
from bridge.admin.search.rejections import RejectionFilter
from bridge.audit.seal import LAST
from bridge.audit.search import AuditFilter
from bridge.audit.verify import ExternalHead
from bridge.violations import Violation

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

LONGEST_SUBJECT = 600
F = TypeVar("F")


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[F]):
    """Which page of what is wanted. `filter` is None for lists that have none."""

    filter: F
    page: PageRequest


def since(time: str) -> Moment:
    """The beginning of a span of `time`, within it."""
    return Moment(metadata=told(f"`{time}` from then on; RFC 3339 with zone.", "2026-05-01T10:00:00Z"))


def until(time: str) -> Moment:
    """The end of a span of `time`, without it."""
    return Moment(metadata=told(f"`{time}` before then; RFC 3339 with zone.", "2199-05-01T11:00:00Z"))


def check_span(given: dict[str, Any]) -> None:
    """Raises ValidationError where `since` does not lie before `until`."""
    since, until = given.get("since"), given.get("until")
    if since is not None and until is not None and since >= until:
        raise ValidationError({"until": [Violation("range", "Must lie after since.")]})


class PageQuerySchema(Schema):
    """The query of a list: which page, and in subclasses a field for each of its filter's."""

    #: The list's name, which its cursors carry.
    listed: ClassVar[str]
    filter_type: ClassVar[type[Any] | None] = None

    limit = Whole(1, MAX_LIMIT, load_default=DEFAULT_LIMIT, metadata=told("How many at most.", 50))
    cursor = Line(longest=64, load_default=None, metadata=told("The `next` of the page before, unchanged."))

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Listing[Any]:
        limit, cursor = given.pop("limit"), given.pop("cursor")
        before_id = None if cursor is None else read_cursor(self.listed, cursor)
        check_span(given)
        chosen = None if self.filter_type is None else self.filter_type(**given)
        return Listing(filter=chosen, page=PageRequest(limit=limit, before_id=before_id))


class EventQuerySchema(PageQuerySchema):
    listed = events.LISTED
    filter_type = EventFilter

    source = Line(longest=64, metadata=told("Who posted it.", "genesys"))
    type = Line(metadata=told("The event type, exactly.", "custom_object.record.updated"))
    subject = Line(longest=LONGEST_SUBJECT, metadata=told("The subject, exactly.", "record:InventoryItem/item-1"))
    state = Choice(("recorded", "unreadable"), metadata=told("`unreadable`: verified, but not of its format."))
    text = Line(metadata=told("Part of the subject, in any case.", "item-1"))
    since = since("received_at")
    until = until("received_at")


class RejectionQuerySchema(PageQuerySchema):
    listed = rejections.LISTED
    filter_type = RejectionFilter

    source = Line(longest=64, metadata=told("Whose path was posted to.", "genesys"))
    cause = Line(longest=64, metadata=told("A stable word.", "signature-wrong"))
    since = since("at")
    until = until("at")


class AuditQuerySchema(PageQuerySchema):
    listed = "audit"
    filter_type = AuditFilter

    actor = Line(longest=128, metadata=told("`token:<id>`, `cli:<user>`, `worker`, …", "worker"))
    action = Line(longest=64, metadata=told("Exactly.", "delivery.dead"))
    subject = Line(longest=LONGEST_SUBJECT, metadata=told("Exactly, as stored: masked.", "record:InventoryItem/item-1"))
    since = since("at")
    until = until("at")


class TokenQuerySchema(PageQuerySchema):
    listed = "tokens"


class OrderSchema(Schema):
    """The base of the bodies of orders: what they do not know is an error."""

    class Meta:
        unknown = RAISE

    #: A body that does something.
    example: ClassVar[Mapping[str, object]]


@dataclass(frozen=True, kw_only=True)
class ReasonGiven:
    reason: str


class ReasonSchema(OrderSchema):
    """The body of an order that needs nothing but a reason."""

    reason = Reason(required=True)
    example = {"reason": "the receiver was mended"}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ReasonGiven:
        return ReasonGiven(**given)


class ExternalHeadSchema(OrderSchema):
    """A head of the audit's chain that somebody kept; both members or none."""

    position = fields.Integer(
        strict=True, validate=validate.Range(min=1, max=LAST), metadata=told("Its place in the chain.")
    )
    hash = fields.String(
        validate=validate.Regexp(r"[0-9a-f]{64}\Z", error="Must be 64 hex digits."),
        metadata=told("Hex.", pattern="^[0-9a-f]{64}$"),
    )
    example = {}

    @validates_schema
    def _check_both(self, given: dict[str, Any], **_: Any) -> None:
        if given and len(given) < 2:
            raise ValidationError({"position": ["Give position and hash together, or neither."]})

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ExternalHead | None:
        return ExternalHead(**given) if given else None


class OptionalReasonSchema(Schema):
    """The query of a DELETE, which has no body."""

    reason = Reason(load_default=None)


@dataclass(frozen=True, kw_only=True)
class TokenOrder:
    name: str
    #: The token's name where none is given.
    person: str
    role: str
    expires_at: datetime | None
    destination: str | None
    reason: str | None


class TokenOrderSchema(OrderSchema):
    name = Line(longest=64, required=True, metadata=told("What it is for."))
    person = Line(longest=128, load_default=None, metadata=told("Whose it is; by default its name."))
    role = Choice([str(role) for role in Role], required=True)
    expires_at = Moment(load_default=None, metadata=told("In the future; by default never."))
    destination = Line(
        longest=64, load_default=None, metadata=told("For the role `sender`: whose commands it gives, by name.")
    )
    reason = Reason(load_default=None)
    example = {
        "name": "erp-sync",
        "person": "erp-team",
        "role": "sender",
        "destination": "erp",
        "expires_at": "2199-05-01T00:00:00Z",
    }

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> TokenOrder:
        return TokenOrder(**{**given, "person": given["person"] or given["name"]})
