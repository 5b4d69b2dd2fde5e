"""The whole state as JSON values: what tests read and the page shows. It may not hold a token or a secret."""

from __future__ import annotations

from bridge.sandbox.model import wire_time
from bridge.sandbox.notices import Notice
from bridge.sandbox.sandbox import NOTICE, Sandbox


def snapshot(sandbox: Sandbox) -> dict[str, object]:
    """Everything, keyed by id: `merges` by `mergeRequestId`, `records` by `<schema>/<id>`; `changes` newest first."""
    world = sandbox.world
    sandbox.let_time_pass()
    with world.lock:
        held: dict[str, object] = {
            "conversations": {key: one.as_json() for key, one in world.conversations.items()},
            "interactions": {key: one.as_json() for key, one in world.interactions.items()},
            "records": {
                f"{schema}/{key}": one.as_json() for schema, kept in world.records.items() for key, one in kept.items()
            },
            "customers": {
                key: {**one.as_json(), **one.as_crm_json(), "name": one.name} for key, one in world.customers.items()
            },
            "merges": {key: one.as_state() for key, one in world.merges.items()},
            "purges": {key: one.as_state() for key, one in world.purges.items()},
            "exports": {key: one.as_json() for key, one in world.exports.items()},
            "changes": [_change(notice) for notice in reversed(world.notices)],
        }
    return {
        "sandbox": True,
        "notice": NOTICE,
        "now": wire_time(sandbox.clock()),
        **held,
        "webhooks": sandbox.sender.as_state(),
        "faults": sandbox.faults.as_state(),
        "tokens": sandbox.tokens.as_state(),
        "requests": sandbox.journal.counts(),
        "newest_requests": sandbox.journal.newest(),
    }


def _change(notice: Notice) -> dict[str, object]:
    return {
        "at": wire_time(notice.at),
        "type": notice.type,
        "subject": notice.subject,
        "version": notice.version,
    }
