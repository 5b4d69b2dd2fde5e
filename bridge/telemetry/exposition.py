"""`GET /metrics`, for whom it is open. It may not count anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from bridge.intake.peers import is_in, peer_address
from bridge.settings.model import Network
from bridge.telemetry.metrics import Metrics

#: What a proxy says of whom it speaks for.
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


def make_metrics_blueprint(
    metrics: Metrics,
    gauges: Collector,
    *,
    open_to: Sequence[Network],
    trusted_proxies: Sequence[Network],
    admit: Callable[[], object],
) -> Blueprint:
    """`open_to` need no token; anybody else is let in by `admit`, or refused by the Refusal that it raises."""
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def show() -> Response:
        if not is_open(request.environ, open_to, trusted_proxies):
            admit()
        at_hand = CollectorRegistry()
        at_hand.register(gauges)
        text = generate_latest(metrics.registry()) + generate_latest(at_hand)
        return Response(text, content_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})

    return blueprint


def is_open(environ: Mapping[str, Any], open_to: Sequence[Network], trusted_proxies: Sequence[Network]) -> bool:
    """True where the caller's address is known and in `open_to`.

    Behind a proxy that is not trusted by name everybody would have the proxy's address, often loopback: no address
    counts then.
    """
    peer = peer_address({"REMOTE_ADDR": environ.get("REMOTE_ADDR")}, ())
    if any(environ.get(name) for name in _FORWARDED) and not is_in(peer, trusted_proxies):
        return False
    return is_in(peer_address(environ, trusted_proxies), open_to)
