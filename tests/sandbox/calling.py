"""Calls a sandbox over HTTP, as a client of Genesys would."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from bridge.sandbox import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET

RECORDS = "/api/v2/customobjects/schemas/InventoryItem/records"


class Caller:
    """One token's calls; connections are not kept, so that a dropped one tells nothing of the next."""

    def __init__(self, url: str, *, scope: str | None = None) -> None:
        self.url = url
        self._scope = scope
        self.token = ""

    def log_in(self) -> Caller:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        answer = requests.post(
            f"{self.url}/oauth/token", data=form, auth=(DEMO_CLIENT_ID, DEMO_CLIENT_SECRET), timeout=5
        )
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        return self.call("GET", path, headers=headers)

    def patch(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> requests.Response:
        return self.call("PATCH", path, body, headers)

    def put(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> requests.Response:
        return self.call("PUT", path, body, headers)

    def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> requests.Response:
        return self.call("POST", path, body, headers)

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return requests.request(method, self.url + path, json=body, headers=sent, timeout=5)

    def fault(self, **fault: object) -> dict[str, Any]:
        """Ask for a fault."""
        answer = requests.post(f"{self.url}/_sandbox/faults", json=fault, timeout=5)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def state(self) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/_sandbox/state", timeout=5)
        assert answer.status_code == 200
        state: dict[str, Any] = answer.json()
        return state

    def merge(
        self, request_id: str = "merge-1", *ids: str, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Submit a merge of `ids`, by default of two of one customer."""
        sources = [{"id": one, "type": one.split("-")[0]} for one in ids or ("voice-1001", "chat-1002")]
        body = {"mergeRequestId": request_id, "interactions": sources, "mergeRule": "timestamp", "priorityScore": 9}
        return self.post("/api/v2/interactions/merge", body, headers)

    def purge(self, **changes: object) -> requests.Response:
        """Submit a purge of the two e-mails that are older than seven years."""
        part = {
            "type": "email",
            "dateRange": {"start": "2010-01-01T00:00:00Z", "end": "2022-01-01T00:00:00+02:00"},
            "filters": {},
            "purgeType": "permanent",
            "reason": "kept for seven years, as policy 7 says",
            **changes,
        }
        return self.post("/api/v2/interactions/purge", {"interactions": [part]})


def eventually(found: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until `found`; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)
