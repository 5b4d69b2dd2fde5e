"""The bridge's API as an administrator's or another system's script uses it. It may not look into the database."""

from __future__ import annotations

from typing import Any

import requests

from bridge.demo.calling import Thing, call
from bridge.demo.failing import DemoFailed

_PAGE = 500


class Api:
    """`/api/v1` of the bridge at `url`, with one token. Every call raises DemoFailed where nobody answers."""

    def __init__(self, session: requests.Session, url: str, token: str) -> None:
        self._session = session
        self._url = f"{url}/api/v1"
        self._headers = {"Authorization": f"Bearer {token}"}

    def read(self, path: str) -> Thing:
        """One thing. Raises DemoFailed where it is refused."""
        return self._expected("GET", path)

    def every(self, path: str, **filters: str) -> list[Thing]:
        """A whole list, newest first. Raises DemoFailed where it is refused."""
        found: list[Thing] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {**filters, "limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            page = self._expected("GET", path, query=query)
            found += page["items"]
            cursor = page["next"]
        return found

    def order(self, path: str, body: Thing | None = None, *, method: str = "POST") -> Thing:
        """What the bridge says to an order. Raises DemoFailed where it is refused."""
        return self._expected(method, path, body=body)

    def refusal_of(self, path: str, body: Thing | None = None, *, method: str = "POST") -> int:
        """The status of an order that is hoped to be refused."""
        return self._call(method, path, json=body).status_code

    def _expected(
        self, method: str, path: str, *, query: dict[str, str] | None = None, body: Thing | None = None
    ) -> Thing:
        answer = self._call(method, path, params=query, json=body)
        told: Thing = answer.json()
        if not answer.ok:
            fields = "".join(f"; {error['field']}: {error['message']}" for error in told.get("errors", ()))
            raise DemoFailed(f"{method} {path} was refused with {answer.status_code}: {told.get('detail')}{fields}")
        return told

    def _call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return call(self._session, method, f"{self._url}{path}", headers=self._headers, **arguments)
