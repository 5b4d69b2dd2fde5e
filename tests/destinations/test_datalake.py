"""Kind `datalake`: what it is owed, how it is treated, and what it must be told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.errors import ConfigurationError, Invalid
from bridge.events import (
    COMMANDS,
    CONVERSATION_ATTRIBUTES_UPDATED,
    INTERACTION_MERGED,
    INTERACTION_PURGED,
    INTERACTION_UPDATED,
    PURGE_COMPLETED,
    RECORD_CREATED,
    RECORD_DELETED,
    RECORD_UPDATED,
    Owed,
)
from bridge.settings.model import DestinationSettings, RetrySettings
from tests.destinations.deliveries import INTERACTION, RECORD, build
from tests.destinations.lakes import lake, organisation

ORGANISATION = organisation("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("subject", "types"),
    [
        ("interaction:i1", (INTERACTION_UPDATED, INTERACTION_MERGED, INTERACTION_PURGED, "interaction.transferred")),
        ("conversation:v1", (CONVERSATION_ATTRIBUTES_UPDATED, "conversation.ended")),
        ("record:InventoryItem/r1", (RECORD_CREATED, RECORD_UPDATED, RECORD_DELETED)),
    ],
)
@pytest.mark.parametrize("sink", ["export", "s3"])
def test_a_lake_takes_whatever_happened_to_its_three_kinds_of_subjects(
    sink: str, subject: str, types: tuple[str, ...]
) -> None:
    one = lake(sink=sink, genesys=ORGANISATION)
    for event_type in types:
        event = replace(INTERACTION, type=event_type, subject=subject)
        assert one.wants(event) == Owed(destination="lake", subject=subject)


@pytest.mark.parametrize("sink", ["export", "s3"])
def test_a_lake_takes_nothing_else(sink: str) -> None:
    for one in (lake(sink=sink, genesys=ORGANISATION), lake(sink=sink, genesys=ORGANISATION, events=("*",))):
        for event_type in COMMANDS:
            assert one.wants(replace(INTERACTION, type=event_type)) is None
        assert one.wants(replace(INTERACTION, type=PURGE_COMPLETED, subject="purge:p1")) is None
        assert one.wants(replace(INTERACTION, type="genesys.presence", subject="unknown:h")) is None
    assert lake(sink=sink, genesys=ORGANISATION).wants(replace(INTERACTION, type="genesys.presence")) is None


def test_a_lake_may_be_told_to_take_less() -> None:
    one = lake(sink="s3", events=(INTERACTION_MERGED, "custom_object.*"))
    assert one.wants(RECORD)
    assert one.wants(replace(INTERACTION, type=INTERACTION_MERGED))
    assert one.wants(INTERACTION) is None


def test_lanes_and_echoes_are_those_of_every_kind() -> None:
    assert lake(sink="s3", order="none").wants(RECORD) == Owed(destination="lake", subject=f"event:{RECORD.id}")
    echo = replace(RECORD, caused_by="lake")
    assert lake(sink="s3").wants(echo) is None
    assert lake(sink="s3", echo="send").wants(echo)


@pytest.mark.parametrize("pattern", ["purge.*", "audit.sealed", "genesys.v2.*", "*.updated"])
def test_a_pattern_that_no_event_of_a_lake_matches_is_named(pattern: str) -> None:
    with pytest.raises(ConfigurationError, match=r"destinations\.lake\.events: "):
        lake(sink="s3", events=(pattern,))


def test_an_export_needs_an_organisation() -> None:
    with pytest.raises(ConfigurationError) as refused:
        build(DestinationSettings(name="lake", kind="datalake", bucket="b"))
    (problem,) = refused.value.problems
    assert problem.startswith("destinations.lake.sink: set GENESYS_CLIENT_ID")
    assert 'sink = "s3"' in problem


def test_writing_alone_is_treated_as_the_configuration_says() -> None:
    policy = lake(sink="s3", timeout=7.0, max_in_flight=9, retry=RetrySettings(base=3.0)).policy
    assert (policy.timeout, policy.max_in_flight, policy.retry_base) == (7.0, 9, 3.0)
    assert policy.lease == timedelta(seconds=30)


def test_an_export_has_the_time_that_its_calls_may_take_and_no_more_at_once_than_the_client_lets_through() -> None:
    alone, both = (lake(sink=sink, genesys=ORGANISATION, timeout=7.0).policy for sink in ("export", "s3"))
    assert (alone.timeout, both.timeout) == (40.0, 47.0)
    for policy in (alone, both):
        assert policy.lease > timedelta(seconds=policy.timeout)
        assert policy.max_in_flight == ORGANISATION.max_writes


def test_what_becomes_no_request_has_no_preview() -> None:
    with pytest.raises(Invalid):
        lake(genesys=ORGANISATION).preview(replace(RECORD, subject="purge:p1"))
