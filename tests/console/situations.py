"""What an administrator may find, made to be photographed: each situation fills a database and names its pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlalchemy import insert

from bridge.clock import rfc3339
from bridge.database import Database
from bridge.tables import AuditEntryRow, DestinationStateRow, RejectionRow, ReplayRow, core
from tests.admin.stock import id_at
from tests.console import scenes
from tests.console.traffic import OVERLOADED, Fate, Row, Traffic, Try, all_well, note
from tests.console.visitors import LISTS

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
#: Since when `erp` fails, and since when no worker runs.
OUTAGE = 42 * MINUTE
STALL = 9 * MINUTE
_REFUSED = Try(
    status=422, error="the receiver refused it: 422, field `quantity` may not be negative", error_class="status",
    answer='{"error": "quantity may not be negative", "field": "quantity"}', is_final=True,
)  # fmt: skip
_TIMEOUT = Try(status=None, error="no answer within 10 s", error_class="timeout", answer=None, duration_ms=10_000)
_ARABIC = "طلب شراء عاجل رقم ١٠٤٢"


@dataclass(frozen=True, kw_only=True)
class Situation:
    name: str
    #: Fills the database at a time, and gives the pages beside the lists: name → path below the bridge's address.
    fill: Callable[[Database, datetime], Mapping[str, str]]


def empty(_database: Database, _now: datetime) -> Mapping[str, str]:
    """As it is right after `bridge up`."""
    return {"destination": "/console/destinations/erp", "replay-new": "/console/replays/new"}


def normal(database: Database, now: datetime) -> Mapping[str, str]:
    """A day on which nothing had to be done."""
    traffic = Traffic(now).flow(DAY, 90).put(database)
    with database.write() as session:
        session.execute(insert(core(ReplayRow)), _replay(now - 5 * timedelta(hours=1), "completed", 48))
        session.add(_rejection(now - 9 * MINUTE, "signature-mismatch", "203.0.113.9"))
    scenes.seal(database)
    return _pages(traffic, "crm", "delivered") | {"searched": "/console/events?text=WH-1042"}


def trouble(database: Database, now: datetime) -> Mapping[str, str]:
    """`erp` is down and refused some, `crm` is paused, somebody knocks with a wrong key."""
    traffic = Traffic(now, fates=_failing(now)).flow(DAY, 90)
    unread = _unreadable(traffic, now)
    traffic.put(database)
    command, purge = scenes.running_merge(database, now), scenes.planned_purge(database, now)
    running, held = scenes.running_replay(database, now), scenes.held(database, now)
    with database.write() as session:
        session.execute(insert(core(DestinationStateRow)), _states(now))
        session.execute(insert(core(AuditEntryRow)), _troubles(now))
        for number in range(40):
            cause = "signature-mismatch" if number % 3 else "timestamp-too-old"
            session.add(_rejection(now - number * MINUTE, cause, "198.51.100.7"))
    dead = traffic.deliveries("erp", "dead")[0]
    pages = _pages(traffic, "erp", "dead")
    return pages | {
        "pending": _path(traffic.deliveries("erp", "pending")[-1]),
        "paused": "/console/destinations/crm",
        "day": "/console/destinations/erp?over=day",
        "unreadable": f"/console/events/{unread['id']}",
        "filtered": "/console/deliveries?state=dead&destination=erp",
        "wrong-filter": "/console/deliveries?since=yesterday&status=abc",
        "replay-new": "/console/replays/new?count=1&destination=erp&state=dead",
        "replay": f"/console/replays/{running}",
        "cancellation": "/console/deliveries/cancellation?destination=erp",
        "hold": f"/console/holds/{held[1]}",
        "hold-release": f"/console/holds/{held[2]}/release",
        "hold-new": "/console/holds/new",
        "erasures": "/console/erasures",
        "purge": f"/console/purges/{purge}",
        "command": f"/console/commands/{command}",
        "nothing": "/console/nothing-here",
        "found": f"/console/find?q={dead['id']}",
    }


def stalled(database: Database, now: datetime) -> Mapping[str, str]:
    """Webhooks come in, and no worker runs."""

    def fate(rng: Random, destination: str, at: datetime) -> Fate:
        return all_well(rng, destination, at) if at < now - STALL else Fate(state="pending", tries=())

    traffic = Traffic(now, fates=fate).flow(6 * timedelta(hours=1), 90).put(database)
    return {"destination": "/console/destinations/erp", "pending": _path(traffic.deliveries("erp", "pending")[0])}


def long_values(database: Database, now: datetime) -> Mapping[str, str]:
    """Subjects of 600 characters, deep payloads, writing from right to left, emoji, and markup that would do harm."""
    traffic = Traffic(now)
    deep: dict[str, object] = {"sku": "WH-1"}
    for level in range(24):
        deep = {f"level {level}": deep}
    subjects = (
        f"record:{'Schema' * 8}/{'x' * 540}",
        f"record:InventoryItem/{_ARABIC}",
        "conversation:👩🏽‍🚒🧯 " + "🔥" * 90,
    )
    for number, subject in enumerate(subjects):
        at = now - (number + 3) * MINUTE
        payload = {"fields": deep, "note": _ARABIC, "mood": "🙂‍↕️" * 40, "line": "word " * 400}
        traffic.happen(at, "custom_object.record.updated", subject[:600], payload, ("erp", "crm"))
    traffic.put(database)
    event, delivery = scenes.hostile(database, now)
    longest = traffic.rows[0][0]
    return {
        "event": f"/console/events/{event}",
        "delivery": f"/console/deliveries/{delivery}",
        "event-long": f"/console/events/{longest['id']}",
        "destination": "/console/destinations/erp",
        "filtered": f"/console/events?text={'y' * 200}&type={'t' * 200}",
    }


def crowd(database: Database, now: datetime) -> Mapping[str, str]:
    """A hundred thousand events in a day."""
    traffic = Traffic(now).flow(DAY, 5000).put(database)
    return _pages(traffic, "erp", "delivered") | {"older": "/console/deliveries?destination=erp"}


SITUATIONS = (
    Situation(name="empty", fill=empty),
    Situation(name="normal", fill=normal),
    Situation(name="trouble", fill=trouble),
    Situation(name="stalled", fill=stalled),
    Situation(name="long", fill=long_values),
    Situation(name="crowd", fill=crowd),
)
LIST_PAGES = {path.strip("/"): f"/console{path}" for path in LISTS}


def _pages(traffic: Traffic, destination: str, state: str) -> dict[str, str]:
    delivery = traffic.deliveries(destination, state)[0]
    return {
        "event": f"/console/events/{delivery['event_id']}",
        "delivery": _path(delivery),
        "destination": f"/console/destinations/{destination}",
    }


def _path(delivery: Row) -> str:
    return f"/console/deliveries/{delivery['id']}"


def _failing(now: datetime) -> Callable[[Random, str, datetime], Fate]:
    def fate(rng: Random, destination: str, at: datetime) -> Fate:
        if destination == "crm" and at > now - 12 * MINUTE:
            return Fate(state="pending", tries=())
        if destination != "erp" or at < now - OUTAGE:
            return all_well(rng, destination, at)
        if rng.random() < 0.22 and at < now - MINUTE:
            return Fate(state="dead", tries=(OVERLOADED, _REFUSED), is_blocked=rng.random() < 0.3)
        tries = rng.randrange(3, 8) if at < now - 4 * MINUTE else int(at < now - MINUTE)  # none lies ahead
        return Fate(state="pending", tries=tuple(rng.choices((OVERLOADED, _TIMEOUT), k=tries)))

    return fate


def _states(now: datetime) -> list[Row]:
    return [
        {
            "name": "erp", "paused_at": None, "paused_reason": None, "failures": 23, "probing": False,
            "open_until": now + timedelta(seconds=48), "window_tries": 60, "window_failures": 58,
        },
        {
            "name": "crm", "paused_at": now - 12 * MINUTE, "paused_reason": "maintenance of the CRM until 13:00",
            "failures": 0, "probing": False, "open_until": None, "window_tries": 0, "window_failures": 0,
        },
    ]  # fmt: skip


def _troubles(now: datetime) -> list[Row]:
    rng = Random(5)
    entries = [
        note(now - 12 * MINUTE, "destination.paused", "destination:crm", "token:019ab2-eva",
             "maintenance of the CRM until 13:00", rng, name="crm"),
        note(now - 26 * MINUTE, "destination.tested", "destination:erp", "token:019ab2-eva", "is it back?", rng,
             name="erp", outcome="retry_later", status=503),
    ]  # fmt: skip
    for minute, what in ((41, "opened"), (33, "closed"), (32, "opened"), (18, "closed"), (17, "opened")):
        at = now - minute * MINUTE
        entries.append(note(at, f"destination.breaker_{what}", "destination:erp", "worker", None, rng, failures=10))
    return entries


def _unreadable(traffic: Traffic, now: datetime) -> Row:
    errors = [{"field": "detail.version", "rule": "type", "message": "Must be a whole number."}]
    payload = {"detail": {"version": "seven", "recordId": "WH-1042"}}
    event: Row = {}
    for minute in (31, 12, 4):
        event = traffic.happen(
            now - minute * MINUTE, "unknown", f"unreadable:{minute}", payload, (), state="unreadable", errors=errors
        )
    return event


def _replay(at: datetime, state: str, matched: int) -> Row:
    return {
        "id": id_at(at, Random(matched)), "created_at": at, "created_by": "token:019ab2-eva",
        "finished_at": at + 2 * MINUTE if state == "completed" else None,
        "reason": "the ERP was restored from its backup of 04:00", "mode": "latest", "rate": 50.0, "state": state,
        "filter": {"destination": "erp", "state": "dead", "since": rfc3339(at - timedelta(hours=6))},
        "matched": matched, "cursor": None, "due_at": None,
    }  # fmt: skip


def _rejection(at: datetime, cause: str, address: str) -> RejectionRow:
    return RejectionRow(
        id=id_at(at, Random(at.timestamp())), at=at, source="genesys", cause=cause, status=401, address=address,
        size=512, body=None,
    )  # fmt: skip
