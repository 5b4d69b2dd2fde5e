"""From a destination's settings to the parts that a forwarder is made of. It may not send.

Everything here raises ConfigurationError that names the key, the rule and the way out, never a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from requests import PreparedRequest, RequestException

from bridge.audit.signing import AuditSigner
from bridge.clock import Clock
from bridge.destinations.connections import Dialer, Proxy, proxy_of
from bridge.destinations.egress import EgressGuard, Resolver, resolve
from bridge.destinations.signing import signing_key
from bridge.destinations.tls import tls_for
from bridge.destinations.transform import Transform
from bridge.destinations.transport import LeanAdapter
from bridge.errors import ConfigurationError
from bridge.genesys import GenesysClient
from bridge.outbox.contract import DeliveryPolicy
from bridge.privacy.masking import Masking
from bridge.settings.model import DestinationSettings, Settings


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a kind is handed beside the settings of its own destination."""

    settings: Settings
    masking: Masking
    clock: Clock
    resolver: Resolver
    #: Signs what governance gets.
    signer: AuditSigner
    #: None: no organisation is configured.
    genesys: GenesysClient | None


@contextmanager
def naming(settings: DestinationSettings, key: str) -> Iterator[None]:
    """Turn a ValueError about `key` into the ConfigurationError that names it."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError([f"destinations.{settings.name}.{key}: {error}"]) from None


def policy_of(settings: DestinationSettings) -> DeliveryPolicy:
    """How the outbox is to treat this destination."""
    return DeliveryPolicy(
        retry_base=settings.retry.base,
        retry_cap=settings.retry.cap,
        max_attempts=settings.retry.max_attempts,
        max_age=settings.retry.max_age,
        timeout=settings.timeout,
        lease=timedelta(seconds=settings.lease_seconds),
        max_in_flight=settings.max_in_flight,
        rate=settings.rate,
        breaker_failures=settings.breaker.failures,
        breaker_cooldown=settings.breaker.cooldown,
        skip_stale=settings.stale == "skip",
        block_on_dead=settings.on_dead == "block",
        max_block=settings.max_block,
    )


def transport_for(settings: DestinationSettings, around: Surroundings) -> LeanAdapter:
    """The way out to this destination, and to nowhere that its settings do not allow."""
    dialer = dialer_for(settings, clock=around.clock, resolver=around.resolver)
    return LeanAdapter(dialer, limit=settings.max_in_flight, clock=around.clock)


def dialer_for(settings: DestinationSettings, *, clock: Clock, resolver: Resolver = resolve) -> Dialer:
    """What opens connections on that way."""
    guard = EgressGuard(allow_local=settings.allow_local, allow_private=settings.allow_private, resolver=resolver)
    proxy_guard = EgressGuard(allow_local=True, allow_private=True, resolver=resolver)
    with naming(settings, "ca_bundle" if settings.client_cert is None else "client_cert"):
        tls = tls_for(settings.ca_bundle, settings.client_cert)
    return Dialer(guard, tls=tls, now=clock.monotonic, proxy=_proxy(settings), proxy_guard=proxy_guard)


def guarded_adapter(*, allow_inside: bool, clock: Clock, limit: int, resolver: Resolver = resolve) -> LeanAdapter:
    """The way out for somebody who is no destination (the CRM that is asked before an update), under the same guard.

    `allow_inside` admits loopback and private addresses.
    """
    guard = EgressGuard(allow_local=allow_inside, allow_private=allow_inside, resolver=resolver)
    return LeanAdapter(Dialer(guard, tls=tls_for(None, None), now=clock.monotonic), limit=limit, clock=clock)


def url_of(settings: DestinationSettings) -> str:
    """The destination's address with its host name in ASCII and everything encoded that must be."""
    with naming(settings, "url"):
        prepared = PreparedRequest()
        try:
            prepared.prepare_url(settings.url or "", None)
        except RequestException:
            raise ValueError("must be an http:// or https:// address with a host") from None
        return prepared.url or ""


def signing_keys_of(settings: DestinationSettings) -> tuple[bytes, ...]:
    with naming(settings, "signing_secrets"):
        return tuple(signing_key(secret) for secret in settings.signing_secrets)


def transform_of(settings: DestinationSettings) -> Transform | None:
    with naming(settings, "transform"):
        return None if settings.transform is None else Transform(settings.transform)


def _proxy(settings: DestinationSettings) -> Proxy | None:
    with naming(settings, "proxy"):
        return None if settings.proxy is None else proxy_of(settings.proxy)
