"""A Genesys without a network: an adapter for `requests` that gives scripted answers and keeps every request."""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

API_URL, LOGIN_URL, CRM_URL = "http://api.test", "http://login.test", "http://crm.test"
TOKEN = ("POST", "/oauth/token")


@dataclass(frozen=True)
class Says:
    """One answer; `body` as JSON, bytes as they are."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


#: What answers a request: an answer, a trouble that is raised, or a function that gives one of them.
Script = Says | Exception | Callable[[requests.PreparedRequest], "Says | Exception"]


class FakeGenesys(BaseAdapter):
    """Answers by method and path: the scripts of `on` in turn, the last one for ever; tokens by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self._scripts: dict[tuple[str, str], deque[Script]] = {}

    def on(self, method: str, path: str, *scripts: Script) -> None:
        self._scripts[method, path] = deque(scripts)

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        self.requests.append(request)
        script = self._script(str(request.method), urlsplit(str(request.url)).path)
        said = script(request) if callable(script) else script
        if isinstance(said, Exception):
            raise said
        response = requests.Response()
        response.status_code = said.status
        response.headers.update(said.headers)
        content = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
        response.raw = io.BytesIO(b"" if said.body is None else content)
        return response

    def close(self) -> None:
        pass

    def calls(self) -> list[tuple[str, str]]:
        """Method and path of every request but those for tokens."""
        all_calls = [(str(request.method), urlsplit(str(request.url)).path) for request in self.requests]
        return [call for call in all_calls if call != TOKEN]

    def sent(self, method: str, path: str) -> list[Any]:
        """The JSON bodies that were sent there."""
        return [json.loads(request.body or b"null") for request in self.sent_to(method, path)]

    def sent_to(self, method: str, path: str) -> list[requests.PreparedRequest]:
        return [
            request for request in self.requests if (request.method, urlsplit(str(request.url)).path) == (method, path)
        ]

    def _script(self, method: str, path: str) -> Script:
        scripts = self._scripts.get((method, path))
        if scripts is not None:
            return scripts.popleft() if len(scripts) > 1 else scripts[0]
        if (method, path) == TOKEN:
            number = len(self.sent_to(*TOKEN))
            return Says(200, {"access_token": f"token-{number}", "token_type": "bearer", "expires_in": 3600})
        return Says(404, {"code": "not.found", "status": 404, "message": "no such thing"})
