"""Somebody at the console without a browser: signs in, follows, fills in forms as a browser would."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.admin.access import Role
from bridge.admin.console import make_console
from bridge.commands.room import CommandRoom
from bridge.database import Database
from bridge.settings.model import LegalHold, SourceSettings
from tests.admin.desk import Desk, make_desk
from tests.fakes import FakeClock

#: Every list, and the first page.
LISTS = (
    *("/overview", "/events", "/deliveries", "/destinations", "/lanes", "/replays"),
    *("/commands", "/purges", "/holds", "/audit", "/rejections"),
)
_FORM_KEY = re.compile(r'name="form_key" value="([0-9a-f]{64})"')


def make_console_desk(
    database: Database,
    clock: FakeClock,
    commands: CommandRoom | None = None,
    declared: Sequence[LegalHold] = (),
    sources: Iterable[SourceSettings] = (),
) -> Desk:
    """The desk with the console beside the API."""
    desk = make_desk(database, clock, commands, declared=declared, sources=sources)
    make_console(desk.app)
    return desk


@dataclass
class Visitor:
    """A browser's cookies, and the key of the forms it was given."""

    client: FlaskClient
    token: str = ""
    form_key: str = ""

    @property
    def actor(self) -> str:
        return f"token:{self.token.split('_')[1]}"

    def get(self, path: str, **query: str) -> TestResponse:
        return self.client.get(f"/console{path}", query_string=query)

    def text(self, path: str, **query: str) -> str:
        answer = self.get(path, **query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.text

    def post(self, path: str, *, key: str | None = None, **fields: str | list[str]) -> TestResponse:
        """Send a form with this session's key, or with `key` instead."""
        return self.client.post(f"/console{path}", data={**fields, "form_key": self.form_key if key is None else key})


def sign_in(desk: Desk, role: Role, *, person: str = "eva", destination: str | None = None) -> Visitor:
    visitor = Visitor(desk.app.test_client(), desk.token(role, person=person, destination=destination))
    answer = visitor.client.post("/console/login", data={"token": visitor.token})
    assert answer.status_code == 303, answer.text
    found = _FORM_KEY.search(visitor.text("/commands"))
    assert found is not None
    visitor.form_key = found[1]
    return visitor


class Page(HTMLParser):
    """What a browser would make of a page: its elements and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]
