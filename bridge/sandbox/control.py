"""`/_sandbox/…`: what Genesys does not have. It may not hold a rule of what may be changed.

GET    state                                everything as JSON, with counters per request
GET POST DELETE faults, DELETE faults/<id>  `{path, kind, method?, times?, …}`, see `faults.FaultKind`
POST   reset                                everything as it was at the start
PATCH  conversations/<id>, interactions/<id>   what somebody at the desk changes, without asking for a version
PUT DELETE records/<schema>/<id>               likewise
"""

from __future__ import annotations

from flask import Blueprint

from bridge.sandbox import conversations, interactions, records
from bridge.sandbox.gate import json_body
from bridge.sandbox.sandbox import current
from bridge.sandbox.snapshot import snapshot

control = Blueprint("sandbox_control", __name__, url_prefix="/_sandbox")

Json = dict[str, object]


@control.get("/state")
def state() -> Json:
    return snapshot(current())


@control.get("/faults")
def list_faults() -> Json:
    return {"faults": current().faults.as_state()}


@control.post("/faults")
def add_fault() -> tuple[Json, int]:
    return current().faults.add(json_body()), 201


@control.delete("/faults")
def clear_faults() -> tuple[str, int]:
    current().faults.clear()
    return "", 204


@control.delete("/faults/<fault_id>")
def remove_fault(fault_id: str) -> tuple[str, int]:
    current().faults.remove(fault_id)
    return "", 204


@control.post("/reset")
def reset() -> tuple[str, int]:
    current().reset()
    return "", 204


@control.patch("/conversations/<conversation_id>")
def change_conversation(conversation_id: str) -> Json:
    return conversations.change_as_agent(current().world, conversation_id, json_body())


@control.patch("/interactions/<interaction_id>")
def change_interaction(interaction_id: str) -> Json:
    return interactions.change_as_agent(current().world, interaction_id, json_body())


@control.put("/records/<schema>/<record_id>")
def put_record(schema: str, record_id: str) -> Json:
    return records.put_as_agent(current().world, schema, record_id, json_body())


@control.delete("/records/<schema>/<record_id>")
def delete_record(schema: str, record_id: str) -> Json:
    return records.delete_as_agent(current().world, schema, record_id)
