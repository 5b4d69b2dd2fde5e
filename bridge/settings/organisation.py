"""The table [genesys]: the organisation that commands go to, and its policies. It may not call it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import ValidationError

from bridge.settings.credentials import PLAIN_HTTP, AuthSection, header_secret, signs_in_plainly
from bridge.settings.fields import Choice, Flag, Seconds, Text, Url, Value, Whole
from bridge.settings.kinds import REGIONS
from bridge.settings.model import (
    CrmEnrichmentSettings,
    GenesysSettings,
    MergeSettings,
    PurgeRule,
    PurgeSettings,
)
from bridge.settings.section import Problem, Section, nested, nested_list

CLASSIFICATIONS: Final = ("public", "internal", "confidential", "pii", "hipaa")
#: The longest retention that a purge policy can ask for, in days (spec, part 4, operation 5).
LONGEST_RETENTION_DAYS: Final = 3650


class Weights(Value[Mapping[str, int]]):
    """Priority per channel; what is not named keeps its default."""

    def read(self, value: object) -> Mapping[str, int]:
        if not isinstance(value, Mapping):
            raise ValidationError("must be a table like { voice = 10, chat = 7 }")
        weight = Whole(0, 1_000_000)
        wrong: dict[str | int, Any] = {}
        for channel, number in value.items():
            try:
                weight.read(number)
            except ValidationError as invalid:
                wrong[channel] = invalid.messages
        if wrong:
            raise ValidationError(wrong)
        return MappingProxyType({**MergeSettings().weights, **value})


class CrmSection(Section):
    builds = CrmEnrichmentSettings

    url = Url()
    auth = nested(AuthSection)
    enrich = Choice(("required", "best-effort"))
    cache_seconds = Seconds(zero=True)
    allow_local = Flag()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        if valid.get("enrich") == "required" and "url" not in given:
            yield ("url",), 'is missing; enrich = "required" needs to know where the CRM is'
        if signs_in_plainly(given, valid) and not valid.get("allow_local", False):
            yield ("url",), PLAIN_HTTP


class MergeSection(Section):
    builds = MergeSettings

    weights = Weights()
    dedupe_window_seconds = Whole(0)


class PurgeRuleSection(Section):
    builds = PurgeRule

    classification = Choice(CLASSIFICATIONS, required=True)
    min_retention_days = Whole(0, LONGEST_RETENTION_DAYS)
    require_type = Choice(("permanent", "soft"))

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        if not given.keys() & {"min_retention_days", "require_type"}:
            yield ("_schema",), "demands nothing; say min_retention_days or require_type"


class PurgeSection(Section):
    @staticmethod
    def builds(**values: Any) -> PurgeSettings:
        values["rules"] = tuple(values.pop("rules", PurgeSettings.rules))
        return PurgeSettings(**values)

    two_persons = Flag()
    require_expired_window = Flag()
    governance_rules = nested_list(PurgeRuleSection, data_key="rules", attribute="rules")


class GenesysSection(Section):
    builds = GenesysSettings

    api = Choice(("interaction", "platform"))
    region = Choice(REGIONS)
    api_url = Url()
    login_url = Url()
    client_id = Text()
    client_secret = header_secret()
    rate_per_minute = Whole(1)
    max_writes = Whole(1)
    conflict_tries = Whole(1)
    retention_days = Whole(0)
    metadata_source = Text()
    verify_history = Flag()
    crm = nested(CrmSection)
    merge = nested(MergeSection)
    purge = nested(PurgeSection)

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        if ("client_id" in given) != ("client_secret" in given):
            missing = "client_secret" if "client_id" in given else "client_id"
            yield (missing,), "is missing; client_id and client_secret go together"
        if "client_id" in given and not given.keys() & {"region", "api_url"}:
            yield ("region",), "is missing; say the organisation's region, or api_url and login_url"
