"""The main job, end to end: real processes, real HTTP, both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from tests.journeys.site import (
    SIGNING_SECRET,
    Api,
    attributes_update,
    configuration,
    eventually,
    post,
    record_update,
    signature,
    site,
)
from tests.processes import BridgeFolder, Running
from tests.receivers import Answer, Received, Receiver


@pytest.fixture
def erp() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def crm() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def bridge(tmp_path: Path, database_url: str, erp: Receiver, crm: Receiver) -> Iterator[BridgeFolder]:
    with site(tmp_path, database_url, configuration(erp, crm)) as folder:
        folder.start("web")
        folder.wait_ready()
        yield folder


@pytest.fixture
def worker(bridge: BridgeFolder) -> Running:
    started = bridge.start("worker")
    started.wait_output("worker.started")
    return started


@pytest.mark.usefixtures("worker")
def test_a_record_webhook_reaches_the_erp_under_one_webhook_id_over_all_tries(
    bridge: BridgeFolder, erp: Receiver
) -> None:
    erp.answers(503, Answer(429, {"Retry-After": "0"}))
    reply = post(bridge.port, record_update("r-1", 3, quantity=5))
    assert reply.status == 202
    assert reply.body["deliveries"] == ["erp"]
    tries = erp.wait_for(3, timeout=15)
    assert tries[0].json() == {
        "source": "genesys-cloud",
        "schemaName": "InventoryItem",
        "recordId": "r-1",
        "timestamp": "2026-05-01T10:00:03Z",
        "modifiedBy": "user-1",
        "fields": {"sku": "WH-1042", "quantity": 5},
    }
    assert len({one.headers["webhook-id"] for one in tries}) == 1
    for one in tries:
        assert one.headers["Idempotency-Key"] == one.headers["webhook-id"]
        Webhook(SIGNING_SECRET).verify(one.body, dict(one.headers.items()))


@pytest.mark.usefixtures("worker")
def test_a_dead_delivery_replayed_over_the_api_arrives(bridge: BridgeFolder, erp: Receiver) -> None:
    mended = False

    def answer(_: Received) -> int:
        return 200 if mended else 422

    erp.answer = answer
    post(bridge.port, record_update("r-1", 1))
    operator = Api(bridge, "operator")
    eventually(lambda: bool(operator.get("/deliveries?state=dead")["items"]), "dead")
    (dead,) = operator.get("/deliveries?state=dead&destination=erp")["items"]
    assert dead["last_status"] == 422
    mended = True
    ordered = operator.post(f"/deliveries/{dead['id']}/replay", {"reason": "the ERP was mended"})
    assert ordered.status == 202
    again = ordered.body["id"]
    eventually(lambda: operator.get(f"/deliveries/{again}")["state"] == "delivered", "delivered")
    assert operator.get(f"/deliveries/{again}")["replay_of"] == dead["id"]
    assert len({one.headers["webhook-id"] for one in erp.wait_for(2)}) == 1
    actions = [entry["action"] for entry in operator_audit(bridge)]
    assert {"event.recorded", "delivery.dead", "delivery.delivered"} <= set(actions)


def operator_audit(bridge: BridgeFolder) -> list[dict[str, object]]:
    items: list[dict[str, object]] = Api(bridge, "auditor").get("/audit?limit=100")["items"]
    return items


@pytest.mark.usefixtures("worker")
def test_many_dead_are_replayed_by_one_order(bridge: BridgeFolder, erp: Receiver) -> None:
    erp.answer = lambda _: 422
    for number in range(12):
        post(bridge.port, record_update(f"r-{number}", 1))
    operator = Api(bridge, "operator")
    eventually(lambda: len(operator.get("/deliveries?state=dead")["items"]) == 12, "all dead")
    erp.answer = lambda _: 204
    chosen = {"destination": "erp", "state": "dead"}
    counted = operator.post("/replays", {"filter": chosen, "reason": "mended", "mode": "every", "dry_run": True})
    assert (counted.status, counted.body["matched"], counted.body["by_destination"]) == (200, 12, {"erp": 12})
    ordered = operator.post("/replays", {"filter": chosen, "reason": "mended", "mode": "every", "rate": 100})
    assert ordered.status == 202
    path = f"/replays/{ordered.body['id']}"
    eventually(lambda: operator.get(path)["state"] == "completed", "replayed")
    assert operator.get(path)["delivered"] == 12


@pytest.mark.usefixtures("worker")
def test_the_same_webhook_again_fans_out_once_and_a_forged_one_not_at_all(
    bridge: BridgeFolder, crm: Receiver, erp: Receiver
) -> None:
    body = attributes_update("c-1", 1)
    first, second = post(bridge.port, body), post(bridge.port, body)
    forged = post(bridge.port, body, signed=signature(body, "another secret"))
    assert (first.status, second.status, forged.status) == (202, 200, 401)
    assert (second.body["id"], second.body["duplicate"], second.body["deliveries"]) == (first.body["id"], True, [])
    assert forged.headers["Content-Type"] == "application/problem+json"
    (request,) = crm.wait_for(1)
    assert request.json() == json.loads(body)
    post(bridge.port, attributes_update("c-1", 2))
    crm.wait_for(2)
    assert [one.json()["payload"]["version"] for one in crm.wait_for(2)] == [1, 2]
    assert erp.wait_for(0) == []


def test_accepted_webhooks_survive_a_stop_of_the_worker_and_go_out_when_it_is_back(
    bridge: BridgeFolder, worker: Running, erp: Receiver
) -> None:
    assert worker.stop() == 0
    for number in range(20):
        assert post(bridge.port, record_update(f"r-{number}", 1)).status == 202
    assert erp.wait_for(0) == []
    bridge.start("worker")
    assert len({one.json()["recordId"] for one in erp.wait_for(20, timeout=20)}) == 20
