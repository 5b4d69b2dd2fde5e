"""What a sandbox can be told. It may not read the environment or a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

#: Printed and shown to everybody: they open nothing but a sandbox.
DEMO_CLIENT_ID = "sandbox-client"
DEMO_CLIENT_SECRET = "sandbox-secret"  # noqa: S105 (public on purpose, see above)

#: Every scope that an operation of profile `interaction` names.
SCOPES = (
    "analytics:query",
    "conversation:attributes:write",
    "conversation:read",
    "customobjects:read",
    "customobjects:write",
    "integration:export",
    "interaction:merge",
    "interaction:read",
    "interaction:update",
    "purge:read",
    "purge:write",
)


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """One sandbox. Raises `ValueError` naming the field when it does not check."""

    client_id: str = DEMO_CLIENT_ID
    client_secret: str = field(default=DEMO_CLIENT_SECRET, repr=False)
    #: What the client may ask for; a token without `scope` gets all of them.
    scopes: tuple[str, ...] = SCOPES
    #: Seconds that a token lives.
    expires_in: int = 3600
    #: Calls per token and minute (Source: https://developer.genesys.cloud/platform/api/rate-limits).
    rate_per_minute: int = 300
    #: Where changes are posted; None: nowhere.
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    #: Times that one webhook is posted before it is given up.
    webhook_tries: int = 4
    #: Seconds before the first repeat, doubled for each further one.
    webhook_backoff: float = 0.25
    #: Seconds to wait for the answer of one post.
    webhook_timeout: float = 5.0
    #: The poll that finds a merge completed (0: at once); None: polls do not move it.
    merge_polls: int | None = 3
    #: Seconds after which a merge is completed even unpolled; None: time does not move it.
    merge_seconds: float | None = None
    purge_polls: int | None = 3
    purge_seconds: float | None = None
    #: Whether `X-Genesys-Idempotency-Key` is honoured; merges know their `mergeRequestId` in any case.
    honour_idempotency_keys: bool = True
    #: The version of every example; None: seconds since 2026, so that a restart never goes back behind a
    #: version that a bridge already knows.
    first_version: int | None = 1
    #: Ids that follow from one seed are the same in every run; None: random.
    seed: int | None = 1
    max_body_bytes: int = 512_000

    def __post_init__(self) -> None:
        if self.webhook_url is not None:
            self._check_webhook(self.webhook_url)
        unknown = sorted(set(self.scopes) - set(SCOPES))
        if unknown:
            raise ValueError(f"scopes: not a scope of this sandbox: {', '.join(unknown)}")
        for name, least in (("rate_per_minute", 1), ("webhook_tries", 1), ("max_body_bytes", 1), ("expires_in", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: at least {least}")
        if not self.client_id or not self.client_secret or ":" in self.client_id:
            raise ValueError("client_id and client_secret: not empty, no colon in the id (Basic auth)")

    def _check_webhook(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("webhook_url: an http(s) URL without user and password in it")
        if not self.webhook_secret:
            raise ValueError("webhook_secret: required with webhook_url, webhooks are always signed")


def connection(url: str, config: SandboxConfig) -> dict[str, str]:
    """The environment that connects a bridge."""
    public = config.client_secret == DEMO_CLIENT_SECRET
    return {
        "GENESYS_API": "interaction",
        "GENESYS_API_URL": url,
        "GENESYS_LOGIN_URL": url,
        "GENESYS_CLIENT_ID": config.client_id,
        "GENESYS_CLIENT_SECRET": config.client_secret if public else "(as you set it)",
    }
