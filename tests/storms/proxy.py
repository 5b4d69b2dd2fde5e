"""A TCP proxy in front of PostgreSQL that can cut a connection at the very COMMIT. It may not change a byte.

It reads the frames that a client sends (a type byte, four bytes of length, the content) and knows one of them: the
simple query COMMIT. Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Literal

#: Before: the server never hears the COMMIT. After: it has committed, and its answer is lost.
Cut = Literal["before", "after"]

_PIECE = 1 << 16
#: SSLRequest and GSSENCRequest: the server answers with one byte, and the client begins again.
_ENCRYPTION_REQUESTS = (80877103, 80877104)
_COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on 127.0.0.1:`port`; passes everything on, unless told to cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        #: Asked at every COMMIT; None: let it pass.
        self.choose: Callable[[], Cut | None] = lambda: None
        #: Cuts made so far, by kind.
        self.cuts: Counter[str] = Counter()
        self._links: set[_Link] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._link, args=(client,), daemon=True).start()

    def _link(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            _reset(client)  # the database is down: refused, as well as a proxy can
            return
        for one in (client, server):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = _Link(self, client, server)
        with self._lock:
            self._links.add(link)
        link.run()
        with self._lock:
            self._links.discard(link)


class _Link:
    """One client's connection and its twin to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        #: Set when the next answer of the server is to be lost.
        self._swallow = threading.Event()
        self._swallowed = threading.Event()

    def run(self) -> None:
        answers = threading.Thread(target=self._pass_answers, daemon=True)
        answers.start()
        with suppress(OSError, EOFError):
            self._pass_requests()
        self.cut()
        answers.join()
        self._client.close()
        self._server.close()

    def cut(self) -> None:
        """End both halves; the client sees a reset."""
        with suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        for one in (self._client, self._server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _pass_requests(self) -> None:
        with self._client.makefile("rb") as stream:
            while self._pass_start_up(stream):
                pass
            while True:
                head = _exactly(stream, 5)
                frame = head + _exactly(stream, struct.unpack("!I", head[1:])[0] - 4)
                if frame != _COMMIT:
                    self._server.sendall(frame)
                elif not self._pass_commit():
                    return

    def _pass_start_up(self, stream: BinaryIO) -> bool:
        """Messages before the first frame have no type byte; True where another such one follows."""
        length = _exactly(stream, 4)
        content = _exactly(stream, struct.unpack("!I", length)[0] - 4)
        self._server.sendall(length + content)
        return struct.unpack("!I", content[:4])[0] in _ENCRYPTION_REQUESTS

    def _pass_commit(self) -> bool:
        """Pass the COMMIT on, or cut; False where this was the end."""
        cut = self._proxy.choose()
        if cut is None:
            self._server.sendall(_COMMIT)
            return True
        self._proxy.cuts[cut] += 1
        if cut == "after":
            self._swallow.set()
            self._server.sendall(_COMMIT)
            self._swallowed.wait(10)
        return False

    def _pass_answers(self) -> None:
        with suppress(OSError):
            while piece := self._server.recv(_PIECE):
                if self._swallow.is_set():  # this is the answer to the COMMIT: nobody hears it
                    self._swallowed.set()
                    break
                self._client.sendall(piece)
        self.cut()


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """The next `size` bytes. Raises EOFError where the connection ends before."""
    found = stream.read(size)
    if len(found) < size:
        raise EOFError
    return found


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()
