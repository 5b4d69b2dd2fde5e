"""What the API is asked with: schemas of query strings and bodies, and the domain's own types that they become."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from bridge.admin.access import Role
from bridge.admin.api.fields import Choice, Flag, Line, Moment, Rate, Reason, Whole
from bridge.admin.search import deliveries, events, rejections
from bridge.admin.search.delivery_ids import STATES, DeliveryFilter
from bridge.admin.search.events import EventFilter
from bridge.admin.search.pages import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, read_cursor
from bridge.admin.search.rejections import RejectionFilter
from bridge.audit.verify import ExternalHead
from bridge.outbox.replay_orders import MAX_RATE
from bridge.outbox.selection import SELECTABLE, Mode, ReplayFilter
from bridge.violations import Violation

LONGEST_SUBJECT = 600
DEFAULT_RATE = 50.0
F = TypeVar("F")


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[F]):
    """Which page of what is wanted. `filter` is None for lists that have none."""

    filter: F
    page: PageRequest


class PageQuerySchema(Schema):
    """The query of a list: which page, and in subclasses a field for each of its filter's."""

    #: The list's name, which its cursors carry.
    listed: ClassVar[str]
    filter_type: ClassVar[type[Any] | None] = None

    limit = Whole(1, MAX_LIMIT, load_default=DEFAULT_LIMIT)
    cursor = Line(longest=64, load_default=None)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Listing[Any]:
        limit, cursor = given.pop("limit"), given.pop("cursor")
        before_id = None if cursor is None else read_cursor(self.listed, cursor)
        _check_span(given)
        chosen = None if self.filter_type is None else self.filter_type(**given)
        return Listing(filter=chosen, page=PageRequest(limit=limit, before_id=before_id))


class EventQuerySchema(PageQuerySchema):
    listed = events.LISTED
    filter_type = EventFilter

    source = Line(longest=64)
    type = Line()
    subject = Line(longest=LONGEST_SUBJECT)
    state = Choice(("recorded", "unreadable"))
    text = Line()
    since = Moment()
    until = Moment()


class DeliveryQuerySchema(PageQuerySchema):
    listed = deliveries.LISTED
    filter_type = DeliveryFilter

    destination = Line(longest=64)
    state = Choice(STATES)
    type = Line()
    subject = Line(longest=LONGEST_SUBJECT)
    event_id = Line(longest=36)
    status = Whole(100, 599)
    error_class = Line(longest=32)
    since = Moment()
    until = Moment()


class CancelFilterSchema(Schema):
    """What `GET /deliveries` is filtered by, but for the state: only pending ones can be cancelled."""

    destination = Line(longest=64)
    type = Line()
    subject = Line(longest=LONGEST_SUBJECT)
    event_id = Line(longest=36)
    status = Whole(100, 599)
    error_class = Line(longest=32)
    since = Moment()
    until = Moment()

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> DeliveryFilter:
        _check_span(given)
        return DeliveryFilter(**given)


@dataclass(frozen=True, kw_only=True)
class CancelOrder:
    """An order to cancel the next of what a filter selects."""

    filter: DeliveryFilter
    reason: str
    #: Id where the step before has ended; None: the first.
    after: str | None


class CancelOrderSchema(Schema):
    filter = fields.Nested(CancelFilterSchema, required=True)
    reason = Reason(required=True)
    cursor = Line(longest=64, load_default=None)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> CancelOrder:
        cursor = given["cursor"]
        after = None if cursor is None else read_cursor(deliveries.LISTED, cursor)
        return CancelOrder(filter=given["filter"], reason=given["reason"], after=after)


class RejectionQuerySchema(PageQuerySchema):
    listed = rejections.LISTED
    filter_type = RejectionFilter

    source = Line(longest=64)
    cause = Line(longest=64)
    since = Moment()
    until = Moment()


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What is looked for in the audit, as `audit.search.list_entries` names it."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditQuerySchema(PageQuerySchema):
    listed = "audit"
    filter_type = AuditFilter

    actor = Line(longest=128)
    action = Line(longest=64)
    subject = Line(longest=LONGEST_SUBJECT)
    since = Moment()
    until = Moment()


class ReplayQuerySchema(PageQuerySchema):
    listed = "replays"


class TokenQuerySchema(PageQuerySchema):
    listed = "tokens"


@dataclass(frozen=True, kw_only=True)
class ReasonGiven:
    reason: str


class ReasonSchema(Schema):
    """The body of an order that needs nothing but a reason."""

    reason = Reason(required=True)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ReasonGiven:
        return ReasonGiven(**given)


class ExternalHeadSchema(Schema):
    """A head of the audit's chain that somebody kept; both members or none."""

    position = fields.Integer(strict=True, validate=validate.Range(min=1))
    hash = fields.String(validate=validate.Regexp(r"[0-9a-f]{64}\Z", error="Must be 64 hex digits."))

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
class DeliveryReplayOrder:
    reason: str
    #: True: with a new `webhook-id`, so that the receiver takes it for new.
    fresh_id: bool


class DeliveryReplayOrderSchema(Schema):
    reason = Reason(required=True)
    fresh_id = Flag(load_default=False)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> DeliveryReplayOrder:
        return DeliveryReplayOrder(**given)


@dataclass(frozen=True, kw_only=True)
class ReplayOrder:
    """An order to replay what a filter selects; a dry run only counts, and needs no reason."""

    filter: ReplayFilter
    reason: str | None
    mode: Mode
    #: Deliveries per second at most.
    rate: float
    dry_run: bool


class ReplayFilterSchema(Schema):
    destination = Line(longest=64)
    state = Choice(SELECTABLE)
    type = Line()
    subject = Line(longest=LONGEST_SUBJECT)
    source = Line(longest=64)
    since = Moment()
    until = Moment()

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ReplayFilter:
        return ReplayFilter(**given)


class ReplayOrderSchema(Schema):
    filter = fields.Nested(ReplayFilterSchema, required=True)
    reason = Reason(load_default=None)
    mode = Choice(("latest", "every"), load_default="latest")
    rate = Rate(most=MAX_RATE, load_default=DEFAULT_RATE)
    dry_run = Flag(load_default=False)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ReplayOrder:
        if given["reason"] is None and not given["dry_run"]:
            raise ValidationError({"reason": [Violation("required", "Say why, in a sentence: the audit keeps it.")]})
        return ReplayOrder(**given)


@dataclass(frozen=True, kw_only=True)
class TokenOrder:
    name: str
    #: The token's name where none is given.
    person: str
    role: str
    expires_at: datetime | None
    destination: str | None
    reason: str | None


class TokenOrderSchema(Schema):
    name = Line(longest=64, required=True)
    person = Line(longest=128, load_default=None)
    role = Choice([str(role) for role in Role], required=True)
    expires_at = Moment(load_default=None)
    destination = Line(longest=64, load_default=None)
    reason = Reason(load_default=None)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> TokenOrder:
        return TokenOrder(**{**given, "person": given["person"] or given["name"]})


def _check_span(given: dict[str, Any]) -> None:
    since, until = given.get("since"), given.get("until")
    if since is not None and until is not None and since >= until:
        raise ValidationError({"until": [Violation("range", "Must lie after since.")]})
