"""`/tokens`: who may come in. It may not show a token again."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.admin.access import Right
from bridge.admin.api.audit_shapes import NewTokenSchema, TokenPageSchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import Listing, OptionalReasonSchema, TokenOrder, TokenOrderSchema, TokenQuerySchema
from bridge.admin.search.pages import Page, cut
from bridge.admin.tokens import create_token, list_tokens, revoke_token
from bridge.errors import FieldError, Invalid
from bridge.tables import ApiTokenRow

blueprint = ApiBlueprint("tokens", __name__, description="Who may come in, and as what.")


@operation(
    blueprint, "GET", "/tokens", right=Right.MANAGE_TOKENS, query=TokenQuerySchema, answers={200: TokenPageSchema}
)
def get_tokens(call: Call, asked: Listing[None]) -> Page[ApiTokenRow]:
    """Tokens, newest first, revoked and expired ones too

    Only a hash of each is kept: none can be shown again.
    """
    with call.rooms.database.read() as session:
        rows = list_tokens(session, before_id=asked.page.before_id, limit=asked.page.limit + 1)
    return cut(TokenQuerySchema.listed, asked.page, rows, lambda token: token.id)


@operation(
    blueprint, "POST", "/tokens", right=Right.MANAGE_TOKENS, body=TokenOrderSchema, answers={201: NewTokenSchema}
)
def post_token(call: Call, order: TokenOrder) -> dict[str, object]:
    """Create a token; its text is in this answer and nowhere else

    `person` is whose it is, by default its name. `destination` is for the role `sender`: whose commands it gives.
    """
    if order.destination is not None and order.destination not in call.rooms.wanted:
        known = ", ".join(sorted(call.rooms.wanted)) or "none is configured"
        errors = [FieldError(field="destination", rule="known", message=f"known destinations: {known}")]
        raise Invalid("the token cannot be created", errors=errors)
    with call.rooms.database.write() as session:
        row, token = create_token(
            session,
            name=order.name,
            person=order.person,
            role=order.role,
            expires_at=order.expires_at,
            destination=order.destination,
            now=call.now,
            actor=call.caller.actor,
            notes=call.rooms.notes,
            reason=order.reason,
        )
    shown = {name: getattr(row, name) for name in NewTokenSchema().fields if name != "token"}
    return {**shown, "token": token}


@operation(
    blueprint,
    "DELETE",
    "/tokens/<uuid:token_id>",
    right=Right.MANAGE_TOKENS,
    query=OptionalReasonSchema,
    answers={204: None},
    refusals=[404, 409],
)
def delete_token(call: Call, asked: Mapping[str, str | None], token_id: str) -> None:
    """Revoke a token, at once and for good

    Sessions of the console that it opened end with it. Refused with 409 where it is revoked already.
    """
    with call.rooms.database.write() as session:
        revoke_token(
            session,
            token_id,
            now=call.now,
            actor=call.caller.actor,
            notes=call.rooms.notes,
            reason=asked["reason"],
        )
