"""Destinations from the settings, and their ears to what is recorded. It may not send.

A kind is one module in `kinds` with one class. Somebody else adds one by an entry point in the group
`bridge.destinations`: its name is the kind, its object is called like a class here, with (DestinationSettings,
Surroundings), and gives a Forwarder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Protocol

from sqlalchemy.orm import Session

from bridge.audit.signing import AuditSigner
from bridge.clock import Clock
from bridge.destinations.egress import Resolver, resolve
from bridge.destinations.forwarder import RequestPreview
from bridge.destinations.kinds.crm import Crm
from bridge.destinations.kinds.datalake import Datalake
from bridge.destinations.kinds.erp import Erp
from bridge.destinations.kinds.genesys import Genesys
from bridge.destinations.kinds.governance import Governance
from bridge.destinations.kinds.http import Http
from bridge.destinations.wiring import Surroundings
from bridge.errors import ConfigurationError
from bridge.events import Owed, RecordedEvent
from bridge.genesys import GenesysClient
from bridge.outbox.contract import Destination, Outcome
from bridge.privacy.masking import Masking
from bridge.settings.model import DestinationSettings, Settings
from bridge.signals import event_recorded

ENTRY_POINTS = "bridge.destinations"


class Forwarder(Destination, Protocol):
    """What a kind gives: a destination that also says what it is owed, and what it would send."""

    def owe(self, sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        """Receiver of `event_recorded`, inside its transaction: never sends, never commits."""
        ...

    def wants(self, event: RecordedEvent) -> Owed | None:
        """The same answer without a signal: for replays, and for filling a new destination."""
        ...

    def preview(self, event: RecordedEvent) -> RequestPreview:
        """The request that `event` would become. Raises Invalid where it becomes none."""
        ...

    def try_out(self) -> Outcome:
        """Send one harmless request on the way that deliveries go, within `policy.timeout`; owed to nobody."""
        ...

    def close(self) -> None: ...


Kind = Callable[[DestinationSettings, Surroundings], Forwarder]

GENESYS = "genesys"
_KINDS: Mapping[str, Kind] = {
    "erp": Erp,
    "crm": Crm,
    "datalake": Datalake,
    "governance": Governance,
    "http": Http,
    GENESYS: Genesys,
}


def build_destinations(
    settings: Settings,
    *,
    masking: Masking,
    clock: Clock,
    signer: AuditSigner,
    genesys: GenesysClient | None = None,
    resolver: Resolver = resolve,
) -> dict[str, Forwarder]:
    """Every destination of `settings`, by name, and `genesys` where an organisation is configured.

    Raises ConfigurationError with the problems of all of them.
    """
    around = Surroundings(
        settings=settings, masking=masking, clock=clock, resolver=resolver, signer=signer, genesys=genesys
    )
    built: dict[str, Forwarder] = {}
    problems: list[str] = []
    for name, one in _configured(settings, genesys).items():
        try:
            built[name] = _kind(one)(one, around)
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return built


def connect(destinations: Iterable[Forwarder]) -> Callable[[], None]:
    """Let each destination answer `event_recorded`; returns what disconnects them again."""
    ears = [destination.owe for destination in destinations]
    for ear in ears:
        event_recorded.connect(ear, weak=False)

    def disconnect() -> None:
        for ear in ears:
            event_recorded.disconnect(ear)

    return disconnect


def _configured(settings: Settings, genesys: GenesysClient | None) -> Mapping[str, DestinationSettings]:
    """Commands have somebody who carries them out as soon as there is an organisation to do it in."""
    if genesys is None or any(one.kind == GENESYS for one in settings.destinations.values()):
        return settings.destinations
    return {**settings.destinations, GENESYS: DestinationSettings(name=GENESYS, kind=GENESYS)}


def _kind(settings: DestinationSettings) -> Kind:
    if settings.kind in _KINDS:
        return _KINDS[settings.kind]
    for entry_point in entry_points(group=ENTRY_POINTS, name=settings.kind):
        kind: Kind = entry_point.load()
        return kind
    known = sorted({*_KINDS, *entry_points(group=ENTRY_POINTS).names})
    raise ConfigurationError(
        [f"destinations.{settings.name}.kind: {settings.kind} is not a kind; use one of {', '.join(known)}"]
    )
