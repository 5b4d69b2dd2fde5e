"""From a document to the events that it tells of, whenever it is read. It may not know a request or a row."""

from __future__ import annotations

from bridge.errors import FieldError, Invalid
from bridge.events import COMMANDS, Event
from bridge.intake.formats import Format

#: Each event keeps the raw bytes of the whole body.
MAX_EVENTS_PER_BODY = 100


def read_events(wire_format: Format, document: object, *, source: str) -> list[Event]:
    """The events in `document` (JSON values): some, not too many, and none that passes for a command.

    Raises Invalid naming every field that is wrong.
    """
    events = wire_format.parse(document, source=source)
    if not 1 <= len(events) <= MAX_EVENTS_PER_BODY:
        wrong = FieldError(field="body", rule="length", message=f"Must hold 1 to {MAX_EVENTS_PER_BODY} events.")
        raise Invalid("The body holds no event, or too many.", errors=[wrong])
    for event in events:
        if event.type in COMMANDS:
            wrong = FieldError(field="body", rule="type", message=f"{event.type} is a command; give it over the API.")
            raise Invalid("A source tells what happened; it cannot give commands.", errors=[wrong])
    return events
