"""An event as an object of a bucket: its key, and its bytes. Pure; it may not know how an object gets there.

One event is one object of one line, and key and bytes follow from the recorded event alone: whoever writes it again
overwrites it with the same. The hour is the one (UTC) in which the event was received, so an hour that is over gets
no new events but those that were replayed or late in the outbox.
"""

from __future__ import annotations

import gzip
from datetime import UTC

import orjson

from bridge.destinations.cloudevents import structured
from bridge.destinations.transform import Transform
from bridge.events import RecordedEvent


def object_key(path: str, event: RecordedEvent) -> str:
    """`<path>/<yyyy>/<mm>/<dd>/<hh>/<event id>.jsonl.gz`"""
    hour = f"{event.received_at.astimezone(UTC):%Y/%m/%d/%H}"
    return "/".join(part for part in (path.strip("/"), hour, f"{event.id}.jsonl.gz") if part)


def trial_key(path: str) -> str:
    """`<path>/_bridge-test.jsonl.gz`: always the same, so that trials do not pile up."""
    return "/".join(part for part in (path.strip("/"), "_bridge-test.jsonl.gz") if part)


def object_line(event: RecordedEvent, transform: Transform | None) -> bytes:
    """The event as a CloudEvent in JSON, or what `transform` makes of that. Raises TransformFailed."""
    body = structured(event)
    return orjson.dumps(body) if transform is None else transform.apply(body)


def packed(line: bytes) -> bytes:
    """`line` as a gzip file; no time is written into it, so that equal lines give equal files."""
    return gzip.compress(line + b"\n", mtime=0)
