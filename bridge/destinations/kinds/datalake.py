"""Kind `datalake`: whatever happened to interactions, conversations and records. It may not know S3 or Genesys's API.

With `sink = "export"` every such event asks Genesys to export its subject into the bucket. With `sink = "s3"` the
event itself is written into the bucket, and then the export is asked for too, where an organisation is configured:
spec 5 says "also". Without one, writing is all there is to do. What is written is remembered with the delivery, so
that an export that fails is tried again alone; either of them done twice is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from bridge.destinations.forwarder import RequestPreview
from bridge.destinations.lake_exports import EXPORT_SECONDS, LakeExports, exportable
from bridge.destinations.subscription import Subscription
from bridge.destinations.wiring import Surroundings, naming, policy_of
from bridge.errors import ConfigurationError, FieldError, Invalid
from bridge.events import Owed, RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome
from bridge.settings.model import DestinationSettings

DEFAULT_EVENTS = ("interaction.*", "conversation.*", "custom_object.record.*")
_BEGINNINGS = tuple(pattern.removesuffix("*") for pattern in DEFAULT_EVENTS)
#: A lease lasts that much longer than a try with an export in it.
MARGIN_SECONDS = 10.0
#: The key of the delivery's progress that tells that the event is in the bucket.
_WRITTEN = "written"


class Bucket(Protocol):
    def write(self, event: RecordedEvent) -> Outcome: ...

    def preview(self, event: RecordedEvent) -> RequestPreview: ...

    def try_out(self) -> Outcome: ...

    def close(self) -> None: ...


class Datalake:
    """Safe for threads."""

    def __init__(self, settings: DestinationSettings, around: Surroundings) -> None:
        """Raises ConfigurationError where the settings cannot be used, or a package is missing that they need."""
        self._name = settings.name
        with naming(settings, "events"):
            patterns = DEFAULT_EVENTS if settings.events is None else settings.events
            _check(patterns)
            self._subscription = Subscription(settings, patterns=patterns, sendable=None)
        self._bucket = _bucket(settings, around) if settings.sink == "s3" else None
        self._exports = None if around.genesys is None else LakeExports(settings, around, around.genesys)
        if self._bucket is None and self._exports is None:
            problem = 'set GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET for the export, or sink = "s3" to do without'
            raise ConfigurationError([f"destinations.{settings.name}.sink: {problem}"])
        self._policy = policy_of(settings)
        if self._exports is not None:
            self._policy = _with_exports(self._policy, self._bucket, around.settings.genesys.max_writes)

    @property
    def name(self) -> str:
        return self._name

    @property
    def policy(self) -> DeliveryPolicy:
        return self._policy

    def owe(self, sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        """Receiver of `event_recorded`."""
        return self.wants(event)

    def wants(self, event: RecordedEvent) -> Owed | None:
        return self._subscription.owed(event) if exportable(event) else None

    def send(self, delivery: ClaimedDelivery) -> Outcome:
        progress = delivery.progress
        is_written = bool(progress and progress.get(_WRITTEN))
        if self._bucket is not None and not (is_written and self._exports):
            written = self._bucket.write(delivery.event)
            if self._exports is None or not isinstance(written, Delivered):
                return written
            progress = {_WRITTEN: True}
        assert self._exports is not None  # as __init__ saw to
        return self._exports.trigger(delivery.event, key=delivery.webhook_id, progress=progress)

    def preview(self, event: RecordedEvent) -> RequestPreview:
        """The object that `event` would become, else the request for the export. Raises Invalid where it is neither."""
        if self._bucket is not None:
            return self._bucket.preview(event)
        shown = self._exports.preview(event) if self._exports else None
        if shown is None:
            message = f"destination {self._name} (kind datalake) has no request for {event.type}"
            wrong = FieldError(field="type", rule="request", message=message)
            raise Invalid("This event becomes no request.", errors=[wrong])
        return shown

    def try_out(self) -> Outcome:
        """Write an object that no reader of the lake looks at, and ask Genesys whether it lets us in; no export."""
        if self._bucket is not None:
            written = self._bucket.try_out()
            if self._exports is None or not isinstance(written, Delivered):
                return written
        assert self._exports is not None  # as __init__ saw to
        return self._exports.try_out()

    def close(self) -> None:
        if self._bucket is not None:
            self._bucket.close()


def _check(patterns: Sequence[str]) -> None:
    """Raises ValueError for a pattern that only events of other subjects can match."""
    for pattern in patterns:
        beginning = pattern.removesuffix("*")
        if not any(beginning.startswith(known) or known.startswith(beginning) for known in _BEGINNINGS):
            raise ValueError(f"{pattern} is not about an interaction, a conversation or a record; use kind http for it")


def _bucket(settings: DestinationSettings, around: Surroundings) -> Bucket:
    """Imported here alone: boto3 is an extra, and costs every process that does not need it."""
    try:
        from bridge.destinations.lake_bucket import LakeBucket
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("boto3", "botocore"):
            raise
        problem = 's3 needs the package boto3: `pip install "genesys-bridge[s3]"`, or take sink = "export"'
        raise ConfigurationError([f"destinations.{settings.name}.sink: {problem}"]) from None
    return LakeBucket(settings, around)


def _with_exports(policy: DeliveryPolicy, bucket: Bucket | None, max_writes: int) -> DeliveryPolicy:
    """A try takes as long as its export may; and the client lets no more of them through at once than `max_writes`."""
    timeout = EXPORT_SECONDS + (policy.timeout if bucket is not None else 0)
    return replace(
        policy,
        timeout=timeout,
        lease=max(policy.lease, timedelta(seconds=timeout + MARGIN_SECONDS)),
        max_in_flight=min(policy.max_in_flight, max_writes),
    )
