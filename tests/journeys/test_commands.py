"""Commands end to end: real processes, real HTTP in both directions, and everything that goes wrong on the way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.audit.signing import is_signed_by
from bridge.sandbox import SandboxServer
from tests.commands.office import purge_policy
from tests.journeys.organisation import Receivers, ended, fault, organised, sandbox_for, seen
from tests.journeys.site import Api, Reply, eventually, post
from tests.processes import BridgeFolder, Running
from tests.receivers import Receiver
from tests.sandbox.calling import Caller

CONVERSATION = "/conversations/conv-2001/attributes"
ITEM = {"sku": "AB-1234", "quantity": 41, "price": 19.99, "status": "available"}
MERGE = {"interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]}
CHANGES = 5


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with Receiver() as erp, Receiver() as crm, Receiver() as governance:
        yield Receivers(erp, crm, governance)


@pytest.fixture
def bridge(tmp_path: Path, database_url: str, receivers: Receivers) -> Iterator[BridgeFolder]:
    with organised(tmp_path, database_url, receivers) as folder:
        yield folder


@pytest.fixture
def sandbox(bridge: BridgeFolder) -> Iterator[SandboxServer]:
    with sandbox_for(bridge, purge_polls=1, merge_polls=1) as server:
        yield server


@pytest.fixture
def worker(bridge: BridgeFolder, sandbox: SandboxServer) -> Running:
    """Web and worker run; gives the worker."""
    bridge.start("web")
    started = bridge.start("worker")
    started.wait_output("worker.started")
    bridge.wait_ready()
    return started


@pytest.mark.usefixtures("worker")
def test_eight_writers_of_one_conversation_lose_no_update(
    bridge: BridgeFolder, sandbox: SandboxServer, receivers: Receivers
) -> None:
    """Four send commands, four write to Genesys themselves, all at once; everybody under the version that stands."""
    fault(sandbox, path="/api/v2/conversations/*/attributes", kind="latency", seconds=0.02, times=None)
    operator = Api(bridge, "operator")
    with ThreadPoolExecutor(8) as pool:
        given = [pool.submit(_give, operator, f"command-{number}") for number in range(4)]
        written = [pool.submit(_write, sandbox, f"agent-{number}") for number in range(4)]
        commands = [ended(operator, reply, seconds=60) for one in given for reply in one.result()]
        for one in written:
            one.result()
    assert Counter(command["state"] for command in commands) == {"succeeded": 4 * CHANGES}
    assert sum(command["conflicts"] for command in commands) > 0, "nobody met: this shows nothing"
    stands = seen(sandbox, "conversations")["conv-2001"]
    words = {f"{kind}-{number}": CHANGES for kind in ("command", "agent") for number in range(4)}
    assert words.items() <= stands["attributes"].items(), "each writer's last word"
    assert stands["attributes"]["count"] == 4 * CHANGES, "what was read was still so when it was changed"
    assert stands["version"] == 1 + 8 * CHANGES, "each change once"
    told = receivers.crm.wait_for(8 * CHANGES, timeout=20)
    versions = Counter(request.json()["payload"]["version"] for request in told)
    assert versions == dict.fromkeys(range(2, 2 + 8 * CHANGES), 1), "fact and webhook of one change are one event"


def _give(api: Api, name: str) -> list[Reply]:
    return [
        api.send("PATCH", CONVERSATION, {"attributes": {name: number}}, Prefer="wait=8")
        for number in range(1, CHANGES + 1)
    ]


def _write(sandbox: SandboxServer, name: str) -> None:
    """Somebody else's program, which does as it should: it counts on from what it has read."""
    caller = Caller(sandbox.url).log_in()
    for number in range(1, CHANGES + 1):
        while True:
            read = caller.get("/api/v2/conversations/conv-2001").json()
            attributes = {name: number, "count": read["attributes"].get("count", 0) + 1}
            answer = caller.patch(
                "/api/v2/conversations/conv-2001/attributes",
                {"attributes": attributes},
                {"If-Match": f'"{read["version"]}"'},
            )
            if answer.status_code == 200:
                break
            assert answer.status_code == 412, answer.text


def test_a_worker_killed_between_submit_and_poll_of_a_merge_makes_one_merge(
    bridge: BridgeFolder, sandbox: SandboxServer, receivers: Receivers, worker: Running
) -> None:
    operator = Api(bridge, "operator")
    reply = operator.post("/merges", MERGE)
    path = f"/commands/{reply.body['command']}"
    eventually(lambda: "merged_id" in operator.get(path)["progress"], "submitted")
    worker.kill()
    (merge,) = seen(sandbox, "merges").values()
    assert (merge["submissions"], merge["polls"]) == (1, 0)
    assert operator.get(path)["state"] == "running"
    bridge.start("worker")
    command = ended(operator, reply, seconds=40)
    assert command["state"] == "succeeded", command
    (merge,) = seen(sandbox, "merges").values()
    assert merge["submissions"] == 1
    assert command["result"]["mergedInteractionId"] == merge["id"]
    assert command["result"]["metrics"]["deduplicationAccuracy"] == 1
    (told,) = receivers.crm.wait_for(1)
    assert (told.json()["event"], told.json()["interactionId"]) == ("interaction_merged", merge["id"])


@pytest.mark.usefixtures("worker")
def test_purges_end_as_genesys_ends_them_and_governance_is_told(
    bridge: BridgeFolder, sandbox: SandboxServer, receivers: Receivers
) -> None:
    """Completed, failed, cancelled, and one that Genesys does not know any more: polled at the same time."""
    eva, otto = Api(bridge, "operator", person="eva"), Api(bridge, "approver", person="otto")
    commands = {}
    for kind, end in (("voice", "completed"), ("chat", "failed"), ("email", "cancelled"), ("sms", "unknown")):
        if end in ("failed", "cancelled"):
            fault(sandbox, path="/api/v2/interactions/purge", method="POST", kind="outcome", outcome=end)
        planned = eva.post("/purges", purge_policy(interactionType=kind))
        assert planned.status == 201, planned
        commands[end] = otto.post(f"/purges/{planned.body['id']}/approve", {})
        path = f"/commands/{commands[end].body['command']}"
        eventually(lambda path=path: "purge_id" in eva.get(path)["progress"], "submitted")  # type: ignore[misc]
    unknown = eva.get(path)["progress"]["purge_id"]
    fault(sandbox, path=f"/api/v2/interactions/purge/{unknown}", kind="status", status=404)
    told = {end: ended(eva, reply, seconds=60) for end, reply in commands.items()}
    assert [told[end]["state"] for end in commands] == ["succeeded", "failed", "failed", "failed"]
    assert told["failed"]["error"] == "the purge is failed: see its metrics"
    assert told["cancelled"]["error"] == "the purge is cancelled: see its metrics"
    assert "not know the purge any more" in told["unknown"]["result"]["metrics"]["errorReason"]
    entries = [request.json() for request in receivers.governance.wait_for(4, timeout=20)]
    assert Counter(entry["status"] for entry in entries) == {"completed": 1, "failed": 2, "cancelled": 1}
    for request in receivers.governance.requests:
        entry = request.json()
        assert request.headers["X-Audit-Source"] == "genesys-purge-orchestrator"
        assert request.headers["X-Request-ID"] == entry["auditId"]
        signature = entry.pop("auditSignature")
        assert is_signed_by(signature["publicKey"], entry, signature["value"])


@pytest.mark.usefixtures("worker")
def test_both_forms_of_retry_after_are_waited_for(bridge: BridgeFolder, sandbox: SandboxServer) -> None:
    operator = Api(bridge, "operator")
    began = time.monotonic()
    fault(sandbox, path="*/conv-2001", kind="status", status=429, headers={"Retry-After": "1"})
    assert _given(operator)["state"] == "succeeded"
    assert time.monotonic() - began >= 1
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    fault(
        sandbox,
        path="*/conv-2001",
        kind="status",
        status=429,
        headers={"Retry-After": format_datetime(at, usegmt=True)},
    )
    assert _given(operator)["state"] == "succeeded"
    assert datetime.now(UTC) >= at
    answers = seen(sandbox, "requests")["GET /api/v2/conversations/conv-2001"]["answers"]
    assert answers == {"200": 2, "429": 2}, "asked again when it was time, and not before"


@pytest.mark.usefixtures("worker")
def test_an_outage_opens_the_breaker_and_its_end_closes_it(bridge: BridgeFolder, sandbox: SandboxServer) -> None:
    operator = Api(bridge, "operator")
    fault(sandbox, path="/api/v2/*", kind="status", status=503, times=4)
    command = _given(operator)
    assert command["state"] == "succeeded", command
    assert command["attempts"] == 5
    actions = [entry["action"] for entry in operator.get("/audit?subject=destination:genesys")["items"]]
    assert actions == ["destination.breaker_closed", "destination.breaker_opened"]


@pytest.mark.usefixtures("worker")
def test_the_same_request_sent_many_times_at_once_is_one_command(bridge: BridgeFolder, sandbox: SandboxServer) -> None:
    operator = Api(bridge, "operator")

    def give(_: int) -> Reply:
        headers = {"Idempotency-Key": "k-1", "Prefer": "wait=8"}
        return operator.send("PATCH", CONVERSATION, {"attributes": {"tier": "gold"}}, **headers)

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(give, range(8)))
    assert len({reply.body["command"] for reply in replies}) == 1
    assert Counter(reply.body["repeated"] for reply in replies) == {False: 1, True: 7}
    waited = [reply for reply in replies if "Preference-Applied" in reply.headers]
    assert {reply.status for reply in waited} == {200}
    assert len(waited) >= 1
    eventually(lambda: seen(sandbox, "conversations")["conv-2001"]["version"] == 2, "carried out")
    assert give(0).body["state"] == "succeeded"
    assert seen(sandbox, "conversations")["conv-2001"]["version"] == 2


def test_who_prefers_to_wait_for_nobody_is_let_go(bridge: BridgeFolder, sandbox: SandboxServer) -> None:
    """Without a worker nothing ends: four wait their time, the others are answered at once, and look-ups go on."""
    bridge.start("web")
    bridge.wait_ready()
    operator = Api(bridge, "operator")

    def give(number: int) -> tuple[int, float]:
        began = time.monotonic()
        reply = operator.send(
            "PATCH", f"/conversations/c-{number}/attributes", {"attributes": {"a": 1}}, Prefer="wait=5"
        )
        return reply.status, time.monotonic() - began

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(give, number) for number in range(8)]
        eventually(lambda: len(operator.get("/commands")["items"]) == 8, "all recorded", seconds=5)
        told = [one.result() for one in answers]
    assert {status for status, _ in told} == {202}
    assert sum(seconds >= 5 for _, seconds in told) == 4


@pytest.mark.parametrize("kind", ["fact first", "webhook first"])
def test_who_asked_is_not_told_and_everybody_else_is(bridge: BridgeFolder, receivers: Receivers, kind: str) -> None:
    """Real webhooks, held back until the test lets them go on."""
    with Receiver() as held, sandbox_for(bridge, webhooks_to=held.url) as sandbox:
        bridge.start("web")
        bridge.start("worker").wait_output("worker.started")
        bridge.wait_ready()
        erp_team, operator = Api(bridge, "sender", destination="erp"), Api(bridge, "operator")
        if kind == "webhook first":  # the step goes on after the change, to read the record's log
            fault(sandbox, path="*/auditlogs", kind="latency", seconds=3)
        reply = erp_team.send("PUT", "/records/InventoryItem/item-3001", {"version": 1, "fields": ITEM})
        if kind == "fact first":
            ended(erp_team, reply)
        (webhook,) = held.wait_for(1)
        taken = post(bridge.port, webhook.body, signed=webhook.headers["X-Hub-Signature-256"])
        assert (taken.body["duplicate"], taken.body["deliveries"]) == (kind == "fact first", [])
        assert ended(erp_team, reply)["state"] == "succeeded"
        by_operator = operator.send("PUT", "/records/InventoryItem/item-3002", _priced(260))
        assert ended(operator, by_operator)["state"] == "succeeded"
        (told,) = receivers.erp.wait_for(1)
        assert told.json()["recordId"] == "item-3002"
        recorded = operator.get("/events?type=custom_object.record.updated")["items"]
        assert [event["subject"].rpartition("/")[2] for event in recorded] == ["item-3002", "item-3001"]
        assert recorded[1]["source"] == ("bridge" if kind == "fact first" else "genesys")


def _priced(price: int) -> dict[str, Any]:
    return {"version": 1, "fields": {"sku": "CD-5678", "quantity": 5, "price": price, "status": "reserved"}}


def _given(api: Api) -> dict[str, Any]:
    """An update that was waited for."""
    attributes = {"attributes": {"at": time.monotonic_ns() % 1_000_000}}
    told: dict[str, Any] = dict(ended(api, api.send("PATCH", CONVERSATION, attributes)))
    return told
