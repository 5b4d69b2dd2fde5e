"""The CRM client."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigurationError
from bridge.genesys.enrichment import Crm
from bridge.genesys.errors import Unavailable
from bridge.genesys.exchange import Exchanger
from bridge.genesys.wire import Tally
from bridge.settings.model import AuthSettings, CrmEnrichmentSettings, Secret
from tests.fakes import FakeClock
from tests.genesys.fake_genesys import CRM_URL, FakeGenesys, Says

PATH = "/v1/customers/cu-1"


def crm(genesys: FakeGenesys, clock: FakeClock, auth: AuthSettings | None = None) -> Crm:
    settings = CrmEnrichmentSettings(url=f"{CRM_URL}/", auth=auth or AuthSettings())
    return Crm(settings, exchanger=Exchanger(adapter=genesys, clock=clock), clock=clock)


@pytest.mark.parametrize(
    ("answer", "attributes"),
    [
        ({"lifetimeValue": 1234.5, "tier": "gold", "lastSupportTicket": "T-1"}, ("1234.5", "gold", "T-1")),
        ({"lifetimeValue": 7, "tier": "gold", "lastSupportTicket": None}, ("7", "gold", "none")),
        ({"lifetimeValue": 1e21, "tier": None, "more": 1}, ("1000000000000000000000", "none", "none")),
        ({}, ("none", "none", "none")),
    ],
)
def test_attributes_are_text_and_none_where_nothing_is_known(
    genesys: FakeGenesys, clock: FakeClock, answer: object, attributes: tuple[str, ...]
) -> None:
    genesys.on("GET", PATH, Says(200, answer))
    found = crm(genesys, clock).attributes("cu-1", Tally())
    assert found == dict(zip(("crm_lifetime_value", "crm_tier", "crm_last_ticket"), attributes, strict=True))


@pytest.mark.parametrize("answer", [{"lifetimeValue": True}, {"lifetimeValue": "7"}, {"tier": 7}])
def test_other_types_are_outside_the_contract(genesys: FakeGenesys, clock: FakeClock, answer: object) -> None:
    genesys.on("GET", PATH, Says(200, answer))
    with pytest.raises(Unavailable, match="outside its contract"):
        crm(genesys, clock).attributes("cu-1", Tally())


def test_a_customer_is_remembered_for_a_minute(genesys: FakeGenesys, clock: FakeClock) -> None:
    genesys.on("GET", PATH, Says(200, {"tier": "gold"}), Says(200, {"tier": "silver"}))
    client = crm(genesys, clock)
    assert client.attributes("cu-1", Tally())["crm_tier"] == "gold"
    clock.advance(59)
    assert client.attributes("cu-1", Tally())["crm_tier"] == "gold"
    clock.advance(1)
    assert client.attributes("cu-1", Tally())["crm_tier"] == "silver"


def test_an_outage_is_not_remembered(genesys: FakeGenesys, clock: FakeClock) -> None:
    genesys.on("GET", PATH, Says(503), Says(200, {"tier": "gold"}))
    client = crm(genesys, clock)
    with pytest.raises(Unavailable):
        client.attributes("cu-1", Tally())
    assert client.attributes("cu-1", Tally())["crm_tier"] == "gold"


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (AuthSettings(type="bearer", token=Secret("t")), "Authorization", "Bearer t"),
        (AuthSettings(type="api-key", token=Secret("t")), "X-API-Key", "t"),
        (AuthSettings(type="basic", user="u", password=Secret("p")), "Authorization", "Basic dTpw"),
    ],
)
def test_it_shows_its_credentials(
    genesys: FakeGenesys, clock: FakeClock, auth: AuthSettings, header: str, value: str
) -> None:
    genesys.on("GET", PATH, Says(200, {}))
    crm(genesys, clock, auth).attributes("cu-1", Tally())
    assert genesys.requests[-1].headers[header] == value


def test_it_fetches_a_token_where_it_must(genesys: FakeGenesys, clock: FakeClock) -> None:
    genesys.on("GET", PATH, Says(200, {}))
    auth = AuthSettings(
        type="oauth2-client-credentials",
        token_url=f"{CRM_URL}/oauth/token",
        client_id="u",
        client_secret=Secret("p"),
        scope="read",
    )
    crm(genesys, clock, auth).attributes("cu-1", Tally())
    assert genesys.requests[0].body == "grant_type=client_credentials&scope=read"
    assert genesys.requests[1].headers["Authorization"] == "Bearer token-1"


def test_missing_credentials_are_told_at_the_start(genesys: FakeGenesys, clock: FakeClock) -> None:
    with pytest.raises(ConfigurationError, match="token_url"):
        crm(genesys, clock, AuthSettings(type="oauth2-client-credentials"))
