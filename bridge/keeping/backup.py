"""A copy of the whole database while it is in use, whole and proved, or none. It may not change the database.

The copy holds what the database holds, personal data included: only its owner may read it. It does not hold
bridge.toml, nor BRIDGE_SECRET_KEY.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from bridge.database import Database, sqlite_module
from bridge.errors import BridgeError

#: Told how much of the whole is copied; never where nobody knows (PostgreSQL).
Progress = Callable[[int, int], None]

#: Pages of a SQLite file copied between two words on the progress: 4 MiB.
_STEP_PAGES = 1024


class BackupFailed(BridgeError):
    """There is no copy; the message names the way out."""


def back_up(database: Database, file: Path, *, replace: bool, progress: Progress, pg_dump: str | None = None) -> int:
    """Write a copy of `database` to `file` and give its bytes: a SQLite database, or an archive for `pg_restore`.

    `replace` lets it take the place of a file that is there; `pg_dump` names PostgreSQL's program where it is not on
    the path. The file appears only when it is complete, checked and on the disk. Raises BackupFailed.
    """
    if file.exists() and not replace:
        raise BackupFailed(f"{file}: is there already; name another file, or say --force")
    with _beside(file) as partial:
        if database.is_sqlite:
            _copy_sqlite(database, partial, progress)
            _check_sqlite(partial)
        else:
            _dump_postgresql(database, partial, pg_dump)
        return _keep(partial, file)


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """An empty file of a name of its own in the same folder, for its owner alone; gone after, unless it was moved."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".partial", dir=file.parent)
        os.close(descriptor)
    except OSError as failed:
        raise BackupFailed(f"{file.parent}: cannot be written to ({failed.strerror}); name another folder") from failed
    try:
        yield Path(name)
    except OSError as failed:
        raise BackupFailed(f"{file}: cannot be written ({failed.strerror}); nothing was kept") from failed
    finally:
        Path(name).unlink(missing_ok=True)


def _copy_sqlite(database: Database, to: Path, progress: Progress) -> None:
    """By SQLite's online backup.

    Source: https://sqlite.org/backup.html. The transaction that stays open shows one moment, however much is written
    meanwhile; without it, every write of another process would begin the copy anew.
    """
    module = sqlite_module()
    with database.engine.connect() as connection, closing(module.connect(to)) as copy:
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema")
        source: Any = connection.connection.driver_connection
        try:
            source.backup(copy, pages=_STEP_PAGES, progress=lambda _, left, whole: progress(whole - left, whole))
        except module.OperationalError as failed:
            raise BackupFailed(f"the copy failed ({failed}); nothing was kept") from failed


def _check_sqlite(file: Path) -> None:
    # `immutable`: nobody else has it, and no journal is to be left beside it.
    with closing(sqlite_module().connect(f"file:{file.absolute()}?immutable=1", uri=True)) as copy:
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupFailed("the copy is damaged, and so may be the database; `bridge doctor` looks at it")


def _dump_postgresql(database: Database, to: Path, pg_dump: str | None) -> None:
    """By pg_dump, in its custom format; the password goes by a file that only we can read, not by the command line."""
    program = shutil.which(pg_dump or "pg_dump")
    if program is None:
        missing = f"{pg_dump}: is no program that can be run" if pg_dump else "pg_dump was not found"
        hint = "install PostgreSQL's client programs of the server's version or newer, or name it with --pg-dump"
        raise BackupFailed(f"{missing}; {hint}")
    url = database.engine.url
    # Made anew: `url.set(password=None)` would keep the password.
    safe = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    with _password_file(str(url.password or "")) as passwords:
        safe = safe.update_query_dict({"passfile": str(passwords)} if passwords else {})
        command = [program, "--format=custom", "--no-password", f"--file={to}", f"--dbname={safe.render_as_string()}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (the operator's own)
    if done.returncode:
        reason = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it did not say why")
        raise BackupFailed(f"pg_dump failed: {reason.removeprefix('pg_dump: ')}; nothing was kept")


@contextmanager
def _password_file(password: str) -> Iterator[Path | None]:
    """Source: https://www.postgresql.org/docs/current/libpq-pgpass.html."""
    if not password:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", prefix="bridge-backup-", encoding="utf-8") as file:
        file.write("*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n")
        file.flush()
        yield Path(file.name)


def _keep(partial: Path, file: Path) -> int:
    """Bring the copy to the disk, then to its name, then the name to the disk."""
    _flush(partial)
    partial.replace(file)
    _flush(file.parent)
    return file.stat().st_size


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
