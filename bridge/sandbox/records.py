"""Custom-object records: versions, the rules of the example schema, the audit log. It may not know HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from bridge.sandbox.model import Record, RecordChange
from bridge.sandbox.notices import record_changed
from bridge.sandbox.reading import Fields
from bridge.sandbox.refusals import Refused, not_found, version_conflict
from bridge.sandbox.world import World

#: The schema that ships; its rules are those of the platform's administrator, the client has its own copy.
INVENTORY_ITEM = "InventoryItem"

_SKU = re.compile(r"[A-Z]{2}-\d{4}")
_STATUSES = ("available", "reserved", "discontinued")


def put(world: World, schema: str, record_id: str, body: Mapping[str, object], *, by: str) -> dict[str, object]:
    """The record under its new version; version 0 also creates one that is not there yet. `fields` replaces all fields.

    Raises `Refused`: 400, 404 (schema, or record under a version above 0), 409 `{version}`, 422 `{validationErrors}`.
    """
    version, new_fields, metadata = _read(body)
    with world.lock:
        records = world.schema(schema)
        _refuse_invalid(schema, new_fields)
        record = records.get(record_id)
        if record is None and version != 0:
            raise not_found("record", record_id)
        if record is not None and record.version != version:
            raise version_conflict(409, record.version)
        return _write(world, schema, record_id, new_fields, metadata, by).as_json()


def put_as_agent(world: World, schema: str, record_id: str, body: Mapping[str, object]) -> dict[str, object]:
    """What somebody at the desk does: these fields changed, the others as they are, without asking for a version."""
    fields = Fields(body)
    fields.only(("fields",))
    changes = fields.mapping("fields")
    fields.check()
    with world.lock:
        known = world.records.setdefault(schema, {}).get(record_id)
        whole = {**(known.fields if known else {}), **changes}
        _refuse_invalid(schema, whole)
        return _write(world, schema, record_id, whole, {}, "agent-1").as_json()


def delete_as_agent(world: World, schema: str, record_id: str) -> dict[str, object]:
    """The record as it was, under the version of its deletion. Raises `Refused` (404)."""
    with world.lock:
        record = world.record(schema, record_id)
        del world.records[schema][record_id]
        before, record.version = record.fields, record.version + 1
        record.modified, record.modified_by = world.clock(), "agent-1"
        _note(world, "delete", record, before, {})
        return record.as_json()


def audit_log(world: World, schema: str, record_ids: Sequence[str]) -> list[dict[str, object]]:
    """Every change of these records, newest first."""
    with world.lock:
        world.schema(schema)
        return [
            change.as_json()
            for change in reversed(world.record_changes)
            if change.schema == schema and change.record_id in record_ids
        ]


def _read(body: Mapping[str, object]) -> tuple[int, dict[str, object], dict[str, object]]:
    fields = Fields(body)
    fields.only(("version", "fields", "metadata"))
    version = fields.integer("version")
    new_fields = fields.mapping("fields")
    metadata = fields.mapping("metadata", required=False)
    tags = metadata.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        fields.refuse("metadata.tags", "invalid", "a list of strings is required")
    inside = fields.inside("metadata", required=False)
    for name in ("source", "requestCorrelationId"):
        if inside.has(name):
            inside.text(name)
    fields.check()
    return version, new_fields, metadata


def _write(
    world: World,
    schema: str,
    record_id: str,
    new_fields: dict[str, object],
    metadata: dict[str, object],
    by: str,
) -> Record:
    record = world.records[schema].get(record_id)
    before = dict(record.fields) if record else {}
    action = "update" if record else "create"
    now = world.clock()
    if record is None:
        # A record that was deleted comes back above the version of its deletion.
        version = max(world.first_version(), _last_version(world, schema, record_id) + 1)
        record = Record(schema=schema, id=record_id, version=version, modified=now, modified_by=by, fields=new_fields)
        world.records[schema][record_id] = record
    else:
        record.version, record.modified, record.modified_by = record.version + 1, now, by
    record.fields, record.metadata = new_fields, metadata
    _note(world, action, record, before, new_fields)
    return record


def _last_version(world: World, schema: str, record_id: str) -> int:
    changes = [change for change in world.record_changes if (change.schema, change.record_id) == (schema, record_id)]
    return changes[-1].version if changes else 0


def _note(world: World, action: str, record: Record, before: Mapping[str, object], after: Mapping[str, object]) -> None:
    world.record_changes.append(
        RecordChange(
            id=world.ids.new("audit"),
            schema=record.schema,
            record_id=record.id,
            action=action,
            version=record.version,
            at=record.modified,
            by=record.modified_by,
            before=dict(before),
            after=dict(after),
            metadata=record.metadata,
        )
    )
    world.tell(record_changed(action, record, record.modified))


def _refuse_invalid(schema: str, fields: Mapping[str, object]) -> None:
    wrong = _inventory_errors(fields) if schema == INVENTORY_ITEM else []
    if wrong:
        listed = [{"field": field, "code": code, "message": message} for field, code, message in wrong]
        raise Refused(422, "validation.failed", "The record is not valid.", extra={"validationErrors": listed})


def _inventory_errors(fields: Mapping[str, object]) -> list[tuple[str, str, str]]:
    wrong = []
    sku, quantity, status = fields.get("sku"), fields.get("quantity"), fields.get("status", "available")
    price = _decimal(fields.get("price"))
    if not isinstance(sku, str) or not _SKU.fullmatch(sku):
        wrong.append(("sku", "pattern", "two capital letters, a hyphen and four digits are required"))
    if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 0:
        wrong.append(("quantity", "range", "an integer of at least 0 is required"))
        quantity = None
    if price is None or price <= 0:
        wrong.append(("price", "range", "a number above 0 is required"))
    if status not in _STATUSES:
        wrong.append(("status", "enum", f"must be one of {', '.join(_STATUSES)}"))
    if status == "reserved" and quantity == 0:
        wrong.append(("status", "forbid", "reserved is not possible with quantity 0"))
    if price is not None and quantity is not None and price * quantity > 100_000:
        wrong.append(("price", "max_product", "price × quantity is at most 100000"))
    return wrong


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # The shortest text of a float is what was sent; the float itself is not.
    return Decimal(str(value))
