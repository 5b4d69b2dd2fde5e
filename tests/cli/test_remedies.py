"""What an alert tells a person to type is a command that there is, and the page that it links is one too."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest
from flask import Flask
from werkzeug.routing import MapAdapter

from bridge.app import create_app
from bridge.cli import main
from bridge.clock import new_id
from bridge.settings.model import Secret, Settings
from bridge.telemetry.remedies import REMEDIES, remedy_for

CAUSES = [*REMEDIES, "something-new"]
ABOUT = {"delivery": new_id(), "destination": "erp", "source": "genesys"}


@pytest.fixture
def pages(database_url: str) -> Iterator[MapAdapter]:
    app: Flask = create_app(
        Settings(database_url=database_url, secret_key=Secret("a key for tests, long enough to be"))
    )
    yield app.url_map.bind("localhost")
    app.extensions["bridge"].close()


@pytest.mark.parametrize("cause", CAUSES)
def test_its_command_can_be_typed(cause: str) -> None:
    _, *words = shlex.split(remedy_for(cause, **ABOUT).command)
    command: click.Command = main
    while isinstance(command, click.Group):
        name, *words = words
        found = command.get_command(click.Context(command), name)
        assert found is not None, name
        command = found
    command.make_context(command.name, words)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_link_leads_to_a_page_of_its_own(pages: MapAdapter) -> None:
    for cause in CAUSES:
        endpoint, _ = pages.match(remedy_for(cause, **ABOUT).link.partition("?")[0], method="GET")
        assert endpoint.startswith("console.")
        assert endpoint != pages.match("/console/no-such-page", method="GET")[0]
