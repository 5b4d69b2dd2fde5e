"""Posts one webhook to a running bridge, as a source would. It may not record anything itself."""

from __future__ import annotations

from urllib.parse import quote

import click
import requests

from bridge.cli.edge import REFUSED
from bridge.cli.signing import signed_headers
from bridge.clock import SystemClock
from bridge.errors import ConfigurationError, TemporarilyUnavailable
from bridge.settings import Settings, read_settings
from bridge.settings.model import SourceSettings

_TIMEOUT_SECONDS = 15


def post_signed(source_name: str, body: bytes, url: str | None) -> None:
    """Post `body` to /webhooks/<source_name> below `url`, signed with the source's scheme and secret; print the answer.

    Raises SystemExit where the bridge did not accept it, TemporarilyUnavailable where it does not answer.
    """
    settings = read_settings()
    source = _source(settings, source_name)
    base = (url or f"http://127.0.0.1:{settings.port}").rstrip("/")
    headers = {"Content-Type": "application/json", **signed_headers(source, body, SystemClock().now())}
    try:
        answer = requests.post(
            f"{base}/webhooks/{quote(source.name)}",
            data=body,
            headers=headers,
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as failed:
        raise TemporarilyUnavailable(
            f"nothing answers at {base} ({type(failed).__name__}); start it with `bridge up`, or say --url"
        ) from failed
    click.echo(f"{answer.status_code} {answer.reason}", err=True)
    click.echo(answer.text)
    if not answer.ok:
        raise SystemExit(REFUSED)


def _source(settings: Settings, name: str) -> SourceSettings:
    source = settings.sources.get(name)
    if source is None:
        known = ", ".join(settings.sources) or "none is configured"
        raise ConfigurationError([f"sources.{name}: there is no such source; known: {known}"])
    return source
