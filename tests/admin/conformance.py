"""The API against its own OpenAPI document, by schemathesis: `python -m tests.admin.conformance [--seconds N]`."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bridge import migrate
from bridge.admin.access import Role
from bridge.database import open_database
from tests.admin.day import Day, passing_day

_HERE = Path(__file__).parent.parent.parent
#: Who calls, where an admin may not.
_OTHERS = {
    "approve_purge": Role.APPROVER,
    "reveal_raw_body": Role.APPROVER,
    "verify_audit": Role.AUDITOR,
    "export_audit": Role.AUDITOR,
}
#: Where what a schema allows may break a rule that no schema can say: 422 is a right answer then, and 400 for what no
#: database stores (U+0000, integers of more than 64 bit).
_RULES_BEYOND = {
    "update_interaction": "attributes or a disposition code",
    "update_conversation_attributes": "the profile has no participants; values have bounds by type",
    "merge_interactions": "two different interactions at least",
    "update_record": "names and values by the record's schema",
    "plan_purge": "the range lies far enough in the past; everything is said",
    "cancel_deliveries": "only the API can make a cursor; the span ends after it begins",
    "create_replay": "a reason unless it is a dry run; the span, and the state by destination",
    "post_token": "an expiry in the future; a destination that there is",
    "verify_audit": "both or neither",
    "preview": "a command has no request",
    "receive_webhook": "the format of the source",
    "reparse_event": "what was kept may still not be of its format",
    "post_hold": "exactly one of three is named",
    "post_erasure": "exactly one of two is named; a reason unless it is a dry run",
    "get_summary": "the span ends after it begins",
    "delete_token": "a reason has bounds",
}


@dataclass(frozen=True)
class Verdict:
    #: 0: every check held.
    code: int
    #: What schemathesis said, its summary at the end.
    told: str


def conform(day: Day, folder: Path, *, seed: int, options: list[str]) -> Verdict:
    """Let schemathesis loose on the day's API; `options` are its own."""
    config = folder / "schemathesis.toml"
    config.write_text(_config(day))
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "--config-file", config, "run"),
            *(f"{day.address}/api/openapi.json", "--seed", str(seed), "--checks", "all", "--no-color", *options),
        ],
        cwd=folder,
        env={"PYTHONPATH": str(_HERE), "PATH": "", "HOME": str(folder), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Verdict(done.returncode, done.stdout + done.stderr)


def _config(day: Day) -> str:
    own = [
        f"""[[operations]]
include-operation-id = "{operation}"
headers = {{ Authorization = "Bearer {day.tokens[role]}" }}
"""
        for operation, role in _OTHERS.items()
    ]
    beyond = [
        f"""[[operations]]
include-operation-id = "{operation}"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 422, 429, 503]
"""
        for operation in _RULES_BEYOND
    ]
    return f"""
hooks = "tests.admin.conformance_hooks"
headers = {{ Authorization = "Bearer {day.tokens[Role.ADMIN]}" }}
warnings = false

[parameters]
"header.Prefer" = "respond-async"

# It would revoke the token that it comes with.
[[operations]]
include-operation-id = "delete_token"
enabled = false

{"".join(own)}
{"".join(beyond)}"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.admin.conformance", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long, at most (default: 300)")
    parser.add_argument("--seed", type=int, help="what is generated; default: the time")
    chosen = parser.parse_args()
    seed = int(time.time()) if chosen.seed is None else chosen.seed
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="bridge-conformance-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'bridge.db'}"
        database = open_database(url)
        migrate.upgrade(database)
        database.close()
        with passing_day(url, everybody_from_elsewhere=True) as day:
            options = ["--max-time", str(chosen.seconds), "--continue-on-failure", "--max-examples", "200"]
            verdict = conform(day, folder, seed=seed, options=options)
    print(verdict.told)
    return verdict.code


if __name__ == "__main__":
    sys.exit(main())
