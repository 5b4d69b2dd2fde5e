"""Operation 1: attributes of an interaction."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from bridge.genesys.errors import Invalid, NotFound, Unavailable
from bridge.settings.model import CrmEnrichmentSettings
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import CRM_URL, FakeGenesys, Says

PATH = "/api/v2/interactions/i-1"
CUSTOMER = "/v1/customers/cu-1"
BODY: dict[str, Any] = {"interaction_id": "i-1", "customer_id": "cu-1", "attributes": {"reason": "refund"}}


def interaction(**changes: object) -> Says:
    basis = {"id": "i-1", "type": "voice", "status": "active", "createdDate": "2026-04-30T12:00:00Z"}
    return Says(200, {**basis, **changes})


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    genesys.on("GET", PATH, interaction())
    genesys.on("PATCH", PATH, Says(200, {"id": "i-1", "version": 8}))


def violations(outbox: Outbox, **changes: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        outbox.takes("interaction.update", {**BODY, **changes}).run()
    assert refused.value.measures.violations == len(refused.value.errors)
    return [(wrong.field, wrong.rule) for wrong in refused.value.errors]


def test_it_reads_checks_and_patches(genesys: FakeGenesys, outbox: Outbox) -> None:
    done = outbox.takes("interaction.update", {**BODY, "disposition_code": "resolved"}).run()
    assert genesys.calls() == [("GET", PATH), ("PATCH", PATH)]
    assert genesys.sent("PATCH", PATH) == [{"attributes": {"reason": "refund"}, "dispositionCode": "resolved"}]
    [fact] = done.facts
    assert (fact.type, fact.subject, fact.version) == ("interaction.updated", "interaction:i-1", "8")
    assert fact.payload == {
        "interactionId": "i-1",
        "updatedAttributes": {"reason": "refund"},
        "dispositionCode": "resolved",
        "version": 8,
        "processedAt": "2026-05-01T12:00:00Z",
    }
    assert done.result["enrichment"] == "none"
    assert done.result["locking"] == "none"


def test_no_disposition_is_not_sent_as_null(genesys: FakeGenesys, outbox: Outbox) -> None:
    outbox.takes("interaction.update", BODY).run()
    assert genesys.sent("PATCH", PATH) == [{"attributes": {"reason": "refund"}}]


@pytest.mark.parametrize("key", ["id", "createdDate", "updatedDate", "type", "conversationId"])
def test_an_immutable_key_is_refused_before_anything_is_sent(genesys: FakeGenesys, outbox: Outbox, key: str) -> None:
    assert violations(outbox, attributes={key: "x", "ok": "y"}) == [(f"attributes.{key}", "immutable")]
    assert genesys.requests == []


def test_every_violation_is_told_at_once(outbox: Outbox) -> None:
    found = violations(
        outbox, interaction_id="", customer_id="a\nb", attributes={"id": "x", "n": 1}, disposition_code=7, more=1
    )
    assert sorted(found) == [
        ("attributes.id", "immutable"),
        ("attributes.n", "type"),
        ("customer_id", "characters"),
        ("disposition_code", "type"),
        ("interaction_id", "length"),
        ("more", "unknown"),
    ]


@pytest.mark.parametrize(
    ("interaction_id", "right"),
    [("x" * 255, True), ("x" * 256, False), ("", False), (".", False), ("..", False), ("...", True)],
)
def test_an_id_has_1_to_255_characters_and_is_no_step_in_a_path(
    outbox: Outbox, interaction_id: str, right: bool
) -> None:
    with pytest.raises(NotFound if right else Invalid):
        outbox.takes("interaction.update", {**BODY, "interaction_id": interaction_id}).run()


def test_nothing_to_change_is_refused(outbox: Outbox) -> None:
    assert violations(outbox, attributes={}) == [("attributes", "required")]
    outbox.takes("interaction.update", {**BODY, "attributes": {}, "disposition_code": "resolved"}).run()


@pytest.mark.parametrize(
    ("created", "refused"),
    [("2025-05-01T12:00:00Z", False), ("2025-05-01T14:00:00+02:00", False), ("2025-05-01T11:59:59.999Z", True)],
)
def test_an_interaction_may_be_as_old_as_the_retention_and_not_older(
    genesys: FakeGenesys, outbox: Outbox, created: str, refused: bool
) -> None:
    genesys.on("GET", PATH, interaction(createdDate=created))
    if refused:
        assert violations(outbox) == [("interaction_id", "retention")]
        assert genesys.sent("PATCH", PATH) == []
    else:
        outbox.takes("interaction.update", BODY).run()


def test_the_retention_is_configurable(genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock) -> None:
    genesys.on("GET", PATH, interaction(createdDate="2026-04-29T12:00:00Z"))
    assert violations(Outbox(make_client(retention_days=1), clock)) == [("interaction_id", "retention")]


def test_an_answer_without_a_creation_date_is_outside_the_contract(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", PATH, Says(200, {"id": "i-1"}))
    with pytest.raises(Unavailable, match="look at createdDate"):
        outbox.takes("interaction.update", BODY).run()


def test_a_reply_lost_after_it_was_applied_is_found_by_reading(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("PATCH", PATH, requests.ReadTimeout())
    outbox.takes("interaction.update", {**BODY, "disposition_code": "resolved"})
    with pytest.raises(Unavailable):
        outbox.step()
    genesys.on(
        "GET", PATH, interaction(attributes={"reason": "refund", "x": "y"}, dispositionCode="resolved", version=9)
    )
    done = outbox.run()
    assert len(genesys.sent("PATCH", PATH)) == 1
    assert done.result["already_applied"] is True
    assert done.facts[0].version is None  # 9 may be of another change


def test_another_disposition_is_not_taken_for_ours(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", PATH, interaction(attributes={"reason": "refund"}, dispositionCode="open"))
    outbox.takes("interaction.update", {**BODY, "disposition_code": "resolved"}).run()
    assert len(genesys.sent("PATCH", PATH)) == 1


def with_crm(make_client: MakeClient, clock: FakeClock, mode: str) -> Outbox:
    crm = CrmEnrichmentSettings(url=CRM_URL, enrich=mode)  # type: ignore[arg-type]
    return Outbox(make_client(crm=crm), clock)


KNOWN = Says(200, {"lifetimeValue": 1234.5, "tier": "gold", "lastSupportTicket": None})


@pytest.mark.parametrize("mode", ["required", "best-effort"])
def test_what_the_crm_knows_goes_along_as_text(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock, mode: str
) -> None:
    genesys.on("GET", CUSTOMER, KNOWN)
    done = with_crm(make_client, clock, mode).takes("interaction.update", BODY).run()
    enriched = {
        "reason": "refund",
        "crm_lifetime_value": "1234.5",
        "crm_tier": "gold",
        "crm_last_ticket": "none",
    }
    assert genesys.sent("PATCH", PATH) == [{"attributes": enriched}]
    assert done.facts[0].payload["updatedAttributes"] == enriched
    assert done.result["enrichment"] == "done"


@pytest.mark.parametrize(
    "trouble", [Says(503), Says(429), Says(401), requests.ConnectTimeout(), Says(200, {"lifetimeValue": "many"})]
)
def test_a_crm_that_is_down_is_retried_later_or_gone_without(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock, trouble: Says | Exception
) -> None:
    genesys.on("GET", CUSTOMER, trouble)
    with pytest.raises(Unavailable, match="CRM"):
        with_crm(make_client, clock, "required").takes("interaction.update", BODY).run()
    assert genesys.sent("PATCH", PATH) == []
    done = with_crm(make_client, clock, "best-effort").takes("interaction.update", BODY).run()
    assert genesys.sent("PATCH", PATH) == [{"attributes": {"reason": "refund"}}]
    assert done.result["enrichment"] == "unavailable"


def test_a_customer_that_the_crm_does_not_know_is_refused_or_marked(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    assert violations(with_crm(make_client, clock, "required")) == [("customer_id", "unknown_customer")]
    done = with_crm(make_client, clock, "best-effort").takes("interaction.update", BODY).run()
    assert done.result["enrichment"] == "unknown_customer"
