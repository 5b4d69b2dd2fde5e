"""HTTP from the demo to what it has started. It may not go through a proxy: everything is on this machine."""

from __future__ import annotations

from typing import Any

import requests

from bridge.demo.failing import DemoFailed

_TIMEOUT_SECONDS = 15

Thing = dict[str, Any]


def direct_session() -> requests.Session:
    """A session that believes nothing of the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


def call(session: requests.Session, method: str, url: str, **arguments: Any) -> requests.Response:
    """The answer, whatever its status; `arguments` are those of requests. Raises DemoFailed where there is none."""
    try:
        return session.request(method, url, timeout=_TIMEOUT_SECONDS, allow_redirects=False, **arguments)
    except requests.RequestException as failed:
        raise DemoFailed(f"{method} {url} was not answered ({type(failed).__name__})") from failed
