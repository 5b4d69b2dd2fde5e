"""Operation 3: what is not merged."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.genesys.errors import Invalid
from bridge.settings.model import MergeSettings
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.merging import BODY, SUBMIT, shown, stage


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    stage(genesys)


def reasons(outbox: Outbox, body: dict[str, Any] = BODY) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        outbox.takes("interaction.merge", body).run()
    return {(wrong.field, wrong.rule) for wrong in refused.value.errors}


@pytest.mark.parametrize(
    ("interactions", "expected"),
    [
        ([], {("interactions", "length")}),
        ([{"id": "v", "type": "voice"}], {("interactions", "length")}),
        ("v,c", {("interactions", "type")}),
        ([{"id": "v"}, {"id": "", "type": 7}], {
            ("interactions.0.type", "required"), ("interactions.1.id", "length"), ("interactions.1.type", "type"),
        }),
        ([{"id": str(n), "type": "voice"} for n in range(101)], {("interactions", "length")}),
    ],
)  # fmt: skip
def test_a_body_that_is_wrong_is_refused_before_anything_is_sent(
    genesys: FakeGenesys, outbox: Outbox, interactions: object, expected: set[tuple[str, str]]
) -> None:
    assert reasons(outbox, {"interactions": interactions}) == expected
    assert genesys.requests == []


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (Says(404), ("interactions.1", "not_found")),
        (shown("c", "chat", status="archived"), ("interactions.1", "state")),
        (shown("c", "chat", status="DELETED"), ("interactions.1", "state")),
        (shown("c", "chat", customer={"phoneNumber": "+49"}), ("interactions.1", "customer")),
        (shown("c", "chat", customer={"id": "cu-1"}), ("interactions.1", "customer_phone")),
        (shown("c", "chat", customer={"id": "cu-2", "phoneNumber": "+49"}), ("interactions", "one_customer")),
        (shown("c", "email"), ("interactions.1.type", "type")),
        (shown("c", "chat", createdDate="2025-05-01T11:59:59Z"), ("interactions.1", "retention")),
    ],
)
def test_each_reason_against_a_merge_is_told(
    genesys: FakeGenesys, outbox: Outbox, says: Says, expected: tuple[str, str]
) -> None:
    genesys.on("GET", "/api/v2/interactions/c", says)
    assert reasons(outbox) == {expected}
    assert genesys.sent("POST", SUBMIT) == []


def test_exactly_the_retention_is_not_too_old(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", "/api/v2/interactions/c", shown("c", "chat", createdDate="2025-05-01T12:00:00Z"))
    outbox.takes("interaction.merge", BODY).run()


def test_all_reasons_are_told_at_once(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", "/api/v2/interactions/v", Says(404))
    genesys.on("GET", "/api/v2/interactions/c", shown("c", "email", status="archived", customer=None))
    body = {"interactions": [*BODY["interactions"], BODY["interactions"][1]], "dedupe": {"same_id": False}}
    assert reasons(outbox, body) == {
        ("interactions.0", "not_found"),
        *((f"interactions.{index}", rule) for index in (1, 2) for rule in ("state", "customer", "customer_phone")),
        *((f"interactions.{index}.type", "type") for index in (1, 2)),
        ("interactions.2", "duplicate"),
    }


def test_the_same_id_twice_is_one_interaction(genesys: FakeGenesys, outbox: Outbox) -> None:
    body = {"interactions": [*BODY["interactions"], BODY["interactions"][0]]}
    done = outbox.takes("interaction.merge", body).run()
    assert len(genesys.sent("POST", SUBMIT)[0]["interactions"]) == 2
    assert done.result["timeline"]["deduplicationCount"] == 1  # type: ignore[index]


def test_fewer_than_two_after_deduplication_is_refused(outbox: Outbox) -> None:
    assert reasons(outbox, {"interactions": [BODY["interactions"][0]] * 2}) == {("interactions", "too_few")}


@pytest.mark.parametrize(("window", "refused"), [(299, False), (300, True)])
def test_the_window_comes_from_the_command_or_the_configuration(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock, window: int, refused: bool
) -> None:
    genesys.on("GET", "/api/v2/interactions/c", shown("c", "voice", "2026-05-01T09:55:00Z"))
    interactions = [{"id": "v", "type": "voice"}, {"id": "c", "type": "voice"}]
    configured = Outbox(make_client(merge=MergeSettings(dedupe_window_seconds=window)), clock)
    commanded = Outbox(make_client(), clock)
    for outbox, dedupe in ((configured, None), (commanded, {"window_seconds": window})):
        body = {"interactions": interactions, "dedupe": dedupe}
        if refused:
            assert reasons(outbox, body) == {("interactions", "too_few")}
        else:
            outbox.takes("interaction.merge", body).step()
