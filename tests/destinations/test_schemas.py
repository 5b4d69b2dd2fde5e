"""What integrators are promised is what the kinds send: every sample is the kind's own, and its schema takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from bridge import events
from bridge.destinations.samples import TRIAL_EVENT, sample_event, sample_types, trial_event
from bridge.destinations.schemas import Received, received
from bridge.events import RecordedEvent
from bridge.settings.kinds import has_request_for
from bridge.settings.model import DestinationSettings
from tests.destinations.deliveries import INTERACTION, RECEIVED_AT, RECORD, build, destination

HERE = "http://127.0.0.1:9/"
#: Kinds that post what they receive; a data lake writes it.
POSTING = ("erp", "crm", "governance", "http")
EVERY = [(event_type, one) for event_type in sample_types() for one in received(event_type)]


def validator(one: Received) -> Draft202012Validator:
    Draft202012Validator.check_schema(one.schema)
    return Draft202012Validator(one.schema, format_checker=FormatChecker())


def body(kind: str, event: RecordedEvent, *, takes: str | None = None) -> Any:
    return destination(HERE, kind=kind, events=(takes or event.type,)).preview(event).body


def of(kind: str, event_type: str) -> Received:
    (one,) = (each for each in received(event_type) if each.kind == kind)
    return one


@pytest.mark.parametrize(("event_type", "one"), EVERY)
def test_a_sample_is_what_the_kind_sends_and_its_schema_takes_it(event_type: str, one: Received) -> None:
    validator(one).validate(one.sample)
    kind = one.kind if one.kind in POSTING else "http"
    assert one.sample == body(kind, sample_event(event_type))


@pytest.mark.parametrize(("event_type", "one"), EVERY)
def test_a_schema_misses_whatever_is_required(event_type: str, one: Received) -> None:
    check = validator(one)
    assert set(one.sample) - set(one.schema["properties"]) == set(), "every member is described"
    for name in one.schema["required"]:
        assert not check.is_valid({key: value for key, value in one.sample.items() if key != name}), name
    assert not check.is_valid({name: [] for name in one.sample})


def test_there_is_a_schema_for_every_request_that_a_kind_has() -> None:
    for event_type in sample_types():
        kinds = {one.kind for one in received(event_type)}
        assert kinds == {
            kind for kind in (*POSTING, "datalake") if kind == "http" or has_request_for(kind, event_type)
        }, event_type
    assert received("genesys.unheard_of") == ()


def test_an_erp_that_takes_more_than_updates_is_told_the_action() -> None:
    check = validator(of("erp", events.RECORD_UPDATED))
    check.validate(body("erp", RECORD, takes="custom_object.record.*"))
    assert not check.is_valid({**body("erp", RECORD), "action": "merge"})


@pytest.mark.parametrize("kind", ["crm", "http"])
def test_what_is_really_recorded_is_taken_too(kind: str) -> None:
    validator(of(kind, INTERACTION.type)).validate(body(kind, INTERACTION))
    told_by_genesys = {
        "interactionId": "i9",
        "sourceInteractionIds": ["i1"],
        "customer": None,
        "version": None,
        "processedAt": "2026-05-01T11:59:59Z",
    }
    merged = replace(INTERACTION, type=events.INTERACTION_MERGED, payload=told_by_genesys, correlation_id=None)
    validator(of(kind, merged.type)).validate(body(kind, merged))


def test_a_record_with_nothing_but_what_must_be_there_is_taken() -> None:
    bare = replace(RECORD, payload={**RECORD.payload, "version": None, "modifiedBy": None, "fields": {}}, version=None)
    for kind in ("erp", "http"):
        validator(of(kind, bare.type)).validate(body(kind, bare))


def test_a_trial_names_nobody_and_changes_nothing() -> None:
    for event_type in (TRIAL_EVENT, *sample_types()):
        event = trial_event(event_type, RECEIVED_AT)
        assert event.source == "bridge-test"
        assert "bridge-test" in event.subject or event.subject == "audit:0"
        for name in ("fields", "updatedAttributes"):
            assert not event.payload.get(name)


def test_every_kind_that_posts_has_a_trial() -> None:
    built = build(*(DestinationSettings(name=kind, kind=kind, url=HERE, allow_local=True) for kind in POSTING))
    for kind, one in built.items():
        assert getattr(one.try_out(), "error_class", None) == "connect", kind
