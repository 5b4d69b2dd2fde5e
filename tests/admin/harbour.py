"""Destinations that operators look at and steer: real forwarders on loopback, and a lookout over them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from bridge.admin.lookout import Lookout, make_lookout
from bridge.audit.signing import AuditSigner
from bridge.clock import Clock
from bridge.database import Database
from bridge.destinations.registry import build_destinations
from bridge.privacy.masking import Masking
from bridge.settings.model import DestinationSettings, Settings, SourceSettings, VerifySettings

#: Where nobody listens.
NOWHERE = "http://127.0.0.1:9/hook?key=hidden"


def lookout(database: Database, clock: Clock, masking: Masking, url: str = NOWHERE, **more: Any) -> Lookout:
    """Over `erp` and `crm` at `url`, both on loopback, and a source `genesys`; `more` are settings of `erp`."""
    settings = Settings(
        destinations=_by_name(
            DestinationSettings(**{"name": "erp", "kind": "erp", "url": url, "allow_local": True, **more}),
            DestinationSettings(name="crm", kind="crm", url=url, allow_local=True),
        ),
        sources=MappingProxyType(
            {
                "genesys": SourceSettings(
                    name="genesys",
                    format="genesys",
                    verify=VerifySettings(scheme="none"),
                    expect_every=timedelta(hours=1),
                )
            }
        ),
    )
    forwarders = build_destinations(settings, masking=masking, clock=clock, signer=AuditSigner(b"a key for tests"))
    return make_lookout(settings, database=database, clock=clock, forwarders=forwarders)


def _by_name(*destinations: DestinationSettings) -> Mapping[str, DestinationSettings]:
    return MappingProxyType({one.name: one for one in destinations})
