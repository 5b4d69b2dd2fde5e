"""`bridge keys …`. It may not print a secret."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import click

from bridge.audit.notes import AuditEntry
from bridge.audit.signing import AuditSigner
from bridge.cli.edge import REFUSED
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import json_option
from bridge.cli.printing import print_json
from bridge.errors import ConfigurationError
from bridge.keeping.rotation import Rotation, RotationReport
from bridge.privacy.key_ring import fingerprint
from bridge.reloading.presence import present
from bridge.settings.model import Settings
from bridge.settings.secret_file import new_secret, put_in_front
from bridge.wiring import Wiring


@click.group("keys")
def command() -> None:
    """The secret that everything kept is encrypted under."""


@command.command("rotate")
@click.option("--new", "is_new", is_flag=True, help="First step: put a fresh secret in front of the file.")
@json_option
def rotate(is_new: bool, as_json: bool) -> None:
    """Replace BRIDGE_SECRET_KEY: wrap every key anew under its first secret, so that the others may go.

    Safe while events arrive, and to run again: it goes on where it was. Says what comes next.
    """
    with opened_bridge() as bridge:
        if is_new:
            steps = _put_new_secret(bridge)
            told: dict[str, object] = {"new": True}
        else:
            report = _rotated(bridge, quiet=as_json)
            steps = _after(bridge.settings, report)
            told = {**asdict(report), "complete": report.is_complete}
        if as_json:
            print_json({**told, "steps": steps})
        else:
            for step in steps:
                click.echo(step)
    if not is_new and report.left:
        raise SystemExit(REFUSED)


def _put_new_secret(bridge: Wiring) -> list[str]:
    settings = bridge.settings
    if settings.older_secret_keys:
        problem = "BRIDGE_SECRET_KEY: holds several secrets already; finish that rotation first: `bridge keys rotate`"
        raise ConfigurationError([problem])
    if settings.secret_key_file is None:
        problem = "BRIDGE_SECRET_KEY: stands in the environment, where only you can put a new secret in front of it; "
        raise ConfigurationError([problem + "a blank between the two, the old one behind"])
    secret = new_secret()
    put_in_front(settings.secret_key_file, secret)
    entry = AuditEntry(
        actor=actor(), action="keys.added", subject="keys:secret", details={"key": fingerprint(secret.encode())}
    )
    with bridge.database.write() as session:
        bridge.notes.write(session, [entry], bridge.clock.now())
    return [
        f"A fresh secret stands in front of {settings.secret_key_file}; the old one stays behind it.",
        "1. Restart every web and worker, so that all of them know it (elsewhere: copy the file first).",
        "2. `bridge keys rotate`",
    ]


def _refuse_unless_known(bridge: Wiring) -> None:
    """Who runs here without the first secret could not open what is wrapped by it. Raises ConfigurationError."""
    first = bridge.vault.ring.first
    behind = [
        f"{one.program} (pid {one.pid} on {one.host})"
        for one in present(bridge.settings.config_path.parent)
        if one.secret not in ("", first)
    ]
    if behind:
        problem = f"BRIDGE_SECRET_KEY: {', '.join(behind)} does not know the first secret yet, and could open nothing"
        raise ConfigurationError([f"{problem}; restart it, or `bridge reload`, then run this again"])


def _rotated(bridge: Wiring, *, quiet: bool) -> RotationReport:
    _refuse_unless_known(bridge)
    rotation = Rotation(database=bridge.database, clock=bridge.clock, notes=bridge.notes, ring=bridge.vault.ring)
    with _bar(rotation.waiting(), quiet=quiet) as show:
        return rotation.run(actor=actor(), progress=show)


@contextmanager
def _bar(total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """On standard error, where that is a terminal."""
    if quiet or not total or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("wrapping keys", total=total)
        yield lambda done: bar.update(task, completed=done)


def _after(settings: Settings, report: RotationReport) -> list[str]:
    where = str(settings.secret_key_file or "BRIDGE_SECRET_KEY")
    told = [f"{report.rewrapped} keys were wrapped anew."] if report.rewrapped else []
    if report.altered:
        told.append(f"{report.altered} keys were altered in the database and cannot be unwrapped: see the backups.")
    if report.unreadable:
        told.append(f"{report.unreadable} keys need a secret that {where} does not hold: put it behind the others.")
    elif report.left:
        told.append(f"{report.left} keys are still under an older secret: keep it, and run this again.")
    elif settings.older_secret_keys:
        told += _old_may_go(settings, where)
    else:
        told += ["There is one secret, and everything is under it. To replace it:", *_by_hand(where)]
    return told


def _old_may_go(settings: Settings, where: str) -> list[str]:
    names = [AuditSigner(one.reveal().encode()).public_key for one in settings.older_secret_keys]
    return [
        "Everything is under the first secret. The others may go from",
        f"{where} once every web and worker was restarted with it in front; restart them again then.",
        "Keep the old secret with the backups of its time: they can only be read with it.",
        *(f"The audit of its time is then verified by: bridge audit verify --trust {name}" for name in names),
    ]


def _by_hand(where: str) -> Sequence[str]:
    return (
        f"1. Put a new secret in front of {where} (`bridge keys rotate --new` does it for a file), the old one behind.",
        "2. Restart every web and worker.",
        "3. `bridge keys rotate`",
    )
