"""The demo's folder: its configuration, its secrets, its tables, its tokens. It may not start anything."""

from __future__ import annotations

import base64
import os
import secrets
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

import bridge
from bridge import migrate
from bridge.admin.access import Role
from bridge.admin.tokens import create_token
from bridge.demo.receivers import LOOPBACK
from bridge.settings.load import load_settings
from bridge.wiring import Wiring, wire

CONFIGURATION: Final = "bridge.toml"
WEBHOOK_SECRET: Final = "secrets/genesys_webhook_secret"  # noqa: S105 (where it is, not what)
CLIENT_SECRET: Final = "secrets/genesys_client_secret"  # noqa: S105 (likewise)
_ACTOR: Final = "cli:demo"


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What the others sign and verify with."""

    genesys: bytes
    erp: bytes
    crm: bytes
    governance: bytes


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """API tokens by whose they are."""

    operator: str
    #: The same person's.
    operator_as_approver: str
    #: Another person's.
    approver: str
    erp_sender: str
    crm_sender: str


@dataclass(frozen=True, kw_only=True)
class Prepared:
    tokens: Tokens
    #: With which the bridge's signatures of audit entries are verified.
    public_key: str


def write_secrets(folder: Path) -> Keys:
    """Fresh ones, for their owner alone."""
    (folder / "secrets").mkdir(mode=0o700)
    _write_secret(folder / "secrets/bridge_secret_key", secrets.token_urlsafe(32))
    webhook_secret = secrets.token_urlsafe(32)
    _write_secret(folder / WEBHOOK_SECRET, webhook_secret)
    _write_secret(folder / CLIENT_SECRET, secrets.token_urlsafe(32))
    return Keys(
        genesys=webhook_secret.encode(),
        erp=_signing_key(folder / "secrets/erp_signing_secret"),
        crm=_signing_key(folder / "secrets/crm_signing_secret"),
        governance=_signing_key(folder / "secrets/governance_signing_secret"),
    )


def write_configuration(folder: Path, **urls: str) -> None:
    """The demo's bridge.toml; `urls` says where everybody is."""
    template = Template(files(__package__).joinpath("demo.toml").read_text("utf-8"))
    (folder / CONFIGURATION).write_text(template.substitute(urls), "utf-8")


def environment_of(folder: Path, url: str) -> dict[str, str]:
    """All that the processes of the bridge at `url` get to see: no other bridge's configuration reaches them."""
    return {
        "BRIDGE_CONFIG": str(folder / CONFIGURATION),
        "DATABASE_URL": f"sqlite:///{folder / 'bridge.db'}",
        "HOST": LOOPBACK,
        "PORT": str(urlsplit(url).port),
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(bridge.__file__).parent.parent),
        "TMPDIR": str(folder),  # for gunicorn's own files
    }


def prepare_database(environment: dict[str, str]) -> Prepared:
    """Make the tables and the tokens."""
    wiring = wire(load_settings(environment))
    try:
        migrate.upgrade(wiring.database)
        tokens = Tokens(
            operator=_token(wiring, "Olga", Role.OPERATOR),
            operator_as_approver=_token(wiring, "Olga", Role.APPROVER),
            approver=_token(wiring, "Anton", Role.APPROVER),
            erp_sender=_token(wiring, "ERP team", Role.SENDER, "erp"),
            crm_sender=_token(wiring, "CRM team", Role.SENDER, "crm"),
        )
        return Prepared(tokens=tokens, public_key=wiring.signer.public_key)
    finally:
        wiring.close()


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text + "\n", "utf-8")


def _signing_key(path: Path) -> bytes:
    key = secrets.token_bytes(32)
    _write_secret(path, "whsec_" + base64.b64encode(key).decode())
    return key


def _token(wiring: Wiring, person: str, role: Role, destination: str | None = None) -> str:
    with wiring.database.write() as session:
        _, token = create_token(
            session,
            name=f"{person}, {role}",
            person=person,
            role=role,
            expires_at=None,
            destination=destination,
            now=wiring.clock.now(),
            actor=_ACTOR,
            notes=wiring.notes,
        )
    return token
