"""Profile `interaction`: the calls of the Interaction API contract. It may not send them or decide what to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from bridge.clock import rfc3339
from bridge.genesys.profiles.answers import HISTORY_PAGE_SIZE
from bridge.genesys.profiles.answers import as_conversation as as_conversation
from bridge.genesys.profiles.answers import as_history_page as as_history_page
from bridge.genesys.profiles.answers import as_interaction as as_interaction
from bridge.genesys.profiles.answers import as_merge_state as as_merge_state
from bridge.genesys.profiles.answers import as_purge_state as as_purge_state
from bridge.genesys.profiles.answers import as_record as as_record
from bridge.genesys.profiles.answers import as_written as as_written
from bridge.genesys.profiles.contract import Traits
from bridge.genesys.purge_policy import PurgePolicy
from bridge.genesys.readings import Conversation, Interaction
from bridge.genesys.wire import Call

SCOPED = True
TRAITS: Mapping[str, Traits] = {
    "interaction.update": Traits(locking="none", is_async=False, scopes=("interaction:update", "integration:export")),
    "conversation.attributes.update": Traits(
        locking="if_match", is_async=False, scopes=("conversation:attributes:write", "conversation:read")
    ),
    "interaction.merge": Traits(
        locking="none", is_async=True, scopes=("interaction:merge", "interaction:read", "analytics:query")
    ),
    "record.update": Traits(
        locking="body_version", is_async=False, scopes=("customobjects:write", "customobjects:read")
    ),
    "interactions.purge": Traits(locking="none", is_async=True, scopes=("purge:write", "purge:read")),
}
ALTERNATIVES: Mapping[str, str] = {}

MERGE_SECONDS = 30.0

_INTERACTION = "/api/v2/interactions/{id}"
_CONVERSATION = "/api/v2/conversations/{id}"
_MERGES = "/api/v2/interactions/merge"
_MERGE_STATUS = "/api/v2/interactions/{id}/status"
_RECORD = "/api/v2/customobjects/schemas/{schema}/records/{id}"
_HISTORY = "/api/v2/customobjects/schemas/{schema}/records/auditlogs"
_PURGES = "/api/v2/interactions/purge"
_PURGE = "/api/v2/interactions/purge/{id}"
_EXPORTS = "/api/v2/integrations/exports"


def read_interaction(interaction_id: str) -> Call:
    return _call("GET", _INTERACTION, id=interaction_id)


def update_interaction(interaction: Interaction, attributes: Mapping[str, str], disposition_code: str | None) -> Call:
    body: dict[str, object] = {"attributes": dict(attributes)}
    if disposition_code is not None:
        body["dispositionCode"] = disposition_code
    return _call("PATCH", _INTERACTION, body=body, id=interaction.id)


def read_conversation(conversation_id: str) -> Call:
    return _call("GET", _CONVERSATION, id=conversation_id)


def update_conversation(
    conversation: Conversation, attributes: Mapping[str, object], metadata: Mapping[str, str]
) -> Call:
    endpoint = f"{_CONVERSATION}/attributes"
    return _call(
        "PATCH",
        endpoint,
        body={"attributes": dict(attributes), "metadata": dict(metadata)},
        headers={"If-Match": f'"{conversation.version}"'},
        id=conversation.id,
    )


def merge(request_id: str, sources: Sequence[tuple[str, str]], priority_score: int) -> Call:
    body = {
        "mergeRequestId": request_id,
        "interactions": [{"id": source_id, "type": type_} for source_id, type_ in sources],
        "mergeRule": "timestamp",
        "priorityScore": priority_score,
    }
    return _call("POST", _MERGES, body=body, timeout=MERGE_SECONDS)


def read_merge_status(merged_id: str) -> Call:
    return _call("GET", _MERGE_STATUS, id=merged_id)


def read_record(schema: str, record_id: str) -> Call:
    return _call("GET", _RECORD, schema=schema, id=record_id)


def update_record(
    schema: str, record_id: str, *, version: int, fields: Mapping[str, object], metadata: Mapping[str, object]
) -> Call:
    body = {"version": version, "fields": dict(fields), "metadata": dict(metadata)}
    return _call("PUT", _RECORD, body=body, schema=schema, id=record_id)


def read_history(schema: str, record_id: str, page: int) -> Call:
    query = {"entityIds": record_id, "pageSize": str(HISTORY_PAGE_SIZE)}
    if page > 1:
        query["pageNumber"] = str(page)
    return _call("GET", _HISTORY, query=query, schema=schema)


def purge(policy: PurgePolicy) -> Call:
    scope = policy.scope
    selection = {
        "type": scope.interaction_type,
        "dateRange": {"start": rfc3339(scope.start), "end": rfc3339(scope.end)},
        "filters": dict(scope.filters),
        "purgeType": policy.purge_type,
        "reason": policy.reason,
    }
    return _call("POST", _PURGES, body={"interactions": [selection]})


def read_purge_status(purge_id: str) -> Call:
    return _call("GET", _PURGE, id=purge_id)


def export(*, name: str, kind: str, query: str, bucket: str, path: str) -> Call:
    body = {
        "name": name,
        "type": "streaming",
        "filter": {"type": kind, "query": query},
        "export": {"type": "s3", "configuration": {"bucket": bucket, "path": path}},
    }
    return _call("POST", _EXPORTS, body=body)


def _call(
    method: str,
    endpoint: str,
    *,
    body: Mapping[str, object] | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 10.0,
    **ids: str,
) -> Call:
    path = endpoint.format(**{name: quote(value, safe="") for name, value in ids.items()})
    return Call(
        method=method,
        path=path,
        endpoint=f"{method} {endpoint}",
        body=body,
        query=query or {},
        headers=headers or {},
        timeout=timeout,
    )
