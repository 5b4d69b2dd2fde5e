"""A source as the receiver uses it: its check, its format, its pace. It may not read a request."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.clock import Clock
from bridge.errors import ConfigurationError
from bridge.intake.bucket import TokenBucket
from bridge.intake.formats import Format, find_format
from bridge.intake.ledger import BRIDGE
from bridge.intake.verification import Verifier, build_verifier
from bridge.settings.model import SourceSettings


@dataclass(frozen=True, kw_only=True)
class Source:
    """Everything about a source that is made once."""

    name: str
    settings: SourceSettings
    verify: Verifier
    format: Format
    #: None: no limit.
    bucket: TokenBucket | None


def build_source(settings: SourceSettings, clock: Clock) -> Source:
    """Raises ConfigurationError, naming the key, where a source could let anybody in or cannot read anything."""
    if settings.name == BRIDGE:
        raise ConfigurationError([f"sources.{BRIDGE}: the name is taken by the bridge's own facts; choose another"])
    if settings.verify.scheme == "none" and not settings.allow_unverified:
        raise ConfigurationError(
            [f"sources.{settings.name}.verify.scheme: none is only allowed with allow_unverified = true"]
        )
    try:
        verify, wire_format = build_verifier(settings.verify), find_format(settings.format)
    except ConfigurationError as wrong:
        raise ConfigurationError(f"sources.{settings.name}.{problem}" for problem in wrong.problems) from None
    rate = settings.rate
    bucket = TokenBucket(rate=rate, burst=max(1.0, rate), clock=clock) if rate is not None else None
    return Source(name=settings.name, settings=settings, verify=verify, format=wire_format, bucket=bucket)
