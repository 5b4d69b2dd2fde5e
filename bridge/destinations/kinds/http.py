"""Kind `http`: any event, as CloudEvents 1.0. It may not know what the receiver is."""

from __future__ import annotations

from bridge.destinations.cloudevents import CONTENT_TYPE, structured
from bridge.destinations.forwarder import HttpForwarder
from bridge.events import RecordedEvent


class Http(HttpForwarder):
    content_type = CONTENT_TYPE

    def body(self, event: RecordedEvent) -> object:
        return structured(event)
