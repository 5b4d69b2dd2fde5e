"""`python -m bridge.sandbox`: the sandbox without the rest of the bridge. It may not know an endpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bridge.sandbox import SandboxConfig, run_sandbox


def main(arguments: list[str] | None = None) -> int:
    """0 when it was ended by a signal, 2 with one line on standard error when it could not start."""
    asked = _parser().parse_args(arguments)
    try:
        secret = None
        if asked.webhook_secret_file is not None:
            secret = asked.webhook_secret_file.read_text(encoding="utf-8").strip()
        config = SandboxConfig(
            webhook_url=asked.webhook_url,
            webhook_secret=secret,
            rate_per_minute=asked.rate_per_minute,
            expires_in=asked.expires_in,
            first_version=None,
            seed=asked.seed,
        )
        run_sandbox(config, host=asked.host, port=asked.port, say=lambda text: print(text, flush=True))
    except (ValueError, OSError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bridge.sandbox",
        description="A stand-in for Genesys Cloud, in memory, for trying out and for tests. It is not Genesys Cloud.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8900, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--webhook-url", help="where changes are posted, e.g. http://127.0.0.1:8000/webhooks/genesys")
    parser.add_argument("--webhook-secret-file", type=Path, help="file with the secret that signs them (hub-sha256)")
    parser.add_argument("--rate-per-minute", type=int, default=300, help="calls per token (default: %(default)s)")
    parser.add_argument("--expires-in", type=int, default=3600, help="seconds a token lives (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="makes the ids of merges and purges the same in every run")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
