"""`/metrics` of real processes under traffic: what it says is what the database has, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.journeys.site import attributes_update, configuration, eventually, post, record_update, site
from tests.processes import BridgeFolder
from tests.receivers import Receiver
from tests.telemetry.scraping import scrape, value

RECORDS, CONVERSATIONS, FORGED = 60, 25, 7


@pytest.fixture
def erp() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def crm() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_what_web_and_worker_count_together_is_what_happened(
    tmp_path: Path, database_url: str, erp: Receiver, crm: Receiver
) -> None:
    with site(tmp_path, database_url, configuration(erp, crm)) as bridge:
        bridge.environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "metrics")
        if not database_url.startswith("sqlite"):
            bridge.environment["WEB_CONCURRENCY"] = "2"
        bridge.start("web")
        bridge.wait_ready()
        erp.answers(503, 503)
        worker = bridge.start("worker")
        worker.wait_output("worker.started")
        _send_traffic(bridge.port)
        eventually(lambda: _delivered(bridge) == RECORDS + CONVERSATIONS, "all delivered")
        found = scrape(bridge.url)
        assert value(found, "bridge_events_total", source="genesys", type="custom_object.record.updated") == RECORDS
        assert (
            value(found, "bridge_events_total", source="genesys", type="conversation.attributes.updated")
            == CONVERSATIONS
        )
        assert value(found, "bridge_rejections_total", source="genesys", cause="signature-mismatch") == FORGED
        # The repeats are answered with success too, and record nothing.
        assert value(found, "bridge_ingest_seconds_count") == RECORDS + CONVERSATIONS + 10
        assert value(found, "bridge_deliveries_total", destination="erp", outcome="delivered") == RECORDS
        assert value(found, "bridge_deliveries_total", destination="erp", outcome="retry_later") == 2
        assert value(found, "bridge_delivery_seconds_count") == RECORDS + CONVERSATIONS + 2
        assert value(found, "bridge_end_to_end_seconds_count") == RECORDS + CONVERSATIONS
        web_again = bridge.running[0]
        web_again.kill()
        bridge.start("web")
        bridge.wait_ready()
        after = scrape(bridge.url)
        assert value(after, "bridge_events_total", source="genesys", type="custom_object.record.updated") == RECORDS
        assert value(after, "bridge_backlog", destination="erp") == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_bridge_up_shows_what_its_worker_has_delivered(
    tmp_path: Path, database_url: str, erp: Receiver, crm: Receiver
) -> None:
    with site(tmp_path, database_url, configuration(erp, crm)) as bridge:
        up = bridge.start("up")
        up.wait_output("The bridge runs on")
        assert post(bridge.port, record_update("r-1", 1)).status == 202
        eventually(lambda: _delivered(bridge) == 1, "delivered, and seen from the web process")
        assert up.stop() == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_several_web_processes_count_together_and_leave_nothing_behind(
    tmp_path: Path, database_url: str, erp: Receiver
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with site(tmp_path, database_url, configuration(erp, erp)) as bridge:
        bridge.environment |= {"WEB_CONCURRENCY": "3", "TMPDIR": str(temporary)}
        web = bridge.start("web")
        bridge.wait_ready()
        with ThreadPoolExecutor(4) as senders:
            replies = list(senders.map(lambda number: post(bridge.port, record_update(f"r-{number}", 1)), range(30)))
        assert {reply.status for reply in replies} == {202}
        for _ in range(6):  # whichever of them answers
            found = scrape(bridge.url)
            assert value(found, "bridge_events_total", source="genesys", type="custom_object.record.updated") == 30
        assert list(temporary.glob("bridge-metrics-*")) != []
        assert web.stop() == 0
        assert list(temporary.glob("bridge-metrics-*")) == []


def _send_traffic(port: int) -> None:
    records = [record_update(f"r-{number}", 1) for number in range(RECORDS)]
    conversations = [attributes_update(f"c-{number}", 1) for number in range(CONVERSATIONS)]
    with ThreadPoolExecutor(4) as senders:
        taken = [reply.status for reply in senders.map(lambda body: post(port, body), [*records, *conversations])]
        repeated = [reply.status for reply in senders.map(lambda body: post(port, body), records[:10])]
        forged = list(senders.map(lambda body: post(port, body, signed="sha256=bm8="), records[:FORGED]))
    assert set(taken) == {202}
    assert set(repeated) == {200}
    assert {reply.status for reply in forged} == {401}


def _delivered(bridge: BridgeFolder) -> float:
    found = scrape(bridge.url)
    return sum(
        value(found, "bridge_deliveries_total", destination=name, outcome="delivered") for name in ("erp", "crm")
    )
