"""An event as a CloudEvents 1.0 structured JSON. It may not know who receives it.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, and formats/json-format.md beside it.
"""

from __future__ import annotations

from urllib.parse import quote

from bridge.clock import rfc3339
from bridge.events import RecordedEvent

CONTENT_TYPE = "application/cloudevents+json"
_TYPE_PREFIX = "com.genesys.bridge."


def structured(event: RecordedEvent) -> dict[str, object]:
    """`event` with its payload as `data`; extensions that it has nothing for are left out."""
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/sources/{quote(event.source, safe='')}",
        "type": _TYPE_PREFIX + event.type,
        "subject": event.subject,
        "time": rfc3339(event.occurred_at or event.received_at),
        "datacontenttype": "application/json",
        "data": event.payload,
    }
    if event.correlation_id is not None:
        attributes["correlationid"] = event.correlation_id
    if event.version is not None:
        attributes["version"] = event.version
    return attributes
