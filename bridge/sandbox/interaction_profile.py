"""The endpoints of profile `interaction`: paths, scopes, statuses. It may not hold a rule of what may be changed."""

from __future__ import annotations

import math

from flask import Blueprint, request

from bridge.sandbox import conversations, exporting, interactions, merging, purging, records
from bridge.sandbox.frame import fate
from bridge.sandbox.gate import idempotency_key, json_body, needs, once
from bridge.sandbox.refusals import Problem, bad_request, not_found
from bridge.sandbox.sandbox import current

interaction_profile = Blueprint("sandbox_interaction_profile", __name__)

Json = dict[str, object]
JsonAnswer = tuple[Json, int, dict[str, str]]

_RECORDS = "/api/v2/customobjects/schemas/<schema>/records"


@interaction_profile.get("/api/v2/interactions/<interaction_id>")
@needs("interaction:read", "interaction:update")
def read_interaction(interaction_id: str) -> Json:
    world = current().world
    with world.lock:
        return merging.merged_view(world, world.interaction(interaction_id))


@interaction_profile.patch("/api/v2/interactions/<interaction_id>")
@needs("interaction:update")
def update_interaction(interaction_id: str) -> JsonAnswer:
    body = json_body()
    return once(lambda: (200, interactions.update(current().world, interaction_id, body)))


@interaction_profile.get("/api/v2/conversations/<conversation_id>")
@needs("conversation:read")
def read_conversation(conversation_id: str) -> JsonAnswer:
    world = current().world
    with world.lock:
        conversation = world.conversation(conversation_id)
        return conversation.as_json(), 200, {"ETag": f'"{conversation.version}"'}


@interaction_profile.patch("/api/v2/conversations/<conversation_id>/attributes")
@needs("conversation:attributes:write")
def update_conversation_attributes(conversation_id: str) -> JsonAnswer:
    body, if_match = json_body(), request.headers.get("If-Match")
    answer, status, headers = once(
        lambda: (200, conversations.update_attributes(current().world, conversation_id, if_match, body))
    )
    return answer, status, {**headers, "ETag": f'"{answer["version"]}"'}


@interaction_profile.post("/api/v2/interactions/merge")
@needs("interaction:merge")
def submit_merge() -> tuple[Json, int]:
    # Not `once`: every submission is counted, also a repeated one.
    key = idempotency_key()
    return merging.submit(current().world, json_body(), idempotency_key=key, fate=fate()), 202


@interaction_profile.get("/api/v2/interactions/<merged_id>/status")
@needs("interaction:read", "interaction:merge")
def poll_merge(merged_id: str) -> Json:
    return merging.poll(current().world, merged_id, fate=fate())


@interaction_profile.get(f"{_RECORDS}/<record_id>")
@needs("customobjects:read")
def read_record(schema: str, record_id: str) -> Json:
    world = current().world
    with world.lock:
        return world.record(schema, record_id).as_json()


@interaction_profile.put(f"{_RECORDS}/<record_id>")
@needs("customobjects:write")
def put_record(schema: str, record_id: str) -> JsonAnswer:
    body, sandbox = json_body(), current()
    return once(lambda: (200, records.put(sandbox.world, schema, record_id, body, by=sandbox.config.client_id)))


@interaction_profile.get(f"{_RECORDS}/auditlogs")
@needs("customobjects:read")
def read_audit_log(schema: str) -> Json:
    record_ids = [part for part in request.args.get("entityIds", "").split(",") if part]
    size, number = _argument("pageSize", 25, 100), _argument("pageNumber", 1, 1_000_000)
    if not record_ids:
        raise bad_request([Problem(field="entityIds", code="required", message="at least one id is required")])
    entries = records.audit_log(current().world, schema, record_ids)
    pages = max(1, math.ceil(len(entries) / size))
    path = f"{request.path}?entityIds={','.join(record_ids)}&pageSize={size}&pageNumber="
    return {
        "entities": entries[(number - 1) * size : number * size],
        "pageSize": size,
        "pageNumber": number,
        "pageCount": pages,
        "total": len(entries),
        "nextUri": f"{path}{number + 1}" if number < pages else None,
    }


@interaction_profile.post("/api/v2/interactions/purge")
@needs("purge:write")
def submit_purge() -> JsonAnswer:
    body, end = json_body(), fate()
    return once(lambda: (202, purging.submit(current().world, body, fate=end)))


@interaction_profile.get("/api/v2/interactions/purge/<purge_id>")
@needs("purge:read")
def poll_purge(purge_id: str) -> Json:
    return purging.poll(current().world, purge_id, fate=fate())


@interaction_profile.post("/api/v2/integrations/exports")
@needs("integration:export")
def submit_export() -> JsonAnswer:
    body = json_body()
    return once(lambda: (202, exporting.submit(current().world, body)))


@interaction_profile.get("/v1/customers/<customer_id>")
def read_customer(customer_id: str) -> Json:
    """The CRM's answer, not the platform's: no token, no pace."""
    world = current().world
    with world.lock:
        customer = world.customers.get(customer_id)
        if customer is None:
            raise not_found("customer", customer_id)
        return customer.as_crm_json()


def _argument(name: str, default: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        problem = Problem(field=name, code="invalid", message=f"an integer from 1 to {most} is required")
        raise bad_request([problem])
    return int(text)
