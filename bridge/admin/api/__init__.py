"""The API below `/api/v1`, told by `/api/openapi.json` and `/api/docs`. It may not hold a use case of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from flask import Flask

from bridge.admin.api import (
    audit,
    changes,
    deliveries,
    destinations,
    erasing,
    events,
    lanes,
    legal_holds,
    overview,
    purges,
    receivers,
    rejections,
    replays,
    tokens,
)
from bridge.admin.api import commands as given_commands
from bridge.admin.api.entrance import Rooms, install_rooms
from bridge.admin.api.openapi import BridgeApi
from bridge.admin.api.webhooks import describe_receiving, describe_sending
from bridge.admin.docs import make_docs
from bridge.admin.lookout import Lookout
from bridge.admin.reparsing import Reparser
from bridge.admin.throttle import WrongTokens
from bridge.audit.notes import AuditNotes
from bridge.clock import Clock
from bridge.commands.room import CommandRoom
from bridge.database import Database
from bridge.keeping.erasure import Erasures
from bridge.outbox.selection import Wants
from bridge.privacy.holds import LegalHolds
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault
from bridge.settings.model import Network


def make_api(
    app: Flask,
    *,
    database: Database,
    clock: Clock,
    masking: Masking,
    notes: AuditNotes,
    vault: Vault,
    wanted: Mapping[str, Wants],
    public_key: str,
    trusted_keys: Collection[str],
    commands: CommandRoom,
    holds: LegalHolds,
    erasures: Erasures,
    lookout: Lookout,
    reparser: Reparser,
    trusted_proxies: Sequence[Network] = (),
) -> None:
    """Install the API into `app`, which answers refusals itself (`problems.install_problem_handlers`).

    `public_key` (base64) is what the audit is signed with, `trusted_keys` what it may have been signed with;
    `wanted` says for each destination what it would be owed;
    `trusted_proxies` are believed about whose address a request comes from.
    """
    rooms = Rooms(
        database=database,
        clock=clock,
        masking=masking,
        notes=notes,
        vault=vault,
        wanted=wanted,
        public_key=public_key,
        trusted_keys=trusted_keys,
        trusted_proxies=trusted_proxies,
        wrong_tokens=WrongTokens(clock),
        commands=commands,
        holds=holds,
        erasures=erasures,
        lookout=lookout,
        reparser=reparser,
    )
    install_rooms(app, rooms)
    api = BridgeApi(app)
    describe_receiving(api)
    describe_sending(api)
    # In the order in which somebody who integrates reads.
    for room in (
        *(receivers, changes, given_commands, purges, legal_holds, erasing, events, deliveries, replays),
        *(destinations, lanes, overview, rejections, audit, tokens),
    ):
        api.register_blueprint(room.blueprint)
    make_docs(app, api.spec.to_dict())
