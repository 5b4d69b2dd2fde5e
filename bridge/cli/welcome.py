"""What `bridge up` says when everything runs: where it is, how to try it, what next. It may not start anything."""

from __future__ import annotations

import json
import shlex

from bridge.admin.access import Role
from bridge.admin.tokens import create_token, list_tokens
from bridge.cli.opened import actor
from bridge.settings import Settings
from bridge.wiring import Wiring

_SAMPLE = {
    "action": "update",
    "schemaName": "InventoryItem",
    "record": {
        "id": "item-1",
        "version": 1,
        "modifiedTime": "2026-05-01T10:00:00Z",
        "modifiedBy": {"id": "user-1"},
        "fields": {"sku": "WH-1042", "quantity": 5},
    },
}


def first_token(bridge: Wiring) -> str | None:
    """A new admin token where there never was any token, else None."""
    with bridge.database.write() as session:
        if list_tokens(session, limit=1):
            return None
        _, token = create_token(
            session,
            name="first admin",
            person=actor().removeprefix("cli:"),
            role=Role.ADMIN,
            expires_at=None,
            destination=None,
            now=bridge.clock.now(),
            actor=actor(),
            notes=bridge.notes,
            reason="made by `bridge up`, as there was no token",
        )
        return token


def welcome(settings: Settings, url: str, token: str | None, *, default_port: int) -> str:
    """The text; `token` is shown where one was made, `default_port` is what other commands take without being told."""
    lines = ["", f"The bridge runs on {url}", ""]
    lines += [f"  webhooks  POST {url}/webhooks/{name}" for name in settings.sources]
    lines += [f"  API       {url}/api/v1/events   (described at {url}/api/openapi.json)"]
    lines += [f"  health    {url}/readyz", ""]
    if token is not None:
        lines += ["Your admin token for the API, shown this once:", "", f"  {token}", ""]
    lines += ["Try it, in this folder:", "", *(f"  {line}" for line in _tries(settings, url, default_port)), ""]
    lines += [f"Next: say in {settings.config_path} where your ERP and CRM are, then `bridge reload`."]
    return "\n".join([*lines, "Ctrl-C stops everything.", ""])


def _tries(settings: Settings, url: str, default_port: int) -> list[str]:
    here = "" if url == f"http://127.0.0.1:{default_port}" else f" --url {url}"
    name = next((one.name for one in settings.sources.values() if one.format == "genesys"), None)
    if name is None:
        return ["bridge events list"]
    sample = shlex.quote(json.dumps(_SAMPLE, separators=(",", ":")))
    return [f"echo {sample} | bridge events send {name} -{here}", "bridge deliveries list"]
