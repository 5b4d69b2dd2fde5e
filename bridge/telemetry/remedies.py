"""For each cause of an alert: the command and the page that mend it. It may not know who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True)
class Remedy:
    #: On a machine of the bridge.
    command: str
    #: The console's page, below the bridge's own address.
    link: str


_DESTINATION: Final = "/console/destinations/{destination}"
_REJECTIONS: Final = "/console/rejections?source={source}"
_OTHERWISE: Final = Remedy("bridge doctor", "/console/overview")
#: `{delivery}`, `{destination}` and `{source}` stand for what the alert is about.
REMEDIES: Final[Mapping[str, Remedy]] = MappingProxyType(
    {
        "delivery.dead": Remedy(
            'bridge deliveries replay {delivery} --reason "its cause is mended"', "/console/deliveries/{delivery}"
        ),
        "lane.blocked": Remedy(
            "bridge lanes list --destination {destination}", "/console/lanes?destination={destination}"
        ),
        "breaker.open": Remedy("bridge destinations show {destination}", _DESTINATION),
        "destination.paused": Remedy('bridge destinations resume {destination} --reason "it is back"', _DESTINATION),
        "destination.refuses": Remedy("bridge deliveries show {delivery}", "/console/deliveries/{delivery}"),
        "worker.stalled": Remedy("bridge worker", "/console/overview"),
        "audit.broken": Remedy("bridge audit verify", "/console/audit"),
        "source.unverified": Remedy("bridge check", _REJECTIONS),
        "source.silent": Remedy("bridge events list --source {source} --limit 5", _REJECTIONS),
    }
)


def remedy_for(cause: str, **about: str | None) -> Remedy:
    """What mends `cause`; `bridge doctor` where nothing better is known."""
    known = REMEDIES.get(cause, _OTHERWISE)
    words = {name: word or "" for name, word in about.items()}
    return Remedy(known.command.format(**words), known.link.format(**words))
