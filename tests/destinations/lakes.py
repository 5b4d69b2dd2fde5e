"""Lakes as the tests of this room need them, and a wired bridge that owes them events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from types import MappingProxyType
from typing import Any

from bridge.audit.signing import AuditSigner
from bridge.clock import Clock, SystemClock
from bridge.destinations.egress import Resolver, resolve
from bridge.destinations.registry import Forwarder, build_destinations
from bridge.events import Event
from bridge.genesys import GenesysClient
from bridge.intake.recorder import Arrival, record
from bridge.outbox.contract import Destination
from bridge.outbox.dispatcher import Dispatcher
from bridge.privacy.masking import Masking
from bridge.sandbox import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET
from bridge.settings.model import DestinationSettings, GenesysSettings, Secret, Settings
from bridge.wiring import Wiring, wire


def organisation(url: str, **changes: Any) -> GenesysSettings:
    """The organisation that the sandbox at `url` plays."""
    return GenesysSettings(
        **{
            "api_url": url,
            "login_url": url,
            "client_id": DEMO_CLIENT_ID,
            "client_secret": Secret(DEMO_CLIENT_SECRET),
            **changes,
        }
    )


def lake(
    *,
    genesys: GenesysSettings | None = None,
    clock: Clock | None = None,
    resolver: Resolver = resolve,
    **settings: Any,
) -> Forwarder:
    """A destination called lake, on loopback unless `settings` say otherwise; `genesys` is its organisation."""
    one = DestinationSettings(**{"name": "lake", "kind": "datalake", "bucket": "lake", "allow_local": True, **settings})
    clock = clock or SystemClock()
    return build_destinations(
        Settings(destinations={"lake": one}, genesys=genesys or GenesysSettings()),
        masking=Masking((), b"key"),
        clock=clock,
        signer=AuditSigner(b"a key for tests"),
        genesys=None if genesys is None else GenesysClient(genesys, clock=clock),
        resolver=resolver,
    )["lake"]


class Bridge:
    """A wired bridge, whose deliveries go out in the test's own time. Each call is a worker of its own."""

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring

    def record(self, event: Event) -> None:
        arrival = Arrival(
            event=event, source="genesys", body=json.dumps(event.payload).encode(), received_at=self.wiring.clock.now()
        )
        with self.wiring.database.write() as session:
            record(
                session,
                [arrival],
                notes=self.wiring.notes,
                vault=self.wiring.vault,
                now=self.wiring.clock.now(),
                dedupe_window=timedelta(minutes=10),
            )

    def deliver_due(self, destinations: Mapping[str, Destination] | None = None) -> int:
        """Deliver what is due, to its own destinations unless others are given; how many tries that took."""
        wiring = self.wiring
        return Dispatcher(
            wiring.database,
            destinations or wiring.destinations,
            clock=wiring.clock,
            rng=Random(1),
            notes=wiring.notes,
            vault=wiring.vault,
            max_threads=4,
        ).deliver_due()


@contextmanager
def wired(
    database_url: str, clock: Clock, *destinations: DestinationSettings, genesys: GenesysSettings | None = None
) -> Iterator[Bridge]:
    settings = Settings(
        database_url=database_url,
        secret_key=Secret("a bridge secret key for tests, long enough"),
        destinations=MappingProxyType({one.name: one for one in destinations}),
        genesys=genesys or GenesysSettings(),
    )
    wiring = wire(settings, clock=clock)
    try:
        yield Bridge(wiring)
    finally:
        wiring.close()
