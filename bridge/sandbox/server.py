"""Listens for the sandbox: a bounded, threaded server on loopback unless told otherwise. It may not know the routes."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from datetime import datetime
from threading import BoundedSemaphore, Event, Thread
from types import TracebackType
from typing import cast

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler, select_address_family

from bridge.sandbox.app import create_sandbox
from bridge.sandbox.config import SandboxConfig, connection
from bridge.sandbox.sandbox import NOTICE, Sandbox, utc_now

MOST_CONNECTIONS = 64
#: Seconds that a connection waits for a free one, and everybody behind it; then it is closed unanswered.
PATIENCE = 2.0


class SandboxServer:
    """A sandbox that listens, in threads of this process; a context manager. Port 0 takes a free one."""

    def __init__(
        self,
        config: SandboxConfig,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], datetime] = utc_now,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        app = create_sandbox(config, clock=clock)
        self.sandbox = cast(Sandbox, app.extensions["sandbox"])
        self._server = _BoundedServer(host, port, app, most_connections)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True)

    def start(self) -> SandboxServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening, waiting and sending; connections under way are left to end by themselves."""
        self.sandbox.close()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def run_sandbox(
    config: SandboxConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 8900,
    say: Callable[[str], None] = print,
    clock: Callable[[], datetime] = utc_now,
) -> None:
    """Serve until SIGINT or SIGTERM; for the main thread. Raises `OSError` where the port is taken."""
    ended = Event()
    before = {one: signal.signal(one, lambda *_: ended.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        with SandboxServer(config, host=host, port=port, clock=clock) as server:
            say(greeting(server.url, config))
            ended.wait()
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def greeting(url: str, config: SandboxConfig) -> str:
    """What a person needs to know to use it. The secret is shown only where it is the public one of the demo."""
    lines = [NOTICE, "", f"  {url}", ""]
    lines += [f"  {name}={value}" for name, value in connection(url, config).items()]
    lines += ["", f"Webhooks go to {config.webhook_url or 'nowhere (--webhook-url)'}. Ctrl-C ends it."]
    return "\n".join(lines)


class _Handler(WSGIRequestHandler):
    #: Seconds that a silent connection is kept.
    timeout = 30
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (werkzeug's name)
        """Only what went wrong: the page has the journal."""
        if type == "error":
            super().log(type, message, *args)


class _BoundedServer(ThreadedWSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int, app: Flask, most_connections: int) -> None:
        self._slots = BoundedSemaphore(most_connections)
        family = select_address_family(host, port)
        # Bound here: werkzeug would print a taken port and exit.
        with socket.create_server((host, port), family=family, backlog=128) as listener:
            super().__init__(host, port, app, handler=_Handler, fd=listener.fileno())

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if not self._slots.acquire(timeout=PATIENCE):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()
