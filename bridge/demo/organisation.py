"""The stand-in for Genesys seen from inside: what it holds, who works at its desks. It may not know the bridge."""

from __future__ import annotations

import requests

from bridge.demo.calling import Thing, call
from bridge.demo.failing import DemoFailed
from bridge.demo.subjects import SCHEMA


class Organisation:
    """The sandbox at `url`. Every call raises DemoFailed where it is not answered, or refused."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session = session
        self._url = f"{url}/_sandbox"

    def holds(self) -> Thing:
        """Everything in it, as `bridge.sandbox.snapshot` says."""
        return self._call("GET", "/state")

    def times_asked(self, method: str, path: str) -> int:
        """How often it has answered such a request."""
        asked = self.holds()["requests"].get(f"{method} {path}", {"count": 0})
        return int(asked["count"])

    def is_slow_once(self, method: str, path: str, seconds: float) -> None:
        """The next such request waits before it is looked at."""
        self._call("POST", "/faults", {"kind": "latency", "method": method, "path": path, "seconds": seconds})

    def agent_changes_conversation(self, conversation: str, attributes: Thing) -> Thing:
        """Somebody at a desk does; gives the conversation as it stands then."""
        return self._call("PATCH", f"/conversations/{conversation}", {"attributes": attributes})

    def agent_changes_item(self, item: str, fields: Thing) -> Thing:
        """Likewise; the other fields stay."""
        return self._call("PUT", f"/records/{SCHEMA}/{item}", {"fields": fields})

    def _call(self, method: str, path: str, body: Thing | None = None) -> Thing:
        answer = call(self._session, method, f"{self._url}{path}", json=body)
        if not answer.ok:
            raise DemoFailed(f"the stand-in for Genesys refused {method} {path} with {answer.status_code}")
        told: Thing = answer.json()
        return told
