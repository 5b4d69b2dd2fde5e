"""All checks, in the order in which one explains the next. It may not check anything by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from bridge.clock import Clock
from bridge.database import Database, open_database, sqlite_module
from bridge.doctor import configuration, storage, ways
from bridge.doctor.finding import Finding, fail
from bridge.doctor.progress import Looking, work
from bridge.errors import ConfigurationError
from bridge.settings.model import Secret, Settings

_NO_KEY = Secret("stands in, so that the rest is looked at too")


def examine(
    settings: Settings,
    clock: Clock,
    *,
    free_bytes: Callable[[Path], int] = storage.free_bytes,
    mounts: str | None = None,
) -> Iterator[Finding]:
    """Each finding as soon as it is known. `clock` is this machine's; `free_bytes` says what is free in a folder,
    `mounts` what is mounted (default: this machine's)."""
    yield from configuration.secrets(settings)
    yield from configuration.secret_key(settings)
    if settings.secret_key is None:
        settings = replace(settings, secret_key=_NO_KEY)
    yield from configuration.configuration(settings)
    yield from configuration.unverified_sources(settings)
    try:
        database = open_database(settings.database_url, pool_size=1)
    except ConfigurationError as wrong:
        yield from configuration.unreadable(wrong)
        return
    with closing(database):
        yield from _database(database, settings, clock, free_bytes, storage.mounts() if mounts is None else mounts)
    yield from ways.destinations(settings, clock)
    yield ways.genesys(settings, clock)
    yield ways.port(settings)


def _database(
    database: Database, settings: Settings, clock: Clock, free_bytes: Callable[[Path], int], mounts: str
) -> Iterator[Finding]:
    file = storage.file_of(database)
    if file is not None:
        yield storage.sqlite_version(sqlite_module().sqlite_version_info)
        yield from storage.one_machine(file, settings, mounts)
        if file.parent.is_dir():
            yield storage.disk_space(file, free_bytes)
    reached = storage.reachable(database)
    yield reached
    if reached.state == "fail":
        return
    try:
        yield from storage.durability(database, settings)
        migrated = storage.migrations(database)
        yield migrated
        if migrated.state == "fail":
            return
        yield storage.clock(database, clock)
        with database.read() as session:
            yield from work(Looking(session=session, settings=settings, clock=clock))
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        yield fail("database", f"the database failed while it was looked at ({kind})", "see the database's own log")
