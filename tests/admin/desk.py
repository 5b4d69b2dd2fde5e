"""An administrator's desk: the API over a real database, with tokens for every role."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import Any

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from bridge.admin.access import Role
from bridge.admin.api import make_api
from bridge.admin.lookout import Lookout
from bridge.admin.reparsing import Reparser
from bridge.admin.tokens import create_token
from bridge.audit.signing import AuditSigner
from bridge.commands.room import CommandRoom
from bridge.database import Database
from bridge.events import Owed, RecordedEvent
from bridge.keeping.erasure import Erasures
from bridge.outbox.selection import Wants
from bridge.privacy.holds import LegalHolds
from bridge.privacy.masking import Masking
from bridge.problems import install_problem_handlers
from bridge.settings.model import LegalHold, SourceSettings
from tests.admin.harbour import lookout
from tests.commands.office import command_room
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import NOTES

SIGNER = AuditSigner(b"a key for tests")
MASKING = Masking([], b"a key for tests")
API = "/api/v1"


@dataclass
class Desk:
    app: Flask
    database: Database
    clock: FakeClock

    def token(self, role: Role, *, person: str = "eva", destination: str | None = None) -> str:
        """The plaintext of a new token."""
        with self.database.write() as session:
            _, token = create_token(
                session,
                name=f"{role} for tests",
                person=person,
                role=role,
                expires_at=None,
                destination=destination,
                now=self.clock.now(),
                actor="cli:tests",
                notes=NOTES,
            )
        return token

    def sits(self, role: Role, *, person: str = "eva", destination: str | None = None) -> Seat:
        """Somebody of that role, ready to call."""
        return Seat(self, self.token(role, person=person, destination=destination))


@dataclass
class Seat:
    """Somebody with a token."""

    desk: Desk
    token: str

    @property
    def actor(self) -> str:
        return f"token:{self.token.split('_')[1]}"

    def get(self, path: str, **query: Any) -> TestResponse:
        return self._call("GET", path, query_string=query)

    def post(self, path: str, body: object, **headers: str) -> TestResponse:
        return self._call("POST", path, headers, json=body)

    def patch(self, path: str, body: object, **headers: str) -> TestResponse:
        return self._call("PATCH", path, headers, json=body)

    def put(self, path: str, body: object, **headers: str) -> TestResponse:
        return self._call("PUT", path, headers, json=body)

    def delete(self, path: str, **query: Any) -> TestResponse:
        return self._call("DELETE", path, query_string=query)

    def pages(self, path: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Every page of a list, by following `next`."""
        page = self.get(path, **query).get_json()
        yield page["items"]
        while page["next"] is not None:
            page = self.get(path, **query, cursor=page["next"]).get_json()
            yield page["items"]

    def _call(self, method: str, path: str, more: Mapping[str, str] | None = None, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}", **(more or {})}
        return self.desk.app.test_client().open(API + path, method=method, headers=headers, **options)


def make_desk(
    database: Database,
    clock: FakeClock,
    commands: CommandRoom | None = None,
    seen: Lookout | None = None,
    declared: Sequence[LegalHold] = (),
    sources: Iterable[SourceSettings] = (),
) -> Desk:
    """The desk over `commands` (by default no organisation is configured) and what is `seen` of destinations;
    `declared` are the holds of bridge.toml."""
    app, holds = Flask("tests"), LegalHolds(declared, VAULT)
    install_problem_handlers(app)
    make_api(
        app,
        database=database,
        clock=clock,
        masking=MASKING,
        notes=NOTES,
        vault=VAULT,
        wanted={"erp": _wants("erp")},
        public_key=SIGNER.public_key,
        holds=holds,
        erasures=Erasures(database=database, clock=clock, notes=NOTES, vault=VAULT, masking=MASKING, holds=holds),
        trusted_keys={SIGNER.public_key},
        commands=commands or command_room(database, clock, masking=MASKING, notes=NOTES),
        lookout=seen or lookout(database, clock, MASKING),
        reparser=Reparser(
            sources={one.name: one for one in sources}, notes=NOTES, vault=VAULT, dedupe_window=timedelta(minutes=10)
        ),
    )
    return Desk(app, database, clock)


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The address of the API, served over real HTTP."""
    server = make_server("127.0.0.1", 0, desk.app, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{API}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wants(name: str) -> Wants:
    def owes(event: RecordedEvent) -> Owed | None:
        return Owed(destination=name, subject=event.subject)

    return owes
