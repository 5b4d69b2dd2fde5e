"""Several deliveries at once: looked at first, then replayed or cancelled one by one. It may not decide on a filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from werkzeug.datastructures import MultiDict

from bridge.admin.api.deliveries import cancel_one_delivery, get_delivery, replay_one_delivery
from bridge.admin.api.delivery_queries import DeliveryReplayOrder
from bridge.admin.api.entrance import Call
from bridge.admin.api.queries import ReasonGiven
from bridge.errors import FieldError, Invalid, Refusal

ACTIONS = ("replay", "cancel")
#: As many as a page of the list has at most.
MOST = 500
_PENDING = ("pending", "sending")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    action: Literal["replay", "cancel"]
    ids: list[str]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the order would do, as things stand."""

    fitting: list[Mapping[str, object]]
    #: Those that the order would be refused for: pending ones cannot be replayed, ended ones not cancelled.
    unfitting: list[Mapping[str, object]]
    by_destination: Mapping[str, int]
    by_state: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one of them. `refused` None: it was done, and `carrier` is the delivery to look at."""

    id: str
    carrier: str | None
    refused: str | None


def read_selection(form: MultiDict[str, str]) -> Chosen:
    """Raises Invalid where nothing was ticked, or what was sent is no selection."""
    ids = list(dict.fromkeys(form.getlist("id")))
    if not ids or len(ids) > MOST or not all(map(_is_id, ids)):
        message = f"Tick at least one delivery in the list, and at most {MOST}."
        raise Invalid("nothing is selected", errors=[FieldError(field="selection", rule="required", message=message)])
    return Chosen(action="cancel" if form.get("action") == "cancel" else "replay", ids=ids)


def look_at(call: Call, chosen: Chosen) -> Seen:
    """What the order would do. Raises NotFound."""
    shown = [get_delivery(call, delivery_id) for delivery_id in chosen.ids]
    fitting = [one for one in shown if (one["state"] in _PENDING) == (chosen.action == "cancel")]
    return Seen(
        fitting=list(fitting),
        unfitting=[one for one in shown if one not in fitting],
        by_destination=Counter(str(one["destination"]) for one in fitting),
        by_state=Counter(str(one["state"]) for one in fitting),
    )


def carry_out(call: Call, chosen: Chosen, reason: str) -> list[Outcome]:
    """Each by itself, so that one refusal keeps none of the others."""
    return [_carry_out(call, chosen.action, delivery_id, reason) for delivery_id in chosen.ids]


def _carry_out(call: Call, action: str, delivery_id: str, reason: str) -> Outcome:
    try:
        if action == "cancel":
            cancel_one_delivery(call, ReasonGiven(reason=reason), delivery_id)
            return Outcome(id=delivery_id, carrier=delivery_id, refused=None)
        carrier = replay_one_delivery(call, DeliveryReplayOrder(reason=reason, fresh_id=False), delivery_id)
    except Refusal as refusal:
        return Outcome(id=delivery_id, carrier=None, refused=refusal.detail)
    return Outcome(id=delivery_id, carrier=str(carrier["id"]), refused=None)


def _is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
