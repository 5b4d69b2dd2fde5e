"""The account finds what does not add up: each test tells one lie, of the bridge or of a receiver."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.demo.accounts import Account, backward_steps, reckon
from bridge.demo.receivers import Heard, Subject
from bridge.demo.webhooks import Posted, Webhook

ITEM = "record:InventoryItem/item-1"


def posted(number: int, *, status: int = 202, duplicate: bool = False, forged: bool = False) -> Posted:
    answer: dict[str, Any] = {"id": f"event-{number}", "duplicate": duplicate} if status < 300 else {}
    webhook = Webhook(subject=ITEM, number=number, body=b"{}")
    return Posted(webhook=webhook, status=status, answer=answer, seconds=0.01, forged=forged)


def delivery(number: int, state: str = "delivered", **fields: Any) -> dict[str, Any]:
    return {
        "id": f"delivery-{number}",
        "event_id": f"event-{number}",
        "event_type": "custom_object.record.updated",
        "subject": ITEM,
        "destination": "erp",
        "state": state,
        "webhook_id": f"webhook-{number}",
        "replay_of": None,
        "last_error": None,
        **fields,
    }


def heard(number: int, *, webhook_id: str | None = None, status: int = 204) -> Heard:
    subject = Subject(name=ITEM, number=number)
    return Heard(webhook_id=webhook_id or f"webhook-{number}", subject=subject, body={}, status=status)


def account(
    sent: list[Posted], deliveries: list[dict[str, Any]], requests: list[Heard], *, recorded: int | None = None
) -> Account:
    ids = {one.event_id for one in sent if one.event_id}
    events = [{"id": id_} for id_ in sorted(ids)[:recorded]]
    return reckon(sent, events=events, deliveries=deliveries, commands=(), heard={"erp": requests})


def test_what_was_delivered_and_taken_is_accounted_for() -> None:
    found = account([posted(1), posted(2)], [delivery(1), delivery(2)], [heard(1), heard(2)])
    assert (found.sent, found.recorded, found.delivered, found.lost, found.faults) == (2, 2, 2, 0, ())


def test_a_delivery_that_the_receiver_never_took_is_lost() -> None:
    found = account([posted(1)], [delivery(1)], [heard(1, status=503)])
    assert found.lost == 1
    assert found.faults == (f"change 1 of {ITEM}: is called delivered, and erp never took it",)


def test_a_change_that_arrives_as_another_is_lost() -> None:
    found = account([posted(1)], [delivery(1)], [heard(7, webhook_id="webhook-1")])
    assert (found.lost, found.delivered) == (1, 0)


@pytest.mark.parametrize("deliveries", [[], [delivery(1), delivery(1, id="delivery-9", webhook_id="webhook-9")]])
def test_a_webhook_that_is_owed_never_or_twice_is_lost(deliveries: list[dict[str, Any]]) -> None:
    assert account([posted(1)], deliveries, [heard(1)]).lost == 1


def test_an_acknowledged_webhook_that_is_not_recorded_is_a_fault() -> None:
    found = account([posted(1)], [delivery(1)], [heard(1)], recorded=0)
    assert found.recorded == 0
    assert "was acknowledged, and is not recorded" in found.faults[0]


def test_superseded_is_a_good_end_unless_the_receiver_took_it() -> None:
    sent, owed = [posted(1), posted(2)], [delivery(1, "superseded"), delivery(2)]
    assert account(sent, owed, [heard(2)]).faults == ()
    found = account(sent, owed, [heard(1), heard(2)])
    assert found.faults == (f"change 1 of {ITEM}: is called superseded, and erp took it",)


def test_dead_is_a_good_end_only_after_a_replay_that_arrived() -> None:
    dead = delivery(1, "dead", last_error="answered 422")
    replay = delivery(1, id="delivery-2", replay_of="delivery-1")
    found = account([posted(1)], [replay, dead], [heard(1, status=422), heard(1)])
    assert (found.replayed, found.lost, found.faults) == (1, 0, ())
    assert account([posted(1)], [dead], [heard(1, status=422)]).lost == 1
    assert account([posted(1)], [replay, dead], [heard(1, status=422)]).lost == 1


@pytest.mark.parametrize("state", ["pending", "sending", "cancelled"])
def test_what_has_not_ended_well_is_lost(state: str) -> None:
    assert account([posted(1)], [delivery(1, state)], []).lost == 1


def test_the_same_webhook_id_again_is_recognised_and_another_one_is_not() -> None:
    again = account([posted(1)], [delivery(1)], [heard(1), heard(1)])
    assert (again.repeats_recognised, again.doubled, again.faults) == (1, 0, ())
    doubled = account([posted(1)], [delivery(1)], [heard(1), heard(1, webhook_id="webhook-9")])
    assert doubled.doubled == 1
    assert "1 came twice under different webhook-ids" in doubled.faults
    assert f"erp took {ITEM}, which nobody owed it" in doubled.faults


def test_an_older_change_after_a_newer_is_out_of_order() -> None:
    found = account([posted(1), posted(2)], [delivery(1), delivery(2)], [heard(2), heard(1)])
    assert (found.out_of_order, found.lost) == (1, 0)
    assert found.faults == ("1 came after a newer change of the same subject",)


def test_a_repeat_of_an_older_change_is_not_out_of_order() -> None:
    assert backward_steps([heard(1), heard(2), heard(1)]) == 0
    assert backward_steps([heard(2), heard(1)], {"record:InventoryItem/other"}) == 0


def test_duplicates_and_forgeries_are_counted_by_their_answers() -> None:
    sent = [posted(1), replace(posted(1, duplicate=True), status=200), posted(2, status=401, forged=True)]
    found = account(sent, [delivery(1)], [heard(1)])
    assert (found.sent, found.acknowledged, found.duplicates_refused, found.forged_refused) == (3, 1, 1, 1)
    assert found.faults == ()


@pytest.mark.parametrize("wrong", [posted(1, status=401), posted(1, status=503), posted(1, status=500, forged=True)])
def test_any_other_answer_is_a_fault(wrong: Posted) -> None:
    assert account([wrong], [], []).faults == (f"change 1 of {ITEM} was answered {wrong.status}",)


def test_a_forgery_that_is_acknowledged_is_a_fault() -> None:
    found = account([posted(1, forged=True)], [delivery(1)], [heard(1)])
    assert found.forged_refused == 0
    assert found.faults == (f"change 1 of {ITEM} is a forgery, and was acknowledged",)


def test_what_others_caused_has_to_end_well_too() -> None:
    theirs = delivery(5, "dead", last_error="answered 410")
    assert account([], [theirs], []).faults == (
        f"custom_object.record.updated of {ITEM}: is dead for erp: answered 410",
    )


def test_a_command_that_was_not_carried_out_is_a_fault() -> None:
    commands = [{"operation": "interaction.merge", "state": "succeeded"}, {"operation": "x", "state": "failed"}]
    found = reckon([], events=[], deliveries=[], commands=commands, heard={})
    assert (found.commands, found.carried_out, found.faults) == (2, 1, ("command x is failed",))
