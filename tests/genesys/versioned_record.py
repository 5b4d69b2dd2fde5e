"""A record with its lock and its audit log, as Genesys keeps them, and the answers that it gives."""

from __future__ import annotations

import json
import threading
from typing import Any

import requests

from bridge.genesys import RecordRules, Rules
from bridge.settings.model import GenesysSettings
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.test_record_rules import INVENTORY_ITEM

RECORD = "/api/v2/customobjects/schemas/Order/records/r-1"
LOG = "/api/v2/customobjects/schemas/Order/records/auditlogs"
BODY: dict[str, Any] = {"schema": "Order", "record_id": "r-1", "version": 5, "fields": {"a": 2}}


def record(version: int, **fields: object) -> Says:
    return Says(200, {"id": "r-1", "version": version, "fields": fields})


def entry(version: int, *, by: str = "other", **changes: tuple[object, object]) -> dict[str, object]:
    return {
        "version": version,
        "timestamp": f"2026-05-01T11:00:{version:02}Z",
        "metadata": {"requestCorrelationId": by},
        "changes": [{"field": name, "oldValue": old, "newValue": new} for name, (old, new) in changes.items()],
    }


def log(*entries: dict[str, object]) -> Says:
    return Says(200, {"entities": list(entries), "pageCount": 1, "total": len(entries)})


def inventory(settings: GenesysSettings) -> Rules:
    return Rules(settings=settings, records=RecordRules([INVENTORY_ITEM]))


class VersionedRecord:
    """One record with an audit log, as Genesys keeps it: PUT replaces all fields."""

    def __init__(self, genesys: FakeGenesys, fields: dict[str, object]) -> None:
        self._lock = threading.Lock()
        self.version, self.fields = 1, fields
        self._log: list[dict[str, object]] = []
        genesys.on("GET", RECORD, lambda _request: self._read())
        genesys.on("GET", LOG, lambda _request: self._read_log())
        genesys.on("PUT", RECORD, self._write)

    def _read(self) -> Says:
        with self._lock:
            return record(self.version, **self.fields)

    def _read_log(self) -> Says:
        with self._lock:
            return log(*self._log)

    def _write(self, request: requests.PreparedRequest) -> Says:
        body = json.loads(request.body or b"")
        with self._lock:
            if body["version"] != self.version:
                return Says(409, {"version": self.version})
            self.version += 1
            before, self.fields = self.fields, body["fields"]
            names = {*before, *self.fields}
            changes = {name: (before.get(name), self.fields.get(name)) for name in names}
            changed = {name: pair for name, pair in changes.items() if pair[0] != pair[1]}
            self._log.append(entry(self.version, by=body["metadata"]["requestCorrelationId"], **changed))
            return record(self.version, **self.fields)
