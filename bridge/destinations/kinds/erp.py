"""Kind `erp`: record changes, as an ERP takes them. It may not know other events."""

from __future__ import annotations

from bridge.destinations.forwarder import HttpForwarder
from bridge.destinations.wiring import Surroundings
from bridge.events import RECORD_CREATED, RECORD_DELETED, RECORD_UPDATED, RecordedEvent
from bridge.settings.model import DestinationSettings

_ACTIONS = {RECORD_CREATED: "create", RECORD_UPDATED: "update", RECORD_DELETED: "delete"}
_SOURCE = "genesys-cloud"


class Erp(HttpForwarder):
    """Only updates unless the configuration lists more; then every request says its `action`."""

    default_events = (RECORD_UPDATED,)
    sendable = frozenset(_ACTIONS)
    trial_type = RECORD_UPDATED

    def __init__(self, settings: DestinationSettings, around: Surroundings) -> None:
        super().__init__(settings, around)
        self._says_action = any(self.subscription.takes(each) for each in (RECORD_CREATED, RECORD_DELETED))

    def body(self, event: RecordedEvent) -> object:
        return told_to_erp(event, says_action=self._says_action)


def told_to_erp(event: RecordedEvent, *, says_action: bool) -> dict[str, object]:
    """The body for `event`, of one of the types of `Erp.sendable`."""
    record = event.payload
    body = {
        "source": _SOURCE,
        "schemaName": record["schemaName"],
        "recordId": record["recordId"],
        "timestamp": record["modifiedTime"],
        "modifiedBy": record["modifiedBy"],
        "fields": record["fields"],
    }
    if says_action:
        body["action"] = _ACTIONS[event.type]
    return body
