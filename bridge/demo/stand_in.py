"""`python -m bridge.demo.stand_in`: the sandbox as a process of the demo, where merges and purges end soon.

It may not be used for anything else: `python -m bridge.sandbox` is the one for people.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bridge.sandbox import SandboxConfig, run_sandbox
from bridge.supervisor import hold_lifeline

CLIENT_ID = "demo-client"
#: Asked the second time whether it is done, a merge is; a purge the first time, as nobody asks before 15 s.
MERGE_POLLS = 2
PURGE_POLLS = 1


def main() -> None:
    """Serve until a signal, or until the demo is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--client-secret-file", type=Path, required=True)
    parser.add_argument("--webhook-url", required=True)
    parser.add_argument("--webhook-secret-file", type=Path, required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    asked = parser.parse_args()
    hold_lifeline(asked.lifeline)
    config = SandboxConfig(
        client_id=CLIENT_ID,
        client_secret=_secret(asked.client_secret_file),
        webhook_url=asked.webhook_url,
        webhook_secret=_secret(asked.webhook_secret_file),
        merge_polls=MERGE_POLLS,
        purge_polls=PURGE_POLLS,
    )
    run_sandbox(config, port=asked.port)


def _secret(path: Path) -> str:
    return path.read_text("utf-8").strip()


if __name__ == "__main__":
    main()
