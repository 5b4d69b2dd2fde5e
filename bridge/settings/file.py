"""bridge.toml as a whole: its sections and the rules between them. It may not read the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar, Final

from marshmallow import ValidationError

from bridge.settings.credentials import NAME, NAME_RULE
from bridge.settings.destinations import DestinationSection, build_destination
from bridge.settings.fields import Address, Choice, Duration, Seconds, Several, Text, Value, Whole, nearest
from bridge.settings.model import (
    AlertSettings,
    HealthSettings,
    LegalHold,
    RecordSchema,
    RetentionSettings,
    ServerSettings,
    SourceSettings,
)
from bridge.settings.organisation import GenesysSection
from bridge.settings.records import RECORD_NAME, RECORD_NAME_RULE, RecordSchemaSection
from bridge.settings.section import Named, Problem, Section, nested, nested_list
from bridge.settings.sources import SourceSection

INTERACTION_TYPES: Final = ("voice", "email", "chat", "callback", "sms", "social")


class Moment(Value[date | datetime]):
    """A date, or a time with its zone; TOML's own or as text."""

    def read(self, value: object) -> date | datetime:
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        raise ValidationError("must be a date like 2026-01-31, or a time with its zone like 2026-01-31T12:00:00Z")


class ServerSection(Section):
    builds = ServerSettings

    max_body_bytes = Whole(1)
    trusted_proxies = Several(Address())
    max_backlog = Whole(1)
    dedupe_window = Duration(zero=True)


class HealthSection(Section):
    builds = HealthSettings

    stall_seconds = Seconds()
    metrics_from = Several(Address())


class PrivacySection(Section):
    builds: ClassVar[Any] = dict

    personal = Several(
        Text(
            matching=r"[^.\[\]$\s]+(\.[^.\[\]$\s]+)*",
            rule="must be a field path like customer.email or fields.contact*; lists need no index",
        )
    )


class RetentionSection(Section):
    builds = RetentionSettings

    delivered_days = Whole(0, 36_500)
    dead_days = Whole(0, 36_500)
    rejections_days = Whole(0, 36_500)
    audit_days = Whole(0, 36_500)


class LegalHoldSection(Section):
    builds = LegalHold

    subject = Text(matching=r"[a-z]+:[^\x00-\x1f\x7f]+", rule="must be a subject like conversation:<id>")
    customer = Text()
    type = Choice(INTERACTION_TYPES)
    from_ = Moment(data_key="from")
    to = Moment()
    reason = Text()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        if len(given.keys() & {"subject", "customer", "type"}) != 1:
            yield ("_schema",), "must hold exactly one of subject, customer, and type with from and to"
        for key in ("from", "to"):
            if ("type" in given) != (key in given):
                yield (key,), "is missing; type needs a range" if "type" in given else "goes with type only"
        start, end = valid.get("from_"), valid.get("to")
        if start is not None and end is not None and _instant(start) > _instant(end):
            yield ("to",), "must not be before from"


class AlertsSection(Section):
    builds = AlertSettings

    destination = Text()
    every = Duration()


class FileSection(Section):
    """The whole file; loads to keyword arguments of `Settings`."""

    @staticmethod
    def builds(*, privacy: Mapping[str, Any] | None = None, **values: Any) -> dict[str, Any]:
        values["legal_holds"] = tuple(values.pop("legal_holds", ()))
        return {**values, **(privacy or {})}

    server = nested(ServerSection)
    health = nested(HealthSection)
    sources = Named(SourceSection, lambda name, values: SourceSettings(name=name, **values), names=NAME, rule=NAME_RULE)
    destinations = Named(DestinationSection, build_destination, names=NAME, rule=NAME_RULE)
    genesys = nested(GenesysSection)
    schemas = Named(
        RecordSchemaSection,
        lambda name, values: RecordSchema(name=name, fields=values["fields"], rules=tuple(values.get("rules", ()))),
        names=RECORD_NAME,
        rule=RECORD_NAME_RULE,
    )
    privacy = nested(PrivacySection)
    retention = nested(RetentionSection)
    legal_holds = nested_list(LegalHoldSection)
    alerts = nested(AlertsSection)

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        alerts, destinations = given.get("alerts"), given.get("destinations", {})
        name = alerts.get("destination") if isinstance(alerts, Mapping) else None
        if not isinstance(name, str) or not isinstance(destinations, Mapping):
            return
        target = destinations.get(name)
        if target is None:
            guess = nearest(name, destinations)
            meant = f"did you mean {guess}?" if guess else "add it, or take this key out to have alerts logged"
            yield ("alerts", "destination"), f"names no destination of this file; {meant}"
        elif isinstance(target, Mapping) and target.get("kind") != "http":
            yield ("alerts", "destination"), "names a destination that is not of kind http; alerts need one that is"


#: Built once: a new schema per call is many times slower.
FILE: Final = FileSection()


def _parsed(text: str) -> date | datetime | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else datetime.fromisoformat(text)
    except ValueError:
        return None


def _instant(moment: date | datetime) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)
