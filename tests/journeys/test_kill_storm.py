"""kill -9 of web and worker under load, with accounting: sent, acknowledged, delivered, lost, doubled, out of order."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

from tests.journeys.site import attributes_update, configuration, eventually, post, site
from tests.processes import BridgeFolder, Running
from tests.receivers import Receiver

SEED = int(os.environ.get("BRIDGE_TEST_SEED", "20261122"))
CONVERSATIONS = 12
VERSIONS = 15
KILLS = 10


@dataclass
class Account:
    """What was sent and what was said to it; one conversation is sent by one thread, in order."""

    attempted: Counter[str] = field(default_factory=Counter)
    acknowledged: set[tuple[str, int]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


def test_nothing_acknowledged_is_lost_and_nothing_overtakes_when_every_process_is_killed(
    tmp_path: Path, database_url: str
) -> None:
    print(f"seed {SEED}")
    rng = Random(SEED)
    with Receiver() as erp, Receiver() as crm, site(tmp_path, database_url, configuration(erp, crm)) as bridge:
        account, storm_is_over = Account(), threading.Event()
        running = {name: bridge.start(name) for name in ("web", "worker")}
        bridge.wait_ready()
        senders = [
            threading.Thread(target=_send, args=(bridge.port, f"c-{number}", account, storm_is_over))
            for number in range(CONVERSATIONS)
        ]
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            _kill_one(bridge, running, rng)
        storm_is_over.set()
        for sender in senders:
            sender.join(timeout=60)
            assert not sender.is_alive()
        with suppress(AssertionError):  # the account says how much is missing
            eventually(lambda: _delivered(crm) >= account.acknowledged, "drained unaided", seconds=40)
        _judge(account, crm)


def _send(port: int, conversation: str, account: Account, storm_is_over: threading.Event) -> None:
    """Post version after version, each until it is acknowledged; go on at least until the storm is over."""
    version = 0
    while version < VERSIONS or not storm_is_over.is_set():
        version += 1
        body = attributes_update(conversation, version)
        while True:
            account.attempted[conversation] += 1
            try:
                reply = post(port, body)
            except OSError:
                time.sleep(0.05)  # the sender's own pace against a dead port, not a wait for luck
                continue
            if reply.status in (200, 202):
                break
            assert reply.status == 503, reply
        with account.lock:
            account.acknowledged.add((conversation, version))


def _kill_one(bridge: BridgeFolder, running: dict[str, Running], rng: Random) -> None:
    """SIGKILL to web or worker in the middle of its work, then the same program again."""
    time.sleep(rng.uniform(0.2, 0.7))
    name = rng.choice(["web", "worker", "worker"])
    running[name].kill()
    running[name] = bridge.start(name)
    if name == "web":
        bridge.wait_ready()


def _delivered(crm: Receiver) -> set[tuple[str, int]]:
    requests = crm.wait_for(0)
    return {(one.json()["payload"]["conversationId"], one.json()["payload"]["version"]) for one in requests}


def _judge(account: Account, crm: Receiver) -> None:
    arrived: dict[str, list[int]] = {}
    ids: dict[tuple[str, int], set[str]] = {}
    for one in crm.requests:
        payload = one.json()["payload"]
        arrived.setdefault(payload["conversationId"], []).append(payload["version"])
        ids.setdefault((payload["conversationId"], payload["version"]), set()).add(one.headers["webhook-id"])
    delivered = _delivered(crm)
    overtaken = sum(later < earlier for versions in arrived.values() for earlier, later in pairwise(versions))
    lost = account.acknowledged - delivered
    doubled = len(crm.requests) - len(delivered)
    print(
        f"attempted {sum(account.attempted.values())}, acknowledged {len(account.acknowledged)}, "
        f"delivered {len(delivered)}, lost {len(lost)}, doubled {doubled}, out of order {overtaken}, kills {KILLS}"
    )
    assert not lost, f"seed {SEED}: acknowledged and lost: {sorted(lost)}"
    assert overtaken == 0, f"seed {SEED}: {overtaken} went out of order"
    assert all(len(one) == 1 for one in ids.values()), "a repeat must carry the webhook-id of the first"
    assert doubled <= KILLS * 32, "only what was in flight when a worker died may be sent again"
