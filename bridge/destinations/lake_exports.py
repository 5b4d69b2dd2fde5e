"""The export that Genesys is asked for: of what, and what its answer means. It may not write into the bucket.

Genesys exports the thing as it is then, under a name made of its id, so that asking twice is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bridge.destinations.forwarder import RequestPreview
from bridge.destinations.genesys_access import try_access
from bridge.destinations.genesys_answers import exchange_of, held_back, tried_again
from bridge.destinations.wiring import Surroundings
from bridge.events import RecordedEvent
from bridge.genesys import GenesysClient, GenesysError, NotFound, VersionConflict
from bridge.genesys.operations.export import ExportKind, export_call
from bridge.genesys.profiles import profile_named
from bridge.genesys.regions import hosts
from bridge.outbox.contract import Delivered, Exchange, Outcome, Rejected, RetryLater
from bridge.settings.model import DestinationSettings

#: A token and a call, and both again after a 401: 10 s each.
EXPORT_SECONDS = 40.0

#: Of which subjects there are exports, and what they are called there.
_KINDS: Final[Mapping[str, ExportKind]] = {
    "interaction": "interaction",
    "conversation": "conversation",
    "record": "customObjectRecord",
}


def exportable(event: RecordedEvent) -> tuple[ExportKind, str] | None:
    """What `event` is about, as an export names it: kind and id; None where it is about something else."""
    word, _, rest = event.subject.partition(":")
    kind = _KINDS.get(word)
    if kind == "customObjectRecord":  # record:<schema>/<id>, and either may hold a slash: the payload knows
        told = event.payload.get("recordId")
        rest = told if isinstance(told, str) else rest.partition("/")[2]
    return (kind, rest) if kind and rest else None


class LakeExports:
    """Safe for threads, as the client is."""

    def __init__(self, settings: DestinationSettings, around: Surroundings, client: GenesysClient) -> None:
        self._settings = settings
        self._organisation = around.settings.genesys
        self._masking = around.masking
        self._client = client

    def trigger(self, event: RecordedEvent, *, key: str, progress: Mapping[str, object] | None) -> Outcome:
        """Ask for the export of what `event` is about, once; `key` is the same for every try. `progress` is kept."""
        wanted = exportable(event)
        if wanted is None:
            reason = f"destination {self._settings.name} (kind datalake) has no export for {event.type}"
            return Rejected(reason=reason, error_class="event")
        kind, subject_id = wanted
        try:
            answer = self._client.trigger_export(
                kind=kind,
                subject_id=subject_id,
                bucket=self._settings.bucket or "",
                path=self._settings.path,
                key=key,
                correlation_id=event.correlation_id,
                traceparent=event.traceparent,
            )
        except GenesysError as error:
            return self._failed(error, progress)
        return Delivered(exchange=exchange_of(answer, self._masking))

    def preview(self, event: RecordedEvent) -> RequestPreview | None:
        """The request that asks for it, without what the client adds when it sends; None where there is no export."""
        wanted = exportable(event)
        if wanted is None:
            return None
        kind, subject_id = wanted
        call = export_call(
            profile_named(self._organisation.api),
            kind=kind,
            subject_id=subject_id,
            bucket=self._settings.bucket or "",
            path=self._settings.path,
        )
        return RequestPreview(
            method=call.method,
            url=hosts(self._organisation).api_url + call.path,
            headers={"Content-Type": "application/json", "Authorization": "…"},
            body=call.body,
        )

    def try_out(self) -> Outcome:
        """Whether Genesys would let us ask: no export is begun."""
        return try_access(self._client, self._masking)

    def _failed(self, error: GenesysError, progress: Mapping[str, object] | None) -> Outcome:
        reason = self._masking.text(str(error))
        exchange = exchange_of(error.answer, self._masking)
        waiting = held_back(error, progress or {})
        return (
            waiting
            or tried_again(error, reason=reason, exchange=exchange, progress=progress)
            or self._refused(error, reason, exchange, progress)
        )

    def _refused(
        self, error: GenesysError, reason: str, exchange: Exchange, progress: Mapping[str, object] | None
    ) -> RetryLater | Rejected:
        """As spec 5 has it for every destination: what is not there or is locked, somebody may be mending."""
        kind = type(error).__name__
        if isinstance(error, NotFound | VersionConflict):
            return RetryLater(reason=reason, error_class=kind, exchange=exchange, slow=True, progress=progress)
        return Rejected(reason=reason, error_class=kind, exchange=exchange, progress=progress)
