"""The tables [destinations.NAME]: whom we owe events to and how they are sent. It may not send anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

import jmespath
from jmespath.exceptions import JMESPathError
from marshmallow import ValidationError

from bridge.settings import kinds
from bridge.settings.credentials import (
    HEADER,
    HEADER_RULE,
    PLAIN_HTTP,
    AuthSection,
    is_plain,
    signing_secret_problem,
    signs_in_plainly,
)
from bridge.settings.fields import (
    Choice,
    Duration,
    FilePath,
    Flag,
    Rate,
    Seconds,
    SecretText,
    Several,
    Text,
    Url,
    Value,
    Whole,
    is_http_url,
)
from bridge.settings.model import BreakerSettings, DestinationSettings, RetrySettings
from bridge.settings.references import current_reading
from bridge.settings.section import Problem, Section, nested, settled

#: Headers that would break the request, or that hold credentials, which stand in `auth` by reference.
_RESERVED_HEADERS: Final = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "host", "te", "trailer"),
        *("transfer-encoding", "upgrade", "authorization", "cookie", "proxy-authorization"),
        *("idempotency-key", "traceparent", "webhook-id", "webhook-signature", "webhook-timestamp"),
        *("x-bridge-test", "x-correlation-id"),
    }
)
_DATALAKE_ONLY: Final = ("bucket", "path", "sink", "endpoint_url", "access_key", "secret_key", "region")
_S3_ONLY: Final = ("endpoint_url", "access_key", "secret_key", "region")


class Headers(Value[Mapping[str, str]]):
    """Headers that every request to a destination carries."""

    def read(self, value: object) -> Mapping[str, str]:
        if not isinstance(value, Mapping):
            raise ValidationError('must be a table like { "X-Tenant" = "7" }')
        wrong = {name: [problem] for name, text in value.items() if (problem := self._problem(name, text))}
        if wrong:
            raise ValidationError(dict(wrong))
        return MappingProxyType(dict(value))

    @staticmethod
    def _problem(name: str, text: object) -> str | None:
        if not re.fullmatch(HEADER, name):
            return HEADER_RULE
        if name.lower() in _RESERVED_HEADERS:
            return "is set by the bridge itself; credentials belong into auth"
        if not isinstance(text, str) or not re.fullmatch(r"[\x20-\x7e]*", text):
            return "must be printable ASCII text"
        if text.startswith(("env:", "file:")):
            return 'does not take references; a secret header is auth = { type = "api-key", header = …, token = … }'
        return None


class Proxy(Value[str]):
    """A proxy's address; where it needs a user and a password, the whole address by reference."""

    def read(self, value: object) -> str:
        if isinstance(value, str) and not value.startswith(("env:", "file:")):
            return Url().read(value)
        text = current_reading().secret(value)
        if not is_http_url(text):
            raise ValidationError("must refer to an http:// or https:// address with a host")
        return text


class Transform(Value[str]):
    """A JMESPath expression."""

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ValidationError("must be a JMESPath expression as text, not empty")
        try:
            jmespath.compile(value)
        except JMESPathError as invalid:
            position = getattr(invalid, "lex_position", None)
            place = f" (near character {position + 1})" if isinstance(position, int) else ""
            raise ValidationError(f"is not a JMESPath expression{place}; see https://jmespath.org") from None
        return value


class RetrySection(Section):
    builds = RetrySettings

    base = Seconds()
    cap = Seconds()
    max_attempts = Whole(0)
    max_age = Duration()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        base = settled(given, valid, "base", RetrySettings.base)
        cap = settled(given, valid, "cap", RetrySettings.cap)
        if base is not None and cap is not None and cap < base:
            yield ("cap",), "must not be less than base; raise it, or lower base"


class BreakerSection(Section):
    builds = BreakerSettings

    failures = Whole(1)
    cooldown = Seconds()


class DestinationSection(Section):
    """One destination, without its name."""

    builds: ClassVar[Any] = dict

    kind = Choice(kinds.KINDS, plugins=kinds.plugin_kinds, required=True)
    url = Url()
    events = Several(Text(matching=kinds.EVENT_TYPE, rule="must be an event type like interaction.updated"), least=1)
    auth = nested(AuthSection)
    client_cert = FilePath()
    ca_bundle = FilePath()
    signing_secrets = Several(SecretText(check=signing_secret_problem))
    headers = Headers()
    transform = Transform()
    timeout = Seconds()
    retry = nested(RetrySection)
    retry_on = Several(Whole(300, 599))
    reject_on = Several(Whole(300, 599))
    max_in_flight = Whole(1, 10_000)
    rate = Rate()
    order = Choice(("record", "none"))
    stale = Choice(("skip", "send"))
    on_dead = Choice(("skip", "block"))
    max_block = Duration()
    echo = Choice(("skip", "send"))
    lease_seconds = Seconds()
    breaker = nested(BreakerSection)
    allow_local = Flag()
    allow_private = Flag()
    proxy = Proxy()
    paused = Flag()
    bucket = Text()
    path = Text()
    sink = Choice(("export", "s3"))
    endpoint_url = Url()
    access_key = SecretText()
    secret_key = SecretText()
    region = Text()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        kind = valid.get("kind")
        if kind is not None:
            yield from _kind_rules(kind, given, valid)
        yield from _credential_rules(given, valid)
        timeout = settled(given, valid, "timeout", kinds.default_timeout(kind))
        lease = settled(given, valid, "lease_seconds", DestinationSettings.lease_seconds)
        if timeout is not None and lease is not None and lease <= timeout:
            yield ("lease_seconds",), "must be more than timeout, or a try could outlast its lease; raise it"
        if set(valid.get("retry_on", ())) & set(valid.get("reject_on", ())):
            yield ("reject_on",), "names a status that retry_on names too; keep it in one of them"


def build_destination(name: str, values: Mapping[str, Any]) -> DestinationSettings:
    """The settings of one destination, with the defaults of its kind."""
    kind = values["kind"]
    of_kind = {"timeout": kinds.default_timeout(kind), "stale": kinds.default_stale(kind)}
    return DestinationSettings(name=name, **{**of_kind, **values})


def _kind_rules(kind: str, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
    if kinds.needs_url(kind) and "url" not in given:
        yield ("url",), f"is missing; kind {kind} needs to know where to send"
    if kind == "http" and "events" not in given:
        yield ("events",), "is missing; kind http has no events of its own, so list them"
    for position, event_type in enumerate(valid.get("events", ())):
        if not kinds.has_request_for(kind, event_type):
            yield ("events", position), f"is not an event that kind {kind} has a request for; use kind http for it"
    if kind == "datalake":
        yield from _lake_rules(given, valid)
    elif kind in kinds.KINDS:
        for key in _DATALAKE_ONLY:
            if key in given:
                yield (key,), "is for kind datalake only; take it out"


def _lake_rules(given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
    if "bucket" not in given:
        yield ("bucket",), "is missing; kind datalake writes into it"
    if "url" in given:
        yield ("url",), 'is not for kind datalake: with sink = "s3" a server of your own is endpoint_url'
    if ("access_key" in given) != ("secret_key" in given):
        missing = "secret_key" if "access_key" in given else "access_key"
        yield (missing,), "is missing; access_key and secret_key go together"
    if settled(given, valid, "sink", DestinationSettings.sink) == "export":
        for key in _S3_ONLY:
            if key in given:
                yield (key,), 'is for sink = "s3" only: set that, or take it out'


def _credential_rules(given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
    if valid.get("allow_local", False):
        return
    if signs_in_plainly(given, valid) or (is_plain(valid.get("url")) and "client_cert" in given):
        yield ("url",), PLAIN_HTTP
    if is_plain(valid.get("endpoint_url")) and "access_key" in given:
        yield ("endpoint_url",), PLAIN_HTTP
    auth = given.get("auth")
    if isinstance(auth, Mapping) and is_plain(auth.get("token_url")):
        yield ("auth", "token_url"), PLAIN_HTTP
