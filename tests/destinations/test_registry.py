from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from blinker import ANY

from bridge.database import Database
from bridge.destinations.registry import connect
from bridge.errors import ConfigurationError
from bridge.events import Owed, RecordedEvent
from bridge.settings.model import AuthSettings, DestinationSettings, Secret
from bridge.signals import event_recorded
from tests.destinations.deliveries import INTERACTION, RECORD, build
from tests.destinations.ways import OPENED

URL = "https://erp.example.com/hook"


def answers(database: Database, event: RecordedEvent) -> list[Owed]:
    with database.write() as session:
        replies = event_recorded.send("genesys", event=event, session=session)
    return [owed for _, owed in replies if owed]


def test_each_destination_answers_what_is_recorded_until_it_is_disconnected(database: Database) -> None:
    built = build(
        DestinationSettings(name="erp", kind="erp", url=URL),
        DestinationSettings(name="stock", kind="erp", url=URL, order="none"),
        DestinationSettings(name="crm", kind="crm", url=URL),
    )
    disconnect = connect(built.values())
    owed = sorted(answers(database, RECORD), key=lambda each: each.destination)
    assert owed == [
        Owed(destination="erp", subject=RECORD.subject),
        Owed(destination="stock", subject=f"event:{RECORD.id}"),
    ]
    assert [each.destination for each in answers(database, INTERACTION)] == ["crm"]
    disconnect()
    assert answers(database, RECORD) == []


def test_whoever_is_connected_is_held_though_nobody_else_holds_it(database: Database) -> None:
    connect(build(DestinationSettings(name="erp", kind="erp", url=URL)).values())
    OPENED.clear()
    gc.collect()
    assert [each.destination for each in answers(database, RECORD)] == ["erp"]
    for ear in list(event_recorded.receivers_for(ANY)):
        event_recorded.disconnect(ear)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kind": "epr"}, "destinations.erp.kind: epr is not a kind; use one of crm, "),
        ({"url": None}, "destinations.erp.url: must be an http:// or https:// address with a host"),
        ({"url": "https://"}, "destinations.erp.url: must be"),
        ({"url": "erp.example.com/hook"}, "destinations.erp.url: must be"),
        ({"events": ("interaction.updated",)}, "destinations.erp.events: interaction.updated is no event that"),
        ({"events": ("conversation.*",)}, "destinations.erp.events: conversation.* is no event that"),
        ({"events": ("custom*",)}, "destinations.erp.events: custom* is no pattern"),
        ({"events": ("*.updated",)}, "destinations.erp.events: *.updated is no pattern"),
        ({"transform": "a["}, "destinations.erp.transform: not a JMESPath expression"),
        ({"signing_secrets": (Secret("s3cret"),)}, "destinations.erp.signing_secrets: a signing secret is whsec_"),
        ({"auth": AuthSettings(type="bearer")}, "destinations.erp.auth: token: is missing"),
        ({"ca_bundle": Path("missing.pem")}, "destinations.erp.ca_bundle: missing.pem must be a readable PEM file"),
        ({"client_cert": Path("missing.pem")}, "destinations.erp.client_cert: missing.pem must be a readable"),
        ({"proxy": "socks5://s3cret@proxy"}, "destinations.erp.proxy: a proxy's url is http://host:port"),
    ],
)
def test_settings_that_cannot_be_used_are_named_at_the_start(settings: dict[str, object], problem: str) -> None:
    one = {"name": "erp", "kind": "erp", "url": URL, **settings}
    with pytest.raises(ConfigurationError) as refused:
        build(DestinationSettings(**one))  # type: ignore[arg-type]
    assert str(refused.value).startswith(problem)
    assert "s3cret" not in str(refused.value)


def test_the_problems_of_all_destinations_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        build(
            DestinationSettings(name="a", kind="nothing", url=URL),
            DestinationSettings(name="b", kind="erp", url=URL, transform="["),
        )
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [
        "destinations.a.kind",
        "destinations.b.transform",
    ]


def test_a_name_beyond_ascii_is_sent_to_as_dns_has_it() -> None:
    built = build(DestinationSettings(name="erp", kind="erp", url="https://lager.müller.example/ä?x=1"))
    assert built["erp"].preview(RECORD).url == "https://lager.xn--mller-kva.example/%C3%A4?x=…"


@pytest.fixture
def somebody_elses_package(tmp_path: Path) -> Iterator[None]:
    (tmp_path / "their_kind.py").write_text(
        "from bridge.destinations.forwarder import HttpForwarder\n"
        "class Theirs(HttpForwarder):\n"
        "    default_events = ('interaction.updated',)\n"
        "    def body(self, event):\n"
        "        return {'theirs': event.subject}\n"
    )
    information = tmp_path / "their_kind-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their-kind\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[bridge.destinations]\ntheirs = their_kind:Theirs\n")
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    sys.modules.pop("their_kind", None)


def test_somebody_else_adds_a_kind_by_an_entry_point(somebody_elses_package: None) -> None:
    built = build(DestinationSettings(name="x", kind="theirs", url=URL))
    assert built["x"].wants(INTERACTION)
    assert built["x"].preview(INTERACTION).body == {"theirs": "interaction:i1"}
    with pytest.raises(ConfigurationError, match=r"use one of crm, .*, theirs$"):
        build(DestinationSettings(name="x", kind="other", url=URL))
