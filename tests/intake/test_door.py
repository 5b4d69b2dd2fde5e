"""Facts about the small parts of the door: buckets, sources that must not start, bodies on other servers."""

from __future__ import annotations

import io
from typing import Any

import pytest

from bridge.errors import ConfigurationError, Malformed, Refusal, TooLarge
from bridge.intake.body import RequestBody
from bridge.intake.bucket import TokenBucket
from bridge.intake.sources import build_source
from bridge.settings.model import Secret, SourceSettings, VerifySettings
from tests.fakes import FakeClock


def test_a_bucket_lets_a_burst_through_and_then_its_rate(clock: FakeClock) -> None:
    bucket = TokenBucket(rate=4.0, burst=3.0, clock=clock)
    assert [bucket.take() for _ in range(5)] == [0.0, 0.0, 0.0, 0.25, 0.25]
    clock.advance(0.1)
    assert bucket.take() == pytest.approx(0.15)
    clock.advance(3600)
    assert [bucket.take() for _ in range(4)] == [0.0, 0.0, 0.0, 0.25]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"verify": VerifySettings(scheme="none")}, "sources.s.verify.scheme"),
        ({"verify": VerifySettings(scheme="bearer")}, "sources.s.verify.secrets"),
        ({"format": "no-such"}, "sources.s.format"),
    ],
)
def test_a_source_that_lets_anybody_in_or_reads_nothing_stops_the_start(
    settings: dict[str, Any], key: str, clock: FakeClock
) -> None:
    good = {"format": "genesys", "verify": VerifySettings(scheme="bearer", secrets=(Secret("t"),))}
    with pytest.raises(ConfigurationError) as refused:
        build_source(SourceSettings(name="s", **{**good, **settings}), clock)
    assert [problem.partition(":")[0] for problem in refused.value.problems] == [key]


def test_no_source_may_pass_for_the_bridge_itself(clock: FakeClock) -> None:
    verify = VerifySettings(scheme="bearer", secrets=(Secret("t"),))
    with pytest.raises(ConfigurationError, match=r"sources\.bridge"):
        build_source(SourceSettings(name="bridge", format="genesys", verify=verify), clock)


def test_anybody_is_let_in_only_where_it_is_said(clock: FakeClock) -> None:
    verify = VerifySettings(scheme="none")
    assert build_source(SourceSettings(name="s", format="genesys", verify=verify, allow_unverified=True), clock)


class Trickle(io.RawIOBase):
    """A stream that gives one byte at a time, and may break."""

    def __init__(self, data: bytes, *, broken: bool = False) -> None:
        self.data, self.broken = data, broken

    def read(self, size: int = -1) -> bytes:
        if not self.data and self.broken:
            raise ConnectionResetError
        piece, self.data = self.data[:1], self.data[1:]
        return piece


def body(stream: io.RawIOBase, **environ: Any) -> RequestBody:
    return RequestBody({"wsgi.input": stream, **environ}, limit=5)


def test_a_body_may_trickle_in() -> None:
    assert body(Trickle(b"hello"), CONTENT_LENGTH="5").read() == b"hello"
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert body(Trickle(b"hello"), **chunked).read() == b"hello"


def test_no_more_is_read_than_is_declared() -> None:
    stream = Trickle(b"hello world")
    assert body(stream, CONTENT_LENGTH="3").read() == b"hel"
    assert stream.data == b"lo world"
    assert body(stream).read() == b""


@pytest.mark.parametrize(
    ("stream", "environ", "expected", "size"),
    [
        (Trickle(b"hel"), {"CONTENT_LENGTH": "4"}, "body-cut", 3),
        (Trickle(b"hel", broken=True), {"CONTENT_LENGTH": "4"}, "body-cut", 3),
        (Trickle(b"hello!"), {"CONTENT_LENGTH": "6"}, "too-large", 0),
        (Trickle(b"hello!"), {"CONTENT_LENGTH": "9" * 5000}, "too-large", 0),
        (Trickle(b"hello world"), {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}, "too-large", 6),
        (Trickle(b"hello"), {"HTTP_TRANSFER_ENCODING": "chunked"}, "length-missing", 0),
        (Trickle(b"hello"), {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "5"}, "length-garbled", 0),
        (Trickle(b"hello"), {"CONTENT_LENGTH": "\u0665"}, "length-garbled", 0),
        (Trickle(b"hello"), {"CONTENT_LENGTH": "-5"}, "length-garbled", 0),
    ],
)
def test_a_body_of_another_length_than_it_says_is_refused_and_counted(
    stream: Trickle, environ: dict[str, Any], expected: str, size: int
) -> None:
    request_body = body(stream, **environ)
    with pytest.raises((Malformed, TooLarge)) as refused:
        request_body.read()
    assert isinstance(refused.value, Refusal)
    assert (refused.value.cause, request_body.size) == (expected, size)
