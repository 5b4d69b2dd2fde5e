"""What a person should look at, and what to do about it. It may not look anything up, nor do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from bridge.admin.console.wording import age, count, plural
from bridge.admin.search.destinations import FoundDestination
from bridge.admin.search.sources import FoundSource

#: What has waited longer is told, though nothing fails.
LONG_WAIT_SECONDS = 600
Tone = Literal["bad", "warn"]


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that a person should look at."""

    tone: Tone
    #: Of whom or what.
    about: str
    words: str
    #: What to do, for who is on the page already.
    remedy: str
    #: What the link says that leads to the page `endpoint` at `address`.
    link: str
    endpoint: str
    address: Mapping[str, str]


def urgent_first(needs: Iterable[Need]) -> list[Need]:
    """What fails before what waits; else in their order."""
    return sorted(needs, key=lambda need: need.tone != "bad")


def of_workers(*, stalled: bool) -> Iterator[Need]:
    if stalled:
        words, remedy = "deliveries are long due, and nobody sends them", "Start `bridge worker`, or look into its log."
        yield _need("bad", "Workers", words, remedy, "See what waits", "deliveries", state="pending")


def of_destination(one: FoundDestination) -> Iterator[Need]:
    """What is wrong with it, the cause before what follows of it."""
    name = one.name
    yield from _of_gate(one)
    if one.blocked_lanes:
        words = f"{plural(one.blocked_lanes, 'subject waits', 'subjects wait')} behind a dead delivery"
        remedy = "Mend what it ran into and try it again in its place, or go on without it."
        yield _need("bad", name, words, remedy, "Let them go on", "lanes", destination=name)
    if one.dead:
        words, remedy = (
            f"{plural(one.dead, 'delivery', 'deliveries')} given up",
            "Mend what they ran into, then replay.",
        )
        yield _need("bad", name, words, remedy, "See why, replay", "deliveries", destination=name, state="dead")
    if one.oldest_seconds > LONG_WAIT_SECONDS and one.state == "active" and one.breaker == "closed":
        words = f"the oldest of {count(one.backlog)} has waited for {age(one.oldest_seconds)}"
        remedy = "Look at what it ran into; if it was never tried, whether a worker runs."
        yield _need("warn", name, words, remedy, "See what waits", "deliveries", destination=name, state="pending")


def of_source(one: FoundSource) -> Iterator[Need]:
    name, about = one.name, f"Source {one.name}"  # a destination may have the same name
    if one.unreadable_1h:
        words = f"{plural(one.unreadable_1h, 'event')} of the last hour could not be read"
        remedy = "Correct the source's format, or have the sender mend it."
        yield _need("bad", about, words, remedy, "See what came", "events", source=name, state="unreadable")
    if one.rejections_1h:
        refused = plural(one.rejections_1h, "request was", "requests were")
        words = f"{refused} refused in the last hour, last for {one.last_rejection_cause}"
        remedy = "Compare the sender's secret and clock with the configuration's."
        yield _need("warn", about, words, remedy, "See the causes", "rejections", source=name)
    if one.silent:
        words = "silent for longer than it should be" if one.last_event_at else "nothing was heard of it yet"
        remedy = "Look at the sender whether its webhook is switched on."
        yield _need("warn", about, words, remedy, "See its last events", "events", source=name)


def _of_gate(one: FoundDestination) -> Iterator[Need]:
    name = one.name
    if one.state == "disabled":
        remedy = "Take `paused = true` out of bridge.toml when it should be sent to."
        yield _need("warn", name, "the configuration switches it off", remedy, "Look at it", "destination", name=name)
    if one.state == "paused":
        words = f"paused: {one.paused_reason}" if one.paused_reason else "paused"
        remedy = "What it is owed waits, in order. Resume it below."
        yield _need("warn", name, words, remedy, "Look at it", "destination", name=name)
    if one.breaker != "closed":
        words = "its breaker is open: it failed too often, and is left alone for a while"
        words = words if one.breaker == "open" else "its breaker lets one try through: if it succeeds, all go on"
        remedy = "Mend the receiver: it is tried again by itself, and goes on when it answers."
        yield _need("bad", name, words, remedy, "Look at it", "destination", name=name)


def _need(tone: Tone, about: str, words: str, remedy: str, link: str, page: str, **address: str) -> Need:
    return Need(
        tone=tone, about=about, words=words, remedy=remedy, link=link, endpoint=f"console.{page}", address=address
    )
