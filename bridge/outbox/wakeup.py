"""The hint that there is work: an idle dispatcher hears of a commit within milliseconds. Polling is the truth.

On SQLite the hint is `PRAGMA data_version`, which tells of other connections' commits in a few microseconds and
needs nobody to send anything. On PostgreSQL it is LISTEN/NOTIFY on a connection of its own, sent after the commit by
a thread that coalesces: NOTIFY takes a lock that is global to the database at commit, so it has no place in the
transaction that it tells of.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bridge.database import Database

#: How often `data_version` is read: half of it is what the hint adds to a delivery.
SQLITE_PERIOD_SECONDS = 0.004
#: At most so many notifications are sent per second and process.
NOTIFY_PERIOD_SECONDS = 0.02
RECONNECT_SECONDS = 1.0
CHANNEL = "bridge_work"


def watch(database: Database, heard: Callable[[], None], stop: threading.Event) -> None:
    """Call `heard` whenever work may have been committed, until `stop` is set; reconnects by itself.

    Runs in the caller's thread, on one connection of its own.
    """
    listen = _watch_sqlite if database.is_sqlite else _watch_postgres
    while not stop.is_set():
        try:
            listen(database, heard, stop)
        except SQLAlchemyError:
            stop.wait(RECONNECT_SECONDS)


class Announcer:
    """Tells other processes of commits on PostgreSQL; on SQLite there is nothing to tell.

    `announce` is a receiver of `signals.work_recorded`; it only sets a flag.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if not self._database.is_sqlite:
            self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
            self._thread.start()

    def announce(self, _sender: object, **_: object) -> None:
        self._pending.set()

    def stop(self) -> None:
        self._stop.set()
        self._pending.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._pending.wait()
            self._pending.clear()
            try:
                with self._database.engine.connect() as connection:
                    connection.execution_options(isolation_level="AUTOCOMMIT")
                    connection.exec_driver_sql(f"NOTIFY {CHANNEL}")
            except SQLAlchemyError:
                pass  # only a hint: the dispatchers poll
            self._stop.wait(NOTIFY_PERIOD_SECONDS)


def _watch_sqlite(database: Database, heard: Callable[[], None], stop: threading.Event) -> None:
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        cursor = driver.cursor()
        seen = None
        while not stop.wait(SQLITE_PERIOD_SECONDS):
            (version,) = cursor.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                heard()


def _watch_postgres(database: Database, heard: Callable[[], None], stop: threading.Event) -> None:
    import psycopg  # here only: it costs a start on SQLite a tenth of a second

    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        driver: Any = connection.connection.driver_connection
        driver.execute(f"LISTEN {CHANNEL}")
        heard()  # whatever was committed before we listened
        try:
            while not stop.is_set():
                for _ in driver.notifies(timeout=0.5, stop_after=1):
                    heard()
        except psycopg.Error:
            stop.wait(RECONNECT_SECONDS)
        finally:
            connection.invalidate()  # a listening connection must not go back to the pool
