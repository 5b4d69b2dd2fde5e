"""The database as a place to keep things: reachable, durable, at this version, with room. It may not read an event."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from bridge import migrate
from bridge.clock import Clock
from bridge.database import Database, check_durability, sqlite_is_affected, sqlite_module
from bridge.doctor.finding import Finding, fail, ok, warn
from bridge.errors import ConfigurationError
from bridge.intake.backlog import MIN_FREE_BYTES
from bridge.settings.model import Settings
from bridge.tables import EventRow, core

#: Where a lock is a matter of luck, or a commit of several machines.
NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.s3fs"}
)
LITTLE_FREE_BYTES = 2 * 1024**3
CLOCKS_DIFFER, CLOCKS_WRONG = timedelta(seconds=2), timedelta(seconds=30)
_MOUNTS = Path("/proc/self/mounts")
_EVENT = core(EventRow)
_NEWEST_EVENT = select(func.max(_EVENT.c.received_at)).where(
    _EVENT.c.id == select(func.max(_EVENT.c.id)).scalar_subquery()
)


def is_missing(database: Database) -> bool:
    """True where opening the database would make it."""
    file = file_of(database)
    return file is not None and not file.exists()


def file_of(database: Database) -> Path | None:
    """The database's file on this machine; None for a server."""
    name = database.engine.url.database
    return Path(name).absolute() if database.is_sqlite and name else None


def reachable(database: Database) -> Finding:
    """`fail` here means that nothing else about the database can be known."""
    if is_missing(database):
        return fail("database", "there is no database yet", "`bridge up` makes it, or `bridge db upgrade`")
    try:
        with database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        kind = type(getattr(error, "orig", None) or error).__name__
        remedy = "check that it runs, DATABASE_URL, and who may use it"
        return fail("database", f"the database does not answer ({kind})", remedy)
    return ok("database", f"{'SQLite' if database.is_sqlite else 'PostgreSQL'} answers")


def migrations(database: Database) -> Finding:
    found = migrate.current(database)
    if not migrate.is_current(database):
        return fail(
            "migrations", f"the database is at {found or 'nothing'}, not at {migrate.head()}", "bridge db upgrade"
        )
    return ok("migrations", f"the database is at {found}")


def durability(database: Database, settings: Settings) -> Iterator[Finding]:
    """Would an acknowledged event survive a power loss?"""
    try:
        check_durability(database)
    except ConfigurationError as unsafe:
        for problem in unsafe.problems:
            found, _, remedy = problem.removeprefix("DATABASE_URL: ").partition("; ")
            yield (warn if settings.allow_unsafe_database else fail)("durability", found, remedy)
        return
    if database.is_sqlite:
        with database.engine.connect() as connection:
            mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
        if mode != "wal":
            remedy = "put the file on a local disk where its folder can be written"
            yield fail("durability", f"SQLite's journal is {mode} and not wal", remedy)
            return
    yield ok("durability", "a commit is on disk before it is acknowledged")


def sqlite_version(version: tuple[int, ...]) -> Finding:
    named = ".".join(map(str, version))
    if sqlite_is_affected(version):
        return warn(
            "sqlite-version",
            f"SQLite {named} has a bug that can corrupt a database with several writers (sqlite.org, wal.html)",
            "pip install pysqlite3, which brings a newer one, or use PostgreSQL",
        )
    return ok("sqlite-version", f"SQLite {named} of {sqlite_module().__name__}")


def one_machine(file: Path, settings: Settings, mounts: str) -> Iterator[Finding]:
    """SQLite: a local filesystem, and one receiving process."""
    kind = filesystem_of(file, mounts)
    if kind in NETWORK_FILESYSTEMS:
        yield fail(
            "filesystem",
            f"the SQLite file is on a network filesystem ({kind}), where locks do not hold",
            "move it to a local disk and set DATABASE_URL, or use PostgreSQL",
        )
    else:
        yield ok("filesystem", f"the SQLite file is on a local filesystem ({kind or 'unknown'})")
    if settings.web_concurrency > 1:
        remedy = "set WEB_CONCURRENCY=1 and raise WEB_THREADS, or use PostgreSQL"
        yield fail("web-processes", "SQLite takes one receiving process", remedy)
    else:
        yield ok("web-processes", "one receiving process, as SQLite asks for")


def filesystem_of(file: Path, mounts: str) -> str | None:
    """The type of the filesystem that holds `file`, from the text of /proc/mounts; None where it does not say."""
    best, found = -1, None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(fields[1].encode().decode("unicode_escape"))
        if (point == file or point in file.parents) and len(point.parts) >= best:
            best, found = len(point.parts), fields[2]
    return found


def mounts() -> str:
    """What is mounted here; empty on systems that do not say."""
    return _MOUNTS.read_text("utf-8", "replace") if _MOUNTS.exists() else ""


def disk_space(file: Path, free_bytes: Callable[[Path], int]) -> Finding:
    free = free_bytes(file.parent)
    shown = f"{free / 1024**3:.1f} GiB free where the database is"
    if free < MIN_FREE_BYTES:
        return fail("disk-space", f"{shown}: webhooks are answered 503", "free some space; see [retention]")
    if free < LITTLE_FREE_BYTES:
        return warn("disk-space", shown, "free some space; see [retention]")
    return ok("disk-space", shown)


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def clock(database: Database, here: Clock) -> Finding:
    """Leases go by the database's clock, signatures by this machine's: both must be right."""
    with database.engine.connect() as connection:
        before = here.now()
        there = before if database.is_sqlite else connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        half = (here.now() - before) / 2
        newest = connection.execute(_NEWEST_EVENT).scalar()
    apart = abs(there - before - half) if there != before else timedelta(0)
    if apart > CLOCKS_DIFFER:
        state = fail if apart > CLOCKS_WRONG else warn
        return state(
            "clock",
            f"this machine's clock and the database's are {apart.total_seconds():.0f} s apart",
            "let both follow a time server (chrony, systemd-timesyncd)",
        )
    if newest is not None and newest > there + CLOCKS_WRONG:
        ahead = (newest - there).total_seconds()
        return fail(
            "clock",
            f"the newest event was received {ahead:.0f} s in the future: the clock was or is wrong",
            "let it follow a time server (chrony, systemd-timesyncd)",
        )
    return ok("clock", "this machine's clock, the database's and the newest event agree")
