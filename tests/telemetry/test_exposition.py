"""Who sees `/metrics`, and how things stand as the database has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from types import MappingProxyType

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert

from bridge.admin.access import Role
from bridge.admin.tokens import create_token
from bridge.app import Running, create_app
from bridge.settings.model import DestinationSettings, HealthSettings, Secret, ServerSettings, Settings
from bridge.tables import DeliveryRow, DestinationStateRow, EventRow, LaneRow, core
from bridge.telemetry.exposition import is_open
from bridge.wiring import Wiring
from tests.fakes import FakeClock
from tests.telemetry.scraping import samples, value

LOOPBACK = (ip_network("127.0.0.0/8"),)
ERP = DestinationSettings(name="erp", kind="erp", url="http://127.0.0.1:9/", allow_local=True)

COUNTERS = (
    *("events", "rejections", "deliveries", "genesys_requests"),
    *("conflicts", "commands", "retries", "violations", "purged"),
)
HISTOGRAMS = ("ingest", "delivery", "end_to_end", "genesys")
GAUGES = ("backlog", "oldest_seconds", "dead", "blocked_lanes", "breaker_open", "audit_unsealed")


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database_url=database_url,
        secret_key=Secret("a bridge secret key for tests, long enough"),
        destinations=MappingProxyType({"erp": ERP}),
        server=ServerSettings(trusted_proxies=(ip_network("10.0.0.1/32"),)),
        health=HealthSettings(metrics_from=(ip_network("127.0.0.0/8"), ip_network("192.0.2.0/24"))),
    )


@pytest.fixture
def running(settings: Settings) -> Iterator[tuple[FlaskClient, Wiring]]:
    app = create_app(settings)
    bridge: Running = app.extensions["bridge"]
    yield app.test_client(), bridge.wiring
    bridge.close()


@pytest.mark.parametrize(
    ("environ", "seen"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "198.51.100.7"}, False),
        ({"REMOTE_ADDR": ""}, False),
        # A proxy on this machine that nobody has named: its address is not the caller's.
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=127.0.0.1"}, False),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.7"}, False),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1, 198.51.100.7"}, False),
    ],
)
def test_it_is_open_to_the_addresses_of_the_settings_and_believes_only_proxies_named_there(
    environ: dict[str, str], seen: bool
) -> None:
    assert is_open(environ, LOOPBACK, (ip_network("10.0.0.1/32"),)) is seen


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_has_every_metric_of_the_contract_and_no_other(running: tuple[FlaskClient, Wiring]) -> None:
    client, _ = running
    lines = [line.split(" ") for line in client.get("/metrics").text.splitlines() if line.startswith("# TYPE")]
    assert {name: kind for _, _, name, kind in lines} == {
        **dict.fromkeys((f"bridge_{name}_total" for name in COUNTERS), "counter"),
        **dict.fromkeys((f"bridge_{name}_seconds" for name in HISTOGRAMS), "histogram"),
        **dict.fromkeys((f"bridge_{name}" for name in GAUGES), "gauge"),
    }


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_elsewhere_it_takes_a_token_that_may_look(running: tuple[FlaskClient, Wiring]) -> None:
    client, wiring = running
    elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.9"}).status_code == 200
    assert client.get("/metrics", environ_base=elsewhere).status_code == 401
    for role, status in ((Role.VIEWER, 200), (Role.SENDER, 403)):
        bearer = {"Authorization": f"Bearer {token(wiring, role)}"}
        assert client.get("/metrics", environ_base=elsewhere, headers=bearer).status_code == status


def test_the_gauges_tell_how_things_stand_and_are_not_asked_of_the_database_each_time(
    running: tuple[FlaskClient, Wiring], clock: FakeClock
) -> None:
    client, wiring = running
    stand(wiring)
    text = client.get("/metrics").text
    found = samples(text)
    assert value(found, "bridge_backlog", destination="erp") == 4
    assert value(found, "bridge_dead", destination="erp") == 1
    assert value(found, "bridge_blocked_lanes", destination="erp") == 1
    assert value(found, "bridge_breaker_open", destination="erp") == 1
    assert 59 < value(found, "bridge_oldest_seconds", destination="erp") < 90
    assert value(found, "bridge_audit_unsealed") == 0
    with wiring.database.write() as session:
        session.execute(core(LaneRow).update().values(blocked_at=None))
    assert samples(client.get("/metrics").text)[("bridge_blocked_lanes", (("destination", "erp"),))] == 1
    assert "record:x" not in text


def stand(wiring: Wiring) -> None:
    """A lane with three that wait, and one whose dead head holds back another; all since a minute. An open breaker."""
    now = wiring.clock.now()
    then = now - timedelta(minutes=1)
    lanes = [
        {"lane_id": 1, "destination": "erp", "subject": "record:x/1", "last_seq": 3, "head_seq": 1, "due_at": now},
        {"lane_id": 2, "destination": "erp", "subject": "record:x/2", "last_seq": 2, "head_seq": 1, "blocked_at": now},
    ]
    event = {"id": "e", "source": "s", "type": "t", "subject": "record:x/1", "received_at": then, "payload": {}}
    common = {"event_id": "e", "destination": "erp", "webhook_id": "w", "carries": "change", "created_at": then}
    rows = [{"lane_id": 1, "seq": seq, "id": f"d-1{seq}", "state": "pending", **common} for seq in (1, 2, 3)]
    rows.append({"lane_id": 2, "seq": 1, "id": "d-21", "state": "dead", "finished_at": now, **common})
    rows.append({"lane_id": 2, "seq": 2, "id": "d-22", "state": "pending", **common})
    with wiring.database.write() as session:
        session.execute(insert(core(EventRow)), {**event, "body": b""})
        for lane in lanes:
            session.execute(insert(core(LaneRow)), lane)
        for row in rows:
            session.execute(insert(core(DeliveryRow)), row)
        session.execute(insert(core(DestinationStateRow)), {"name": "erp", "open_until": now})


def token(wiring: Wiring, role: Role) -> str:
    with wiring.database.write() as session:
        _, text = create_token(
            session,
            name=role.value,
            person=role.value,
            role=role,
            expires_at=None,
            destination=None,
            now=wiring.clock.now(),
            actor="cli:test",
            notes=wiring.notes,
            reason="a test",
        )
        return text
