"""What a merge command must say. It may not know what Genesys has to say to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marshmallow import fields, validate

from bridge.genesys.bodies import Body, Flag, Identifier, Text, Whole, read_body
from bridge.genesys.operations.merge_plan import DedupeRules
from bridge.genesys.rules import Check
from bridge.violations import Violation

MOST_INTERACTIONS = 100


@dataclass(frozen=True, kw_only=True)
class InteractionMerge:
    #: Id and type, as named.
    interactions: Sequence[tuple[str, str]]
    dedupe: DedupeRules
    #: None: made from the command's id.
    merge_request_id: str | None


class _Reference(Body):
    id = Identifier(required=True)
    type = Text(required=True, longest=64)


class _Dedupe(Body):
    same_id = Flag(load_default=True)
    window_seconds = Whole(load_default=None, allow_none=True)


class _Body(Body):
    interactions = fields.List(
        fields.Nested(_Reference),
        required=True,
        validate=validate.Length(
            min=2, max=MOST_INTERACTIONS, error=Violation("length", f"Must name 2 to {MOST_INTERACTIONS}.")
        ),
    )
    dedupe = fields.Nested(_Dedupe, load_default=None, allow_none=True)
    merge_request_id = Identifier(load_default=None, allow_none=True)


_BODY = _Body()


def read_command(body: Mapping[str, object], check: Check) -> InteractionMerge:
    """`{interactions [{id, type}], dedupe {same_id, window_seconds}?, merge_request_id?}`. Raises Invalid naming every
    violation."""
    read = read_body(_BODY, body)
    dedupe = read["dedupe"] or {"same_id": True, "window_seconds": None}
    window = dedupe["window_seconds"]
    if window is None:
        window = check.settings.merge.dedupe_window_seconds
    return InteractionMerge(
        interactions=[(one["id"], one["type"]) for one in read["interactions"]],
        dedupe=DedupeRules(same_id=dedupe["same_id"], window_seconds=window),
        merge_request_id=read["merge_request_id"],
    )
