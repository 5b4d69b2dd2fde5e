"""The settings, frozen: what the rest of the bridge is handed. It may not read a file or the environment.

Durations are `timedelta`, or seconds (float) where the key is a number of seconds. Keys and defaults: spec, part 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Network = IPv4Network | IPv6Network


class Secret:
    """A secret's text that does not show itself in logs, reprs or tracebacks; ask with `reveal()`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret('…')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    max_body_bytes: int = 512_000
    trusted_proxies: tuple[Network, ...] = ()
    max_backlog: int = 5_000_000
    dedupe_window: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class HealthSettings:
    stall_seconds: float = 60
    metrics_from: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """How a source proves itself; which fields count depends on `scheme`."""

    scheme: Literal["hub-sha256", "hub-sha1", "standard-webhooks", "hmac", "api-key", "basic", "bearer", "none"]
    secrets: tuple[Secret, ...] = ()
    #: `hmac` and `api-key`: the header that holds the signature or the key.
    header: str | None = None
    #: `hmac`: what stands before the signature in the header, e.g. `sha256=`.
    prefix: str = ""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    #: None: the scheme's own (base64 for hub-sha256, hex for hub-sha1 and hmac).
    encoding: Literal["hex", "base64"] | None = None
    #: `hmac`: where set, `<timestamp><joiner><body>` is signed and the timestamp must be within the tolerance.
    timestamp_header: str | None = None
    joiner: str = "."
    tolerance: timedelta = timedelta(seconds=300)
    #: `basic`.
    user: str | None = None
    password: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class SourceSettings:
    name: str
    format: str
    verify: VerifySettings
    allow_unverified: bool = False
    allow_from: tuple[Network, ...] = ()
    #: Requests per second at most; None: no limit.
    rate: float | None = None
    success_status: Literal[200, 202] = 202
    challenge: bool = False
    #: A source silent for longer than this is alerted.
    expect_every: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class AuthSettings:
    type: Literal["none", "bearer", "basic", "api-key", "oauth2-client-credentials"] = "none"
    token: Secret | None = None
    user: str | None = None
    password: Secret | None = None
    #: `api-key`: the header; `token` is its value.
    header: str = "X-API-Key"
    token_url: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    scope: str | None = None


@dataclass(frozen=True, kw_only=True)
class RetrySettings:
    base: float = 1.0
    cap: float = 3600.0
    max_attempts: int = 0
    max_age: timedelta = timedelta(hours=72)


@dataclass(frozen=True, kw_only=True)
class BreakerSettings:
    failures: int = 10
    cooldown: float = 30.0


@dataclass(frozen=True, kw_only=True)
class DestinationSettings:
    name: str
    kind: str
    #: None only for kinds that need none (`genesys`, `datalake` with `sink = "s3"`).
    url: str | None = None
    #: None: those of its kind.
    events: tuple[str, ...] | None = None
    auth: AuthSettings = AuthSettings()
    client_cert: Path | None = None
    ca_bundle: Path | None = None
    signing_secrets: tuple[Secret, ...] = ()
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    transform: str | None = None
    #: Seconds, the total deadline of one try.
    timeout: float = 10.0
    retry: RetrySettings = RetrySettings()
    retry_on: tuple[int, ...] = ()
    reject_on: tuple[int, ...] = ()
    max_in_flight: int = 16
    #: Tries per second at most; None: no limit.
    rate: float | None = None
    order: Literal["record", "none"] = "record"
    stale: Literal["skip", "send"] = "send"
    on_dead: Literal["skip", "block"] = "skip"
    max_block: timedelta = timedelta(hours=24)
    echo: Literal["skip", "send"] = "skip"
    lease_seconds: float = 30.0
    breaker: BreakerSettings = BreakerSettings()
    allow_local: bool = False
    allow_private: bool = False
    #: Not shown: it may hold a password.
    proxy: str | None = field(default=None, repr=False)
    paused: bool = False
    # kind `datalake` only
    bucket: str | None = None
    path: str = "interactions/updated"
    sink: Literal["export", "s3"] = "export"
    endpoint_url: str | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    region: str | None = None


@dataclass(frozen=True, kw_only=True)
class CrmEnrichmentSettings:
    url: str | None = None
    auth: AuthSettings = AuthSettings()
    enrich: Literal["required", "best-effort"] = "best-effort"
    cache_seconds: float = 60.0
    allow_local: bool = False


@dataclass(frozen=True, kw_only=True)
class MergeSettings:
    weights: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"voice": 10, "chat": 7, "email": 5, "sms": 3})
    )
    dedupe_window_seconds: int = 0


@dataclass(frozen=True, kw_only=True)
class PurgeRule:
    """A governance rule: purges of `classification` need at least so many days, or this purge type."""

    classification: str
    min_retention_days: int | None = None
    require_type: Literal["permanent", "soft"] | None = None


#: Spec, part 4, operation 5: hipaa needs at least 2555 days, pii needs permanent.
DEFAULT_PURGE_RULES = (
    PurgeRule(classification="hipaa", min_retention_days=2555),
    PurgeRule(classification="pii", require_type="permanent"),
)


@dataclass(frozen=True, kw_only=True)
class PurgeSettings:
    two_persons: bool = True
    require_expired_window: bool = True
    rules: tuple[PurgeRule, ...] = DEFAULT_PURGE_RULES


@dataclass(frozen=True, kw_only=True)
class GenesysSettings:
    """The Genesys organisation; `client_id` None: no commands can be carried out."""

    api: Literal["interaction", "platform"] = "interaction"
    region: str | None = None
    api_url: str | None = None
    login_url: str | None = None
    client_id: str | None = None
    client_secret: Secret | None = None
    rate_per_minute: int = 300
    max_writes: int = 3
    conflict_tries: int = 3
    retention_days: int = 365
    metadata_source: str = "external-integration"
    verify_history: bool = True
    crm: CrmEnrichmentSettings = CrmEnrichmentSettings()
    merge: MergeSettings = MergeSettings()
    purge: PurgeSettings = PurgeSettings()


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """One field of a record schema. `min` and `max` are inclusive."""

    type: Literal["string", "integer", "decimal", "boolean", "datetime"]
    required: bool = False
    pattern: str | None = None
    min: Decimal | None = None
    max: Decimal | None = None
    min_exclusive: Decimal | None = None
    max_exclusive: Decimal | None = None
    enum: tuple[str | int | Decimal | bool, ...] | None = None
    max_length: int | None = None


@dataclass(frozen=True, kw_only=True)
class MaxProduct:
    fields: tuple[str, ...]
    limit: Decimal


@dataclass(frozen=True, kw_only=True)
class RecordRule:
    """A cross-field rule; exactly one of the three is set."""

    #: Not all of these fields may have these values at once.
    forbid: Mapping[str, object] | None = None
    #: These fields must be there.
    require: tuple[str, ...] | None = None
    max_product: MaxProduct | None = None


@dataclass(frozen=True, kw_only=True)
class RecordSchema:
    name: str
    fields: Mapping[str, FieldRule]
    rules: tuple[RecordRule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RetentionSettings:
    delivered_days: int = 7
    dead_days: int = 90
    rejections_days: int = 7
    audit_days: int = 2190


@dataclass(frozen=True, kw_only=True)
class LegalHold:
    """A hold declared in the file: exactly one of subject, customer or type with a range is set."""

    subject: str | None = None
    customer: str | None = None
    type: str | None = None
    from_: date | datetime | None = None
    to: date | datetime | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    #: Name of a destination of kind `http`; None: alerts are log lines.
    destination: str | None = None
    every: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything, checked. Mappings keep the order of the file."""

    server: ServerSettings = ServerSettings()
    health: HealthSettings = HealthSettings()
    sources: Mapping[str, SourceSettings] = field(default_factory=lambda: MappingProxyType({}))
    destinations: Mapping[str, DestinationSettings] = field(default_factory=lambda: MappingProxyType({}))
    genesys: GenesysSettings = GenesysSettings()
    schemas: Mapping[str, RecordSchema] = field(default_factory=lambda: MappingProxyType({}))
    personal: tuple[str, ...] = ()
    retention: RetentionSettings = RetentionSettings()
    legal_holds: tuple[LegalHold, ...] = ()
    alerts: AlertSettings = AlertSettings()
    # environment
    config_path: Path = Path("bridge.toml")
    #: Not shown: it may hold a password.
    database_url: str = field(default="sqlite:///bridge.db", repr=False)
    #: None: the caller's own default (web 0.0.0.0, up 127.0.0.1).
    host: str | None = None
    port: int = 8000
    #: None only where it is not needed (`bridge check`); web and worker do not start without.
    secret_key: Secret | None = None
    #: The other secrets of BRIDGE_SECRET_KEY, from before: they open, and never seal.
    older_secret_keys: tuple[Secret, ...] = ()
    #: The file that they are in; None where they are in the environment.
    secret_key_file: Path | None = None
    web_concurrency: int = 1
    web_threads: int = 16
    worker_concurrency: int = 16
    log_level: str = "INFO"
    #: None: JSON lines, readable text on a terminal.
    log_format: Literal["json", "text"] | None = None
    #: NO_COLOR (https://no-color.org): no colours, not even on a terminal.
    no_color: bool = False
    #: BRIDGE_ALLOW_UNSAFE_DATABASE: accept a PostgreSQL that may lose acknowledged commits.
    allow_unsafe_database: bool = False
    #: PROMETHEUS_MULTIPROC_DIR: where the processes of this machine count together; None: each for itself.
    metrics_folder: Path | None = None
    #: OTEL_*: tell of the work as OpenTelemetry traces.
    traces: bool = False
    #: What checks, but a person should know (an unverified source, …).
    warnings: tuple[str, ...] = ()
