"""Erasing a person from the command line: nothing before somebody has said so."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bridge.cli.opened import opened_bridge
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, Event
from bridge.intake.recorder import Arrival, record
from tests.cli.conftest import Commands
from tests.outbox.yard import actions

EVA = "conversation:eva"
WHY = ("--reason", "she asked us to")


@pytest.fixture
def events(bridge: Commands) -> Commands:
    """The bridge with two events about Eva, who is customer C-7."""
    with opened_bridge() as opened, opened.database.write() as session:
        now = opened.clock.now()
        arrivals = [
            Arrival(
                event=Event(type=CONVERSATION_ATTRIBUTES_UPDATED, subject=EVA, payload={"customerId": "C-7"}),
                source="genesys",
                body=b'{"customerId": "C-7"}',
                received_at=now,
            )
            for _ in range(2)
        ]
        window = opened.settings.server.dedupe_window
        record(session, arrivals, notes=opened.notes, vault=opened.vault, now=now, dedupe_window=window)
    return bridge


def payloads(bridge: Commands) -> list[object]:
    return [event["payload"] for event in bridge.json("events", "list", "--subject", EVA)["items"]]


def test_a_dry_run_only_tells(events: Commands) -> None:
    told = events("erase", "--customer", "C-7", "--dry-run")
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines() == [
        "events that would be erased: 2 (subjects: 1)",
        "deliveries that would be cancelled: 2 to crm",
        "nothing of it was delivered to anybody",
    ]
    assert events.json("erase", "--subject", EVA, "--dry-run")["events"] == 2
    assert None not in payloads(events)
    assert "erasure.completed" not in actions(events.database)


def test_a_script_says_yes_and_reads_the_report(events: Commands) -> None:
    report = events.json("erase", "--customer", "C-7", "--yes", *WHY)
    assert (report["dry_run"], report["subjects"], report["events"]) == (False, [EVA], 2)
    assert payloads(events) == [None, None]
    again = events("erase", "--customer", "C-7", "--yes", *WHY)
    assert (again.exit_code, again.stdout.splitlines()[0]) == (0, "events that were erased: 0 (subjects: 0)")


def test_a_hold_is_named_and_ends_it_with_1(events: Commands) -> None:
    hold = events.json("holds", "add", "--customer", "c-7", "--reason", "case 7")["id"]
    for more in (("--dry-run",), ("--yes", *WHY)):
        refused = events("erase", "--subject", EVA, *more)
        assert (refused.exit_code, f"Legal hold {hold} on a customer" in refused.stderr) == (1, True)
    assert None not in payloads(events)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--yes", *WHY),
        ("--subject", EVA, "--customer", "C-7", "--yes", *WHY),
        ("--subject", EVA, "--yes"),
        ("--subject", EVA, *WHY),  # nobody can be asked
    ],
)
def test_without_all_that_it_takes_nothing_is_erased(events: Commands, arguments: tuple[str, ...]) -> None:
    assert events("erase", *arguments).exit_code == 2
    assert None not in payloads(events)


@pytest.mark.parametrize(("answer", "code", "erased"), [(b"n\n", 1, False), (b"y\n", 0, True)])
def test_on_a_terminal_it_asks_once_it_has_told_what_would_go(
    events: Commands, answer: bytes, code: int, erased: bool
) -> None:
    with terminal(answer) as keyboard:
        command = [sys.executable, "-m", "bridge.cli", "erase", "--subject", EVA, *WHY]
        done = subprocess.run(command, stdin=keyboard, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith("events that would be erased: 2")
    assert "erase it, for good?" in done.stderr
    assert (payloads(events) == [None, None]) is erased


@contextmanager
def terminal(typed: bytes) -> Iterator[int]:
    """The file descriptor of a terminal at which that was typed."""
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    yield theirs
    os.close(theirs)
    os.close(ours)
