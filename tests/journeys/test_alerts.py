"""Alerts of real processes: grouped, about what died, and from the web process where the worker is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.journeys.site import Api, configuration, eventually, post, record_update, site
from tests.receivers import Receiver

OPS = """
[alerts]
destination = "ops"

[health]
stall_seconds = 2

[destinations.ops]
kind = "http"
url = "{url}/alerts"
allow_local = true
events = ["bridge.needs_attention"]
"""


def causes(ops: Receiver) -> list[Any]:
    return [one.json()["data"]["cause"] for one in ops.requests]


def test_dead_deliveries_are_one_alert_and_a_dead_worker_is_told_by_web(tmp_path: Path, database_url: str) -> None:
    with Receiver(lambda _: 400) as erp, Receiver() as ops:
        config = configuration(erp, erp) + OPS.format(url=ops.url)
        with site(tmp_path, database_url, config) as bridge:
            bridge.start("web")
            bridge.wait_ready()
            worker = bridge.start("worker")
            worker.wait_output("worker.started")
            for number in range(5):
                assert post(bridge.port, record_update(f"r-{number}", 1)).body["deliveries"] == ["erp"]
            api = Api(bridge, "viewer")
            eventually(lambda: len(api.get("/deliveries?destination=erp&state=dead")["items"]) == 5, "dead")
            [alert] = ops.wait_for(1, timeout=15)
            told = alert.json()
            assert told["type"] == "com.genesys.bridge.bridge.needs_attention"
            assert told["data"]["destination"] == "erp"
            assert told["data"]["error"]
            assert api.get(f"/deliveries/{told['data']['delivery']}")["state"] == "dead"
            worker.kill()
            assert post(bridge.port, record_update("r-9", 1)).status == 202
            eventually(lambda: "worker.stalled" in causes(ops), "told of the stall", seconds=40)
            assert causes(ops) == ["delivery.dead", "worker.stalled"]
