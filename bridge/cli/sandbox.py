"""`bridge sandbox`: the stand-in for Genesys, from the bridge's own command line. It may not know an endpoint."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.errors import ConfigurationError
from bridge.sandbox import SandboxConfig, run_sandbox


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8900,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--webhook-url", help="Where changes are posted, like http://127.0.0.1:8000/webhooks/genesys.")
@click.option(
    "--webhook-secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the secret that signs them (hub-sha256).",
)
@click.option(
    "--rate-per-minute", type=click.IntRange(min=1), default=300, show_default=True, help="Calls per token and minute."
)
@click.option(
    "--expires-in", type=click.IntRange(min=1), default=3600, show_default=True, help="Seconds a token lives."
)
@click.option("--seed", type=int, help="Makes the ids of merges and purges the same in every run.")
def command(
    host: str,
    port: int,
    webhook_url: str | None,
    webhook_secret_file: Path | None,
    rate_per_minute: int,
    expires_in: int,
    seed: int | None,
) -> None:
    """A stand-in for Genesys Cloud, in memory, for trying out and for tests, until Ctrl-C. It is not Genesys Cloud."""
    try:
        config = SandboxConfig(
            webhook_url=webhook_url,
            webhook_secret=webhook_secret_file.read_text(encoding="utf-8").strip() if webhook_secret_file else None,
            rate_per_minute=rate_per_minute,
            expires_in=expires_in,
            first_version=None,
            seed=seed,
        )
        run_sandbox(config, host=host, port=port, say=click.echo)
    except (ValueError, OSError) as wrong:
        raise ConfigurationError([f"sandbox: {wrong}"]) from wrong
