"""The Genesys client: one organisation, all operations. It may not know Flask, an outbox or a table.

    client = GenesysClient(GenesysSettings(region="mypurecloud.ie", client_id="…", client_secret=Secret("…")))
    client.update_conversation_attributes("c-1", {"tier": "gold"})

Two ways in: the calls that carry a command out to its end with tries and waits, and `advance`, which carries out one
step of a command for somebody who stores its progress and waits by himself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from random import Random

from requests.adapters import BaseAdapter

from bridge.clock import Clock, SystemClock, new_id
from bridge.errors import ConfigurationError
from bridge.genesys.breaker import Breaker, BreakerState
from bridge.genesys.enrichment import Crm
from bridge.genesys.exchange import Exchanger, Observer, pooled_adapter
from bridge.genesys.oauth import Tokens
from bridge.genesys.operations import operation_named
from bridge.genesys.operations.export import ExportKind, export_call
from bridge.genesys.operations.purge import submitted_purge
from bridge.genesys.operations.record_history import history
from bridge.genesys.operations.record_update import DEFAULT_TAGS
from bridge.genesys.pace import Pace, WriteSlots
from bridge.genesys.patience import Patience
from bridge.genesys.profiles import profile_named, traits_of
from bridge.genesys.profiles.contract import Profile, Traits
from bridge.genesys.readings import PurgeState
from bridge.genesys.regions import hosts
from bridge.genesys.rules import Rules
from bridge.genesys.runner import StepRunner
from bridge.genesys.steps import Command, Done, Progress, StepResult
from bridge.genesys.transport import Transport
from bridge.genesys.wire import Answer, Tally
from bridge.settings.model import GenesysSettings

TRIES = 3
BULK_TRIES = 5


class GenesysClient:
    """Thread-safe; keeps one token, one pace and one breaker for all threads."""

    def __init__(
        self,
        settings: GenesysSettings,
        *,
        rules: Rules | None = None,
        clock: Clock | None = None,
        adapter: BaseAdapter | None = None,
        crm_adapter: BaseAdapter | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Random | None = None,
        observer: Observer | None = None,
    ) -> None:
        """`rules`: record schemas, legal holds, open purges (default: none). `adapter` and `crm_adapter` carry the HTTP
        to Genesys and to the CRM. `observer` is told of every request to Genesys.

        Raises ConfigurationError where credentials or the region are missing, Unsupported for an unknown profile.
        """
        clock = clock or SystemClock()
        self._clock = clock
        self._profile = profile_named(settings.api)
        self._breaker = Breaker(clock=clock)
        self._patience = Patience(sleep=sleep, random=random or Random())  # noqa: S311 (jitter is no secret)
        pace = Pace(per_minute=settings.rate_per_minute, clock=clock)
        exchanger = Exchanger(adapter=adapter or pooled_adapter(), clock=clock, observer=observer)
        where = hosts(settings)
        self._tokens = _tokens(settings, self._profile, where.login_url, exchanger, clock)
        transport = Transport(
            api_url=where.api_url,
            tokens=self._tokens,
            pace=pace,
            slots=WriteSlots(settings.max_writes),
            breaker=self._breaker,
            exchanger=exchanger,
            clock=clock,
        )
        self.rules = rules or Rules(settings=settings)
        self._runner = StepRunner(
            transport=transport,
            pace=pace,
            profile=self._profile,
            rules=self.rules,
            crm=_crm(settings, crm_adapter, clock),
            clock=clock,
        )

    @property
    def breaker_state(self) -> BreakerState:
        return self._breaker.state

    def sign_in(self) -> None:
        """Have an access token, as the first call would. Raises AuthenticationFailed, Unavailable, RateLimited."""
        self._tokens.current()

    def traits(self, operation: str) -> Traits:
        """How the profile carries `operation` out. Raises Unsupported where it does not."""
        return traits_of(self._profile, operation)

    def advance(self, command: Command, progress: Progress | None, now: datetime) -> StepResult:
        """Carry out the next step of `command`, from the progress that the step before gave (None: the first).

        Never waits. Raises GenesysError: with `progress` set, store that for the next try of the step; with `deferred`,
        nothing was sent and the step is only to be begun later.
        """
        return self._runner.advance(command, progress, now)

    def trigger_export(
        self,
        *,
        kind: ExportKind,
        subject_id: str,
        bucket: str,
        path: str,
        key: str | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Answer:
        """Ask Genesys to write one thing to a bucket, once, without waiting; `key` is the idempotency key. Raises
        GenesysError."""
        command = self._command("export", {}, key=key, correlation_id=correlation_id, traceparent=traceparent)
        call = export_call(self._profile, kind=kind, subject_id=subject_id, bucket=bucket, path=path)
        return self._runner.sender(command, Tally())(call)

    def ask_for_nothing(self) -> Answer:
        """Read an interaction that is not there, once and without waiting.

        Raises GenesysError; NotFound is the good news: Genesys let us in, and looked.
        """
        send = self._runner.sender(self._command("access.check", {}), Tally())
        return send(self._profile.read_interaction("bridge-test"))

    def update_interaction(
        self,
        interaction_id: str,
        *,
        customer_id: str,
        attributes: Mapping[str, str],
        disposition_code: str | None = None,
    ) -> Done:
        """Attributes and disposition of an interaction. Raises GenesysError, as every call below does."""
        body = {
            "interaction_id": interaction_id,
            "customer_id": customer_id,
            "attributes": dict(attributes),
            "disposition_code": disposition_code,
        }
        return self._carried_out("interaction.update", body)

    def update_conversation_attributes(self, conversation_id: str, attributes: Mapping[str, object]) -> Done:
        """Attributes of a conversation: strings, integers, booleans, ISO 8601 date-times."""
        body = {"conversation_id": conversation_id, "attributes": dict(attributes)}
        return self._carried_out("conversation.attributes.update", body)

    def merge_interactions(
        self, interactions: Sequence[Mapping[str, str]], *, dedupe: Mapping[str, object] | None = None
    ) -> Done:
        """Several interactions, `{id, type}` each, into one. Blocks until Genesys is done, at most an hour."""
        body = {"interactions": [dict(one) for one in interactions], "dedupe": dedupe}
        return self._carried_out("interaction.merge", body)

    def update_record(
        self,
        schema: str,
        record_id: str,
        *,
        version: int,
        fields: Mapping[str, object],
        tags: Sequence[str] = DEFAULT_TAGS,
        on_conflict: str = "fail",
    ) -> Done:
        """A custom-object record under the version that was read; `on_conflict` is fail, retry or overwrite."""
        body = {
            "schema": schema,
            "record_id": record_id,
            "version": version,
            "fields": dict(fields),
            "tags": list(tags),
            "on_conflict": on_conflict,
        }
        return self._carried_out("record.update", body)

    def record_history(self, schema: str, record_id: str, *, patient: bool = True) -> list[Mapping[str, object]]:
        """The audit log of a record as Genesys wrote it, newest first, all pages; may hold personal data.

        Unless `patient`, there is one try, and our own pace is not waited for.
        """

        def read() -> list[Mapping[str, object]]:
            send = self._runner.sender(self._command("record.history", {}), Tally())
            return [entry.raw for entry in history(send, self._profile, schema, record_id)]

        return self._patience.tried(read, tries=TRIES) if patient else read()

    def purge_interactions(self, policy: Mapping[str, object]) -> PurgeState:
        """Submit a purge, as `purge_policy.read_policy` reads it. What becomes of it tells `purge_status`."""
        for result in self._results("interactions.purge", policy):
            state = submitted_purge(result)
            if state is not None:
                return state
        raise AssertionError("a purge is submitted before it ends")

    def purge_status(self, purge_id: str) -> PurgeState:
        """How far a purge is."""

        def read() -> PurgeState:
            send = self._runner.sender(self._command("purge.status", {}), Tally())
            return self._profile.as_purge_state(send(self._profile.read_purge_status(purge_id)))

        return self._patience.tried(read, tries=TRIES)

    def _carried_out(self, operation: str, body: Mapping[str, object]) -> Done:
        for result in self._results(operation, body):
            if isinstance(result, Done):
                return result
        raise AssertionError("a command ends with Done")

    def _results(self, operation: str, body: Mapping[str, object]) -> Iterator[StepResult]:
        command = self._command(operation, body)
        tries = BULK_TRIES if operation_named(operation).is_bulk else TRIES
        return self._patience.results(lambda progress: self.advance(command, progress, self._clock.now()), tries=tries)

    def _command(
        self,
        operation: str,
        body: Mapping[str, object],
        *,
        key: str | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Command:
        return Command(
            id=key or new_id(),
            operation=operation,
            body=body,
            issued_at=self._clock.now(),
            correlation_id=correlation_id,
            traceparent=traceparent,
        )


def _tokens(settings: GenesysSettings, profile: Profile, login_url: str, exchanger: Exchanger, clock: Clock) -> Tokens:
    if settings.client_id is None or settings.client_secret is None:
        raise ConfigurationError(["set GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET to call Genesys"])
    scopes = {scope for traits in profile.TRAITS.values() for scope in traits.scopes} if profile.SCOPED else ()
    return Tokens(
        url=f"{login_url}/oauth/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret,
        scopes=scopes,
        exchanger=exchanger,
        clock=clock,
    )


def _crm(settings: GenesysSettings, adapter: BaseAdapter | None, clock: Clock) -> Crm | None:
    if settings.crm.url is None:
        return None
    return Crm(settings.crm, exchanger=Exchanger(adapter=adapter or pooled_adapter(), clock=clock), clock=clock)
