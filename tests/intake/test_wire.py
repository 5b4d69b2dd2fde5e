"""Facts about what reaches the application through a real gunicorn, by raw sockets: a client would be too polite."""

from __future__ import annotations

import base64
import hmac
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from bridge import migrate
from bridge.database import Database, open_database
from bridge.tables import EventRow, RejectionRow
from tests.intake.webhook_app import SECRET
from tests.opened import opened_rejections

SAMPLES = Path(__file__).parent.parent / "samples" / "bad_requests.json"
CASES: list[dict[str, Any]] = json.loads(SAMPLES.read_text())
GOOD = {
    "action": "update", "schemaName": "Item",
    "record": {"id": "wire", "version": 3, "modifiedTime": "2026-05-01T10:00:00Z", "fields": {}},
}  # fmt: skip


class Wire:
    """A bridge that receives, in a process of its own."""

    def __init__(self, port: int, database: Database) -> None:
        self.port, self.database = port, database

    def send(self, raw: bytes, *, shut: bool = True) -> tuple[int, bytes]:
        """Status and body of the answer to these bytes; status 0 where there is none."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(raw)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                head = answer.readline().split()
                length = 0
                while (line := answer.readline().strip()) and b":" in line:
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                return (int(head[1]) if head else 0), answer.read(length)

    def post(self, body: bytes, *fields: tuple[str, str], declare: bool = True, sent: bytes | None = None) -> int:
        """The status for these header fields as they stand, and `sent` (default: the body)."""
        named = {name.lower() for name, _ in fields}
        lines = [("Host", "x"), *fields]
        if "content-type" not in named:
            lines.append(("Content-Type", "application/json"))
        if declare and not named & {"content-length", "transfer-encoding"}:
            lines.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines if value is not None)
        raw = f"POST /webhooks/genesys HTTP/1.1\r\n{head}\r\n".encode("latin-1")
        return self.send(raw + (body if sent is None else sent))[0]

    def kept(self) -> tuple[int, int]:
        """How many events, how many rejections."""
        with self.database.read() as session:
            count = func.count
            return (
                session.scalar(select(count()).select_from(EventRow)) or 0,
                session.scalar(select(count()).select_from(RejectionRow)) or 0,
            )

    def newest_rejection(self) -> RejectionRow:
        with self.database.read() as session:
            newest = session.scalars(select(RejectionRow).order_by(RejectionRow.id.desc()).limit(1))
            return next(iter(opened_rejections(session, newest)), RejectionRow())


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    url = f"sqlite:///{tmp_path_factory.mktemp('wire') / 'bridge.db'}"
    database = open_database(url)
    migrate.upgrade(database)
    listening = socket.create_server(("127.0.0.1", 0))
    command = [
        sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4", "--no-control-socket",
        "--log-level", "critical", "--bind", f"fd://{listening.fileno()}", f"tests.intake.webhook_app:serve('{url}')",
    ]  # fmt: skip
    root = Path(__file__).parent.parent.parent
    with subprocess.Popen(command, cwd=root, env={**os.environ}, pass_fds=[listening.fileno()]) as server:
        try:
            yield Wire(listening.getsockname()[1], database)
        finally:
            server.terminate()
            server.wait(timeout=20)
            listening.close()
            database.close()


def sign(body: bytes, secret: str = SECRET, algorithm: str = "sha256") -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, algorithm)).decode()


def signatures(attack: str, body: bytes) -> list[tuple[str, str]]:
    """The header fields of an attack that the corpus names."""
    good = sign(body)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".index(good[-2])
    spare = good[:-2] + "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[last + 1] + "="
    flipped = bytes([base64.b64decode(good)[0] ^ 1]) + base64.b64decode(good)[1:]
    values = {
        "good": f"sha256={good}",
        "empty": "",
        "prefix only": "sha256=",
        "upper-case label": f"SHA256={good}",
        "hex digest": "sha256=" + base64.b64decode(good).hex(),
        "unpadded": "sha256=" + good.rstrip("="),
        "newline inside": f"sha256={good[:20]}\r\n {good[20:]}",
        "junk inside": f"sha256={good[:20]}!{good[20:]}",
        "non-canonical last bits": f"sha256={spare}",
        "one bit flipped": "sha256=" + base64.b64encode(flipped).decode(),
        "non-ascii": f"sha256={good[:-1]}\xe9",
        "of the empty body": f"sha256={sign(b'')}",
        "body byte changed": f"sha256={sign(body.replace(b'5', b'6', 1))}",
        "other secret": f"sha256={sign(body, 'other')}",
        "sha512": "sha512=" + sign(body, algorithm="sha512"),
        "double prefix": f"sha256=sha256={good}",
        "quoted": f'sha256="{good}"',
        "64 KB": "sha256=" + "A" * 65536,
    }
    if attack == "none":
        return []
    if attack == "underscored header name":
        return [("X_Hub_Signature_256", values["good"])]
    if attack == "two headers good+bad":
        return [("X-Hub-Signature-256", values["good"]), ("X-Hub-Signature-256", values["sha512"])]
    return [("X-Hub-Signature-256", values[attack])]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_case_of_the_corpus_is_answered_as_it_should_be(wire: Wire, case: dict[str, Any]) -> None:
    body = base64.b64decode(case["body_b64"])
    fields = {"Content-Type": "application/json", **case["headers"]}
    given = [(name, value) for name, value in fields.items() if value is not None]
    if "Content-Type" not in dict(given):
        given.append(("Content-Type", ""))
    before = wire.kept()
    status = wire.post(body, *signatures(case["sign"], body), *given)
    assert status in case["expect"]
    events, rejections = (after - was for after, was in zip(wire.kept(), before, strict=True))
    if status == 202:
        assert (events, rejections) == (1, 0)
    if status == 422:
        assert (events, rejections) == (1, 0)
    if status == 400 and case["name"].startswith("json"):
        assert (events, rejections) == (0, 1)
        assert wire.newest_rejection().body == body
    if status == 401:
        assert (events, rejections) == (0, 1)
        assert wire.newest_rejection().body is None


@pytest.mark.parametrize("attack", ["none", "two headers good+bad"])
def test_a_missing_and_a_repeated_signature_are_401(wire: Wire, attack: str) -> None:
    body = json.dumps(GOOD).encode()
    assert wire.post(body, *signatures(attack, body)) == 401


def test_a_repeat_of_the_same_good_signature_is_401_too(wire: Wire) -> None:
    body = json.dumps(GOOD).encode()
    assert wire.post(body, *signatures("good", body), *signatures("good", body)) == 401


def chunks(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def test_a_chunked_body_is_taken_whole(wire: Wire) -> None:
    body = json.dumps({**GOOD, "schemaName": "Chunked"}).encode()
    sent = chunks(body[:10], body[10:11], body[11:])
    assert wire.post(body, *signatures("good", body), ("Transfer-Encoding", "chunked"), sent=sent) == 202


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"5\r\nhel",
        chunks(b'{"a":1}', end=b""),
        chunks(b'{"a":1}', end=b"0\r\n"),
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}xx0\r\n\r\n",
    ],
)
def test_a_chunked_body_that_breaks_off_is_400_though_what_came_is_signed(wire: Wire, sent: bytes) -> None:
    before = wire.kept()[0]
    fields = [*signatures("good", b'{"a":1}'), ("Transfer-Encoding", "chunked")]
    assert wire.post(b"", *fields, sent=sent) == 400
    assert wire.kept()[0] == before


def test_an_over_long_chunked_body_is_413_while_it_streams_in(wire: Wire) -> None:
    """Werkzeug would cut it at the limit, where a valid document may end."""
    body = json.dumps(GOOD).encode().ljust(512_000)
    sent = chunks(*[body[place : place + 64_000] for place in range(0, len(body), 64_000)], b" ", end=b"")
    [(name, value)] = signatures("good", body)
    fields = ("Host: x", "Content-Type: application/json", "Transfer-Encoding: chunked", f"{name}: {value}")
    raw = "\r\n".join(("POST /webhooks/genesys HTTP/1.1", *fields, "", "")).encode() + sent
    status, _ = wire.send(raw, shut=False)  # the rest never comes, and is not waited for
    assert status == 413


def test_a_declared_over_long_body_is_413_before_it_is_sent(wire: Wire) -> None:
    fields = ("Content-Type: application/json", "Content-Length: 512001", "Expect: 100-continue", "Host: x")
    raw = "POST /webhooks/genesys HTTP/1.1\r\n" + "\r\n".join(fields) + "\r\n\r\n"
    with socket.create_connection(("127.0.0.1", wire.port), timeout=20) as connection:
        connection.sendall(raw.encode())
        answer = connection.recv(65536)
        while b"413" not in answer:
            more = connection.recv(65536)
            assert more, answer
            answer += more


def test_a_body_of_the_limit_is_taken(wire: Wire) -> None:
    body = json.dumps({**GOOD, "schemaName": "Large"}).encode().ljust(512_000)
    assert wire.post(body, *signatures("good", body)) == 202
    assert wire.post(body + b" ", *signatures("good", body + b" ")) == 413


def test_a_body_shorter_than_it_says_is_400_though_what_came_is_signed(wire: Wire) -> None:
    body = json.dumps({**GOOD, "schemaName": "Cut"}).encode()
    fields = [*signatures("good", body), ("Content-Length", str(len(body) + 1))]
    before = wire.kept()[0]
    assert wire.post(body, *fields, sent=body) == 400
    assert wire.kept()[0] == before
    assert wire.newest_rejection().cause == "body-cut"


@pytest.mark.parametrize("length", ["-1", "x", "1.0", "0x10", "\xb2", "1 1", "+5"])
def test_a_garbled_content_length_is_400(wire: Wire, length: str) -> None:
    assert wire.post(b"{}", *signatures("good", b"{}"), ("Content-Length", length)) == 400


def test_two_lengths_are_400(wire: Wire) -> None:
    both = [("Content-Length", "2"), ("Transfer-Encoding", "chunked")]
    assert wire.post(b"{}", *signatures("good", b"{}"), *both, sent=chunks(b"{}")) == 400
    assert wire.post(b"{}", *signatures("good", b"{}"), ("Content-Length", "2"), ("Content-Length", "3")) == 400


def test_no_length_at_all_is_no_body(wire: Wire) -> None:
    assert wire.post(b"{}", *signatures("good", b"{}"), declare=False) == 401
    assert wire.post(b"{}", *signatures("good", b""), declare=False) == 400


def test_a_client_that_goes_away_harms_nobody(wire: Wire) -> None:
    with socket.create_connection(("127.0.0.1", wire.port)) as connection:
        connection.sendall(b"POST /webhooks/genesys HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    deadline = time.monotonic() + 20
    body = json.dumps(GOOD).encode()
    while wire.post(body, *signatures("good", body)) not in (200, 202):
        assert time.monotonic() < deadline


def test_answers_are_problems_with_a_type_of_their_own(wire: Wire) -> None:
    status, body = wire.send(b"GET /webhooks/genesys HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, json.loads(body)["title"]) == (405, "Method Not Allowed")
    assert wire.send(b"HEAD /webhooks/genesys HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 405
    assert wire.send(b"BREW /webhooks/genesys HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 405
    assert wire.send(b"POST /webhooks/ HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 404
    assert wire.send(b"POST /webhooks/a/b HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 404
