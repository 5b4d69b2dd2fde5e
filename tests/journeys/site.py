"""A whole bridge beside its receivers: a configuration on loopback, signed webhooks in, the API to look through."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.admin.tokens import create_token
from bridge.audit.notes import AuditNotes
from bridge.database import open_database
from bridge.privacy.masking import Masking
from tests.processes import BridgeFolder
from tests.receivers import Receiver

SECRET = "a webhook secret for tests"
KEY = "a bridge secret key for tests, long enough to be one"
SIGNING_SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a signing key").decode()


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str]


def configuration(erp: Receiver, crm: Receiver, **more: str) -> str:
    """A bridge.toml with an ERP and a CRM on loopback and short waits; `more` is appended to `erp` and `crm`."""
    return f"""
[sources.genesys]
format = "genesys"
verify = {{ scheme = "hub-sha256", secrets = ["env:WEBHOOK_SECRET"] }}

[destinations.erp]
kind = "erp"
url = "{erp.url}/genesys"
allow_local = true
signing_secrets = ["env:SIGNING_SECRET"]
timeout = 1.5
lease_seconds = 3
retry = {{ base = 0.05, cap = 0.4 }}
breaker = {{ failures = 1000000, cooldown = 1 }}
{more.get("erp", "")}

[destinations.crm]
kind = "crm"
url = "{crm.url}/hooks"
allow_local = true
timeout = 1.5
lease_seconds = 3
retry = {{ base = 0.05, cap = 0.4 }}
breaker = {{ failures = 1000000, cooldown = 1 }}
{more.get("crm", "")}
"""


def site(path: Path, database_url: str, config: str) -> BridgeFolder:
    """A folder with that configuration on a migrated database; nothing is started yet."""
    (path / "bridge.toml").write_text(config)
    environment = {
        "DATABASE_URL": database_url,
        "WEBHOOK_SECRET": SECRET,
        "SIGNING_SECRET": SIGNING_SECRET,
        "BRIDGE_SECRET_KEY": KEY,
    }
    return BridgeFolder(path, environment)


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def record_update(record: str, version: int, **fields: object) -> bytes:
    return json.dumps(
        {
            "action": "update",
            "schemaName": "InventoryItem",
            "record": {
                "id": record,
                "version": version,
                "modifiedTime": f"2026-05-01T10:00:{version % 60:02}Z",
                "modifiedBy": {"id": "user-1"},
                "fields": {"sku": "WH-1042", **fields},
            },
        }
    ).encode()


def attributes_update(conversation: str, version: int) -> bytes:
    payload = {
        "conversationId": conversation,
        "updatedAttributes": {"step": version},
        "version": version,
        "processedAt": "2026-05-01T10:00:00Z",
    }
    return json.dumps({"eventType": "CONVERSATION_ATTRIBUTES_UPDATED", "payload": payload}).encode()


def post(port: int, body: bytes, *, signed: str | None = None) -> Reply:
    """One webhook to the source `genesys`, on a connection of its own. Raises OSError where nobody answers."""
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signed or signature(body)}
    return ask(port, "POST", "/webhooks/genesys", body, headers)


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        return Reply(
            status=answer.status, body=json.loads(content) if content else None, headers=dict(answer.getheaders())
        )
    except http.client.HTTPException as broken:
        raise ConnectionError(str(broken)) from broken
    finally:
        connection.close()


class Api:
    """The bridge's API as somebody with `role`."""

    def __init__(
        self, bridge: BridgeFolder, role: str, *, person: str | None = None, destination: str | None = None
    ) -> None:
        self._port = bridge.port
        token = _token(bridge.environment["DATABASE_URL"], role, person or f"test-{role}", destination)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> Any:
        reply = ask(self._port, "GET", f"/api/v1{path}", None, self._headers)
        assert reply.status == 200, reply
        return reply.body

    def post(self, path: str, body: Mapping[str, object], **headers: str) -> Reply:
        return self.send("POST", path, body, **headers)

    def send(self, method: str, path: str, body: Mapping[str, object], **headers: str) -> Reply:
        content = json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": "application/json", **headers}
        return ask(self._port, method, f"/api/v1{path}", content, headers)


def _token(database_url: str, role: str, person: str, destination: str | None) -> str:
    """As `bridge token create` makes it, without starting a process for it."""
    with closing(open_database(database_url)) as database, database.write() as session:
        _, token = create_token(
            session,
            name=f"test-{role}",
            person=person,
            role=role,
            expires_at=None,
            destination=destination,
            now=datetime.now(UTC),
            actor="cli:test",
            notes=AuditNotes(Masking((), KEY.encode())),
        )
    return token


def eventually(true: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
    """Return as soon as `true()`; AssertionError when the time is up."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not {what} within {seconds} s"
        time.sleep(0.02)
