"""A day at the bridge: the whole app over real HTTP, beside a sandbox, with something of everything in its database.

Whoever reads the API's description can call every operation with its own examples here, and gets what it promises.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from threading import Thread
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson
import requests
from flask import Flask
from werkzeug.serving import make_server

from bridge.admin.access import Role
from bridge.admin.tokens import create_token
from bridge.app import Running, create_app
from bridge.audit.seal import seal
from bridge.outbox.dispatcher import Dispatcher
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import DestinationSettings, Secret, Settings, SourceSettings, VerifySettings
from bridge.wiring import Wiring
from tests.admin.stock import Stock, stock
from tests.commands.office import purge_policy, settings
from tests.receivers import Receiver

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

API = "/api/v1"
#: The records whose deliveries die and block their lanes; the others arrive.
BAD = ("item-1", "item-2", "item-3", "item-4")
GOOD = ("item-3001", "item-6")


@dataclass
class Day:
    """The running app, and the ids of what is in it."""

    app: Flask
    address: str
    wiring: Wiring
    tokens: dict[Role, str] = field(default_factory=dict)
    #: Path parameter → a value that is there.
    there: dict[str, str] = field(default_factory=dict)
    #: Operation id → the parameters that it needs to be of its own, because it changes what they name.
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    #: A delivery that is pending, and stays so.
    waiting: str = ""

    def token(self, role: Role, person: str) -> str:
        """The plaintext of a new token."""
        with self.wiring.database.write() as session:
            _, token = create_token(
                session,
                name=f"{role} of the day",
                person=person,
                role=role,
                expires_at=None,
                destination="erp" if role is Role.SENDER else None,
                now=self.wiring.clock.now(),
                actor="cli:tests",
                notes=self.wiring.notes,
            )
        return token

    def call(self, method: str, path: str, role: Role = Role.OPERATOR, **options: Any) -> requests.Response:
        """One request to the API."""
        headers = {"Authorization": f"Bearer {self.tokens[role]}", **options.pop("headers", {})}
        return requests.request(method, self.address + path, headers=headers, timeout=20, **options)

    def items(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The first page of a list."""
        found: list[dict[str, Any]] = self.call("GET", API + path, Role.ADMIN, params=query).json()["items"]
        return found


@contextmanager
def passing_day(database_url: str, *, everybody_from_elsewhere: bool = False) -> Iterator[Day]:
    """A day; `database_url` is migrated and empty.

    `everybody_from_elsewhere`: each request comes from an address of its own, so that wrong tokens are not slowed down.
    """
    with ExitStack() as stack:
        erp = stack.enter_context(Receiver(_answer))
        sandbox = stack.enter_context(SandboxServer(SandboxConfig(), clock=lambda: datetime.now(UTC)))
        app = create_app(_settings(database_url, sandbox.url, erp.url))
        running: Running = app.extensions["bridge"]
        stack.callback(running.close)
        served = _from_elsewhere(app) if everybody_from_elsewhere else app
        day = Day(app, stack.enter_context(_served(served)), running.wiring)
        people = {Role.APPROVER: "bob", Role.AUDITOR: "ann"}
        day.tokens = {role: day.token(role, people.get(role, "eva")) for role in Role}
        _receive(day)
        _command(day)
        _deliver(day)
        _order(day)
        yield day


def _settings(database_url: str, sandbox_url: str, erp_url: str) -> Settings:
    base = settings(database_url, sandbox_url)
    erp = DestinationSettings(name="erp", kind="erp", url=erp_url, allow_local=True, on_dead="block")
    sources = (
        SourceSettings(name="genesys", format="genesys", verify=VerifySettings(scheme="none"), allow_unverified=True),
        SourceSettings(
            name="strict",
            format="genesys",
            verify=VerifySettings(scheme="hub-sha256", secrets=(Secret("a secret of the source, long enough"),)),
        ),
    )
    return replace(
        base,
        destinations=MappingProxyType({"erp": erp, **base.destinations}),
        sources=MappingProxyType({one.name: one for one in sources}),
    )


def _answer(request: Any) -> int:
    return 422 if request.json()["recordId"] in BAD else 204


def _from_elsewhere(app: Flask) -> WSGIApplication:
    numbers = count(1)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        number = next(numbers)
        environ["REMOTE_ADDR"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return app(environ, start)

    return answer


@contextmanager
def _served(app: WSGIApplication) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def record_update(record: str, version: int) -> dict[str, Any]:
    """What Genesys posts about a record."""
    return {
        "action": "update",
        "schemaName": "InventoryItem",
        "record": {
            "id": record,
            "version": version,
            "modifiedTime": "2026-05-01T10:00:00Z",
            "modifiedBy": {"id": "user-1"},
            "fields": {"sku": "WH-1042", "quantity": version},
        },
    }


def _receive(day: Day, records: Sequence[str] = (*BAD, *GOOD), version: int = 1) -> None:
    for record in records:
        answer = requests.post(f"{day.address}/webhooks/genesys", json=record_update(record, version), timeout=5)
        assert answer.status_code == 202, answer.text
    refused = requests.post(f"{day.address}/webhooks/strict", json={}, timeout=5)
    assert refused.status_code == 401


def _command(day: Day) -> None:
    given = day.call("PATCH", f"{API}/conversations/conv-2001/attributes", json={"attributes": {"tier": "gold"}})
    assert given.status_code == 202, given.text
    day.there["command_id"] = given.json()["command"]


def _deliver(day: Day) -> None:
    wiring = day.wiring
    dispatcher = Dispatcher(
        wiring.database,
        wiring.destinations,
        clock=wiring.clock,
        rng=Random(1),
        notes=wiring.notes,
        vault=wiring.vault,
        max_threads=2,
    )
    dispatcher.deliver_due()
    with wiring.database.write() as session:
        seal(session, wiring.signer, now=wiring.clock.now() + timedelta(minutes=5))
    _receive(day, ("item-7", "item-8"))  # these wait
    _receive(day, BAD[:1], version=2)


def _order(day: Day) -> None:
    """Replays, purges and tokens, and which of everything each operation may have for itself."""
    events = {one["subject"].rpartition("/")[2]: one["id"] for one in day.items("/events")}
    deliveries = {one["subject"].rpartition("/")[2]: one["id"] for one in day.items("/deliveries", destination="erp")}
    lane = f"record:InventoryItem/{BAD[0]}"
    replays = [_replay(day) for _ in range(4)]
    assert day.call("POST", f"{API}/replays/{replays[1]}/pause", json={"reason": "a test"}).status_code == 200
    plans = [_planned(day, kind) for kind in ("voice", "email", "sms")]
    day.there |= {
        "event_id": events[GOOD[0]],
        "delivery_id": deliveries[BAD[3]],
        "replay_id": replays[0],
        "purge_id": plans[0],
        "hold_id": _held(day),
        "entry_id": day.items("/audit", action="event.recorded")[0]["id"],
        "token_id": day.tokens[Role.VIEWER].split("_")[1],
        "name": "erp",
        "destination": "erp",
        "subject": lane,
        "event_type": "custom_object.record.updated",
        "interaction_id": "voice-1001",
        "conversation_id": "conv-2001",
        "schema": "InventoryItem",
        "record_id": "item-3001",
        "source": "genesys",
    }
    day.waiting = deliveries["item-8"]
    day.own = {
        "cancel_one_delivery": {"delivery_id": deliveries["item-7"]},
        "replay_one_delivery": {"delivery_id": deliveries[GOOD[1]]},
        "reparse_event": {"event_id": _unreadable(day)},
        "resume_one_replay": {"replay_id": replays[1]},
        "pause_one_replay": {"replay_id": replays[2]},
        "cancel_one_replay": {"replay_id": replays[3]},
        "release_hold": {"hold_id": _held(day)},
        "approve_purge": {"purge_id": plans[1]},
        "cancel_purge": {"purge_id": plans[2]},
        "skip": {"subject": f"record:InventoryItem/{BAD[1]}"},
        "release": {"subject": f"record:InventoryItem/{BAD[2]}"},
        "delete_token": {"token_id": day.token(Role.VIEWER, "eva").split("_")[1]},
    }


def _replay(day: Day) -> str:
    order = {"filter": {"destination": "erp", "state": "delivered"}, "reason": "a test"}
    ordered = day.call("POST", f"{API}/replays", json=order)
    assert ordered.status_code == 202, ordered.text
    replay_id: str = ordered.json()["id"]
    return replay_id


def _held(day: Day) -> str:
    """A hold that is in nobody's way."""
    order = {"type": "voice", "from": "2019-01-01", "to": "2019-01-31", "reason": "a test"}
    placed = day.call("POST", f"{API}/holds", Role.ADMIN, json=order)
    assert placed.status_code == 201, placed.text
    hold_id: str = placed.json()["id"]
    return hold_id


def _unreadable(day: Day) -> str:
    """An event that the version before could not read."""
    (row,) = stock(day.wiring.clock.now(), events=1).events
    errors = [{"field": "body", "rule": "form", "message": "Not known yet."}]
    row.update(
        source="genesys",
        type="unreadable",
        state="unreadable",
        body=orjson.dumps(record_update("item-9", 1)),
        errors=errors,
    )
    Stock(events=[row]).put(day.wiring.database)
    return str(row["id"])


def _planned(day: Day, interaction_type: str) -> str:
    planned = day.call("POST", f"{API}/purges", json=purge_policy(interactionType=interaction_type))
    assert planned.status_code == 201, planned.text
    purge_id: str = planned.json()["id"]
    return purge_id


def parts_of(day: Day, operation_id: str) -> Mapping[str, str]:
    """What to put into the path of that operation."""
    return {**day.there, **day.own.get(operation_id, {})}
