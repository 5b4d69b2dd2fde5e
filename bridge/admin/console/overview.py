"""The first page: what came in and went out, and what a person should look at. It may not change anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.overview import get_overview
from bridge.admin.api.queries import Listing
from bridge.admin.api.rejections import list_rejections
from bridge.admin.console.door import Visit, page
from bridge.admin.console.rendering import show
from bridge.admin.console.wording import count, plural
from bridge.admin.search.destinations import FoundDestination
from bridge.admin.search.pages import PageRequest
from bridge.admin.search.rejections import RejectionFilter
from bridge.admin.search.sources import FoundSource

_SHOWN_REJECTIONS = 5


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that a person should look at: the words, and the page that shows it."""

    tone: str
    #: Of whom or what; shown first, and the link's text.
    about: str
    words: str
    endpoint: str
    address: dict[str, str] = field(default_factory=dict)


@page("/", right=Right.FOLLOW)
def home(visit: Visit) -> AnyResponse:
    """The first page that the role may see: a sender's are its commands."""
    return redirect(url_for("console.overview" if visit.may("look") else "console.commands"), 303)


@page("/overview", right=Right.LOOK)
def overview(visit: Visit) -> Response:
    seen: dict[str, Any] = get_overview(visit.call)
    newest = Listing(filter=RejectionFilter(), page=PageRequest(limit=_SHOWN_REJECTIONS))
    minutes = seen["minutes"]
    return show(
        "overview.html",
        seen=seen,
        needs=[*_of_destinations(seen["destinations"]), *_of_sources(seen["sources"])],
        rejections=list_rejections(visit.call, newest),
        minutes=minutes,
        series=[
            [one.deliveries_out for one in minutes],
            [one.events_in for one in minutes],
            [one.deliveries_dead for one in minutes],
        ],
    )


def _of_destinations(destinations: list[FoundDestination]) -> Iterator[Need]:
    for one in destinations:
        name = {"name": one.name}
        if one.breaker != "closed":
            words = "its breaker is open: it failed too often, and is left alone for a while"
            yield Need(tone="bad", about=one.name, words=words, endpoint="console.destination", address=name)
        if one.state != "active":
            words = "it is paused by the configuration" if one.state == "disabled" else "it is paused"
            yield Need(tone="warn", about=one.name, words=words, endpoint="console.destination", address=name)
        if one.blocked_lanes:
            words = f"{plural(one.blocked_lanes, 'subject waits', 'subjects wait')} behind a dead delivery"
            lanes = {"destination": one.name}
            yield Need(tone="bad", about=one.name, words=words, endpoint="console.lanes", address=lanes)
        if one.dead:
            words = f"{count(one.dead)} dead: mend the cause, then replay"
            dead = {"destination": one.name, "state": "dead"}
            yield Need(tone="bad", about=one.name, words=words, endpoint="console.deliveries", address=dead)


def _of_sources(sources: list[FoundSource]) -> Iterator[Need]:
    for one in sources:
        source = {"source": one.name}
        if one.silent:
            words = "it was not heard for longer than it should be silent"
            yield Need(tone="warn", about=one.name, words=words, endpoint="console.events", address=source)
        if one.rejections_1h:
            refused = plural(one.rejections_1h, "request was", "requests were")
            words = f"{refused} refused in the last hour ({one.last_rejection_cause})"
            yield Need(tone="warn", about=one.name, words=words, endpoint="console.rejections", address=source)
        if one.unreadable_1h:
            words = f"{plural(one.unreadable_1h, 'event')} of the last hour could not be read"
            unreadable = {**source, "state": "unreadable"}
            yield Need(tone="bad", about=one.name, words=words, endpoint="console.events", address=unreadable)
