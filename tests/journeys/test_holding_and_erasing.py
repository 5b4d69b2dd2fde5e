"""A hold and an erasure across processes: what one is told, another obeys at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.journeys.site import Api, attributes_update, configuration, post, site
from tests.receivers import Receiver

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVA = "conversation:eva"


def test_a_hold_from_a_terminal_stops_a_web_process_that_runs(tmp_path: Path, database_url: str) -> None:
    with Receiver() as crm, site(tmp_path, database_url, configuration(crm, crm)) as bridge:
        bridge.start("web")
        bridge.wait_ready()
        admin = Api(bridge, "admin")
        assert post(bridge.port, attributes_update("eva", 1)).status == 202
        placed = bridge.run("holds", "add", "--subject", EVA, "--reason", "case 7", "--json")
        hold = json.loads(placed.stdout)["id"]
        order = {"subject": EVA, "reason": "she asked us to"}
        refused = admin.post("/erasures", order)
        assert (refused.status, hold in refused.body["detail"]) == (409, True)
        assert admin.post(f"/holds/{hold}/release", {"reason": "closed"}).status == 200
        done = admin.post("/erasures", order)
        assert (done.status, done.body["events"], done.body["cancelled"]) == (200, 1, {"crm": 1})
        (event,) = admin.get(f"/events?subject={EVA}")["items"]
        assert (event["payload"], event["erased"]) == (None, True)
