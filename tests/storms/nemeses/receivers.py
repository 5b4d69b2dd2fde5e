"""Receivers that refuse, hang, drip, reset, truncate, answer 429, 503, 410 or 3xx, or send bombs."""

from __future__ import annotations

import gzip
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random

from bridge.audit.notes import AuditNotes
from bridge.clock import SystemClock
from bridge.outbox.ledger.pause import paused, resume
from bridge.privacy.masking import Masking
from tests.receivers import Answer, Received, Scripted, hang_up, reset
from tests.storms.scene import Scene

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"
_BOMB = gzip.compress(bytes(50_000_000))


def hang(connection: socket.socket) -> None:
    """Say nothing until the other side gives up."""
    with suppress(OSError):
        connection.settimeout(10)
        connection.recv(1)


def drip(connection: socket.socket) -> None:
    """A byte of the answer now and then: no single read ever times out."""
    with suppress(OSError):
        for byte in _HEAD:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)


def truncate(connection: socket.socket) -> None:
    """Promise a thousand bytes, send ten."""
    with suppress(OSError):
        connection.sendall(_HEAD + b"\r\n0123456789")


def endless(connection: socket.socket) -> None:
    """An answer without an end, as fast as it is read."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")


def garbage(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.sendall(struct.pack("!I", 0xDEADBEEF) * 64)


_MISDEEDS: dict[str, Scripted] = {
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "hang up": hang_up,
    "truncate": truncate,
    "garbage": garbage,
    "endless": endless,
    "429": Answer(429, {"Retry-After": "1"}),
    "500": 500,
    "503": Answer(503, {"Retry-After": "0"}),
    "301": Answer(301, {"Location": "http://127.0.0.1:9/elsewhere"}),
    "gzip bomb": Answer(503, {"Content-Encoding": "gzip"}, _BOMB),
    "header bomb": Answer(200, {f"X-{number}": "x" * 4000 for number in range(64)}),
}


class Misbehave:
    """For a moment one receiver does one of these to every request, or to half of them; or it is not there at all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        listener = scene.listeners[rng.choice(sorted(scene.listeners))]
        misdeed = rng.choice([*sorted(_MISDEEDS), "refuse"])
        scene.note(f"receivers {misdeed}")
        if misdeed == "refuse":
            listener.receiver.stop()
            scene.calm.wait(self._seconds)
            listener.receiver.start()
            return
        listener.mood = _mostly(_MISDEEDS[misdeed], rng.choice((0.5, 1.0)), Random(rng.random()))
        scene.calm.wait(self._seconds)
        listener.mood = None

    def heal(self, scene: Scene) -> None:
        """They behave again already."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.1, 0.6)


class Gone:
    """A receiver answers 410 for a moment, so that the destination is paused; an operator resumes it at the end, and
    orders what has died by it to be sent again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        listener = scene.listeners[rng.choice(sorted(scene.listeners))]
        listener.mood = lambda _: 410
        scene.note("receivers 410")
        scene.calm.wait(self._seconds)
        listener.mood = None
        scene.calm.wait(1.0)
        _resume_all(scene)

    def heal(self, scene: Scene) -> None:
        """The operator's step: resume, and send again what has died. From then on nobody helps."""
        _resume_all(scene)
        done = scene.command("replay", "--state", "dead", "--reason", "they are back", "--rate", "1000")
        assert done.returncode == 0, done.stderr

    def pause(self, rng: Random) -> float:
        return rng.uniform(3.0, 6.0)


def _resume_all(scene: Scene) -> None:
    notes, now = AuditNotes(Masking((), b"a key for the storm's own notes!")), SystemClock().now()
    with scene.database.write() as session:
        for name in paused(session):
            resume(session, name, reason="it is back", actor="cli:storm", now=now, notes=notes)


def _mostly(misdeed: Scripted, share: float, rng: Random) -> Callable[[Received], Scripted]:
    return lambda _: misdeed if rng.random() < share else 204
