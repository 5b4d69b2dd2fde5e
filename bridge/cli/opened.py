"""The bridge as a command needs it: settings read, database open, closed again. It may not print."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from bridge.database import Database, open_database
from bridge.errors import ConfigurationError
from bridge.settings import Settings, read_settings
from bridge.wiring import Wiring, wire


@contextmanager
def opened_bridge(settings: Settings | None = None) -> Iterator[Wiring]:
    """Everything that `settings` (default: this folder's) wire together; what goes wrong becomes a BridgeError."""
    with database_errors():
        wiring = wire(settings or read_settings())
        try:
            yield wiring
        finally:
            wiring.close()


@contextmanager
def opened_database(settings: Settings | None = None) -> Iterator[Database]:
    """The database that `settings` (default: this folder's) name; what goes wrong with it becomes a BridgeError."""
    database = open_database((settings or read_settings()).database_url, pool_size=1)
    try:
        with database_errors():
            yield database
    finally:
        database.close()


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what the database's driver raises inside the block into a ConfigurationError that names the way out."""
    try:
        yield
    except DBAPIError as failed:
        raise ConfigurationError([f"DATABASE_URL: {_way_out(failed)}"]) from failed


def actor() -> str:
    """Who the audit says it was: the system's user, whatever the environment claims."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container may run under a number without a name
        return f"cli:{os.getuid()}"


def _way_out(failed: DBAPIError) -> str:
    said = str(failed.orig).partition("\n")[0]
    if "no such table" in said or (isinstance(failed, ProgrammingError) and "does not exist" in said):
        return "the database lacks a table; run `bridge db upgrade`"
    if isinstance(failed, OperationalError):
        return f"the database cannot be used ({said}); check that it runs and who may use it"
    return f"the database refused with {type(failed.orig).__name__}"
