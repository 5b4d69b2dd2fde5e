"""The API over real HTTP, and what it says of itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from bridge.admin.access import Role
from bridge.clock import new_id
from tests.admin.desk import API, Desk, served
from tests.outbox.yard import FakeDestination, dispatcher, owe

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def base(desk: Desk) -> Iterator[str]:
    with served(desk) as address:
        yield address


def as_role(desk: Desk, role: Role) -> dict[str, str]:
    return {"Authorization": f"Bearer {desk.token(role)}"}


def test_a_dead_delivery_is_found_replayed_and_seen_to_arrive(desk: Desk, base: str) -> None:
    (owed,) = owe(desk.database, desk.clock.now())
    headers = as_role(desk, Role.OPERATOR)
    order = {"reason": "sent by hand"}
    assert requests.post(f"{base}/deliveries/{owed}/cancel", json=order, headers=headers, timeout=5).ok
    listed = requests.get(f"{base}/deliveries", params={"state": "cancelled"}, headers=headers, timeout=5).json()
    again = requests.post(
        f"{base}/deliveries/{listed['items'][0]['id']}/replay", json=order, headers=headers, timeout=5
    )
    dispatcher(desk.database, desk.clock, FakeDestination()).deliver_due()
    seen = requests.get(f"{base}/deliveries/{again.json()['id']}", headers=headers, timeout=5)
    assert seen.json()["state"] == "delivered"
    assert seen.headers["Cache-Control"] == "no-store"


def test_of_many_replays_of_one_delivery_at_once_one_is_taken(desk: Desk, base: str) -> None:
    (owed,) = owe(desk.database, desk.clock.now())
    dispatcher(desk.database, desk.clock, FakeDestination()).deliver_due()
    headers = as_role(desk, Role.OPERATOR)

    def replay(number: int) -> int:
        order = {"reason": f"person {number}"}
        return requests.post(f"{base}/deliveries/{owed}/replay", json=order, headers=headers, timeout=20).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(replay, range(4))) == [202, 409, 409, 409]


def test_no_answer_is_kept_on_the_way_or_taken_for_something_else(desk: Desk, base: str) -> None:
    headers = as_role(desk, Role.AUDITOR)
    for path in ("/events", "/audit/export", f"/events/{new_id()}", "/tokens"):
        told = requests.get(base + path, headers=headers, timeout=5).headers
        assert (told["Cache-Control"], told["X-Content-Type-Options"]) == ("no-store", "nosniff"), path


def test_an_answer_without_a_body_has_no_type(desk: Desk, base: str) -> None:
    headers = as_role(desk, Role.ADMIN)
    (own,) = requests.get(f"{base}/tokens", headers=headers, timeout=5).json()["items"]
    answer = requests.delete(f"{base}/tokens/{own['id']}", headers=headers, timeout=5)
    assert (answer.status_code, answer.headers.get("Content-Type")) == (204, None)


def test_a_cut_body_is_refused(desk: Desk, base: str) -> None:
    host = urlsplit(base)
    token = desk.token(Role.OPERATOR)
    head = (
        f"POST {API}/deliveries/{new_id()}/cancel HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 40\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=5) as connection:
        connection.sendall(head.encode() + b'{"reason": "why"}')
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_the_api_describes_itself_without_a_token(desk: Desk, base: str) -> None:
    answer = requests.get(base.replace("/v1", "/openapi.json"), timeout=5)
    assert answer.json()["openapi"] == "3.1.0"


def test_every_answer_that_the_document_promises_is_defined(desk: Desk, base: str) -> None:
    document = requests.get(base.replace("/v1", "/openapi.json"), timeout=5).json()

    def references(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    yield value
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found
