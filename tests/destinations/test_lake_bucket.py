"""Events written into a bucket: a real S3 server that checks signatures, and a receiver that plays a broken one."""

from __future__ import annotations

import hashlib
import logging
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import bridge
from bridge.destinations.cloudevents import structured
from bridge.destinations.registry import Forwarder
from bridge.errors import ConfigurationError, Invalid
from bridge.outbox.contract import Delivered, Exchange, Rejected, RetryLater
from bridge.settings.model import Secret
from tests.destinations.deliveries import INTERACTION, RECEIVED_AT, RECORD, delivery
from tests.destinations.lakes import lake
from tests.destinations.s3_server import Bucket, S3Server
from tests.destinations.ways import silent
from tests.receivers import Answer, Receiver, reset

KEY = f"interactions/updated/2026/05/01/12/{RECORD.id}.jsonl.gz"
ETAG = {"ETag": '"e"'}
CREDENTIALS: dict[str, Any] = {"access_key": Secret("AKIA-TEST"), "secret_key": Secret("s3cret-of-the-lake")}


def broken(receiver: Receiver, **settings: Any) -> Any:
    """A lake at a server that answers as told."""
    return lake(sink="s3", endpoint_url=receiver.url, **{**CREDENTIALS, **settings})


@pytest.fixture(scope="module")
def _faulty() -> Iterator[tuple[Receiver, Forwarder]]:
    with Receiver() as receiver:
        yield receiver, broken(receiver)


@pytest.fixture
def faulty(_faulty: tuple[Receiver, Forwarder]) -> Receiver:
    """A server that answers as told; one for all tests, as making boto3's client takes longer than most of them."""
    _faulty[0].requests.clear()
    return _faulty[0]


@pytest.fixture
def at_faulty(_faulty: tuple[Receiver, Forwarder]) -> Forwarder:
    """A lake there."""
    return _faulty[1]


def refusal(status: int, code: str, message: str = "why", more: str = "", **headers: str) -> Answer:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>'
    return Answer(status, {"Content-Type": "application/xml", **headers}, body.encode())


# --- what is written -----------------------------------------------------------------------------------------------


def test_an_event_is_an_object_under_its_hour(bucket: Bucket) -> None:
    outcome = lake(sink="s3", **bucket.settings).send(delivery())
    assert isinstance(outcome, Delivered)
    assert bucket.object_keys() == [KEY]
    assert bucket.events() == [structured(RECORD)]
    content = bucket.read(KEY)
    sha256 = hashlib.sha256(content).hexdigest()
    assert outcome.exchange == Exchange(status=200, sent_bytes=len(content), sent_sha256=sha256)


def test_a_repeat_overwrites_an_object_with_the_same_bytes(bucket: Bucket) -> None:
    one = lake(sink="s3", **bucket.settings)
    one.send(delivery())
    before = bucket.read(KEY)
    assert isinstance(one.send(delivery(attempt=2, failures=1)), Delivered)
    assert bucket.object_keys() == [KEY]
    assert bucket.read(KEY) == before


@pytest.mark.parametrize("path", ["", "a b/ü", "it's (50%+)", "a//b/../c"])
def test_any_path_is_written_and_signed_as_it_stands(bucket: Bucket, path: str) -> None:
    assert isinstance(lake(sink="s3", path=path, **bucket.settings).send(delivery()), Delivered)
    (key,) = bucket.object_keys()
    assert key == (f"{path}/" if path else "") + KEY.removeprefix("interactions/updated/")


def test_many_threads_write_at_once(bucket: Bucket) -> None:
    one = lake(sink="s3", **bucket.settings)
    events = [replace(RECORD, id=f"e{number}") for number in range(16)]
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda event: one.send(delivery(event)), events))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len(bucket.object_keys()) == 16


def test_a_transform_reshapes_what_is_written(bucket: Bucket) -> None:
    lake(sink="s3", transform="data.fields", **bucket.settings).send(delivery())
    assert bucket.events() == [{"sku": "AB-1234", "quantity": 7}]


def test_a_transform_that_fails_waits_for_a_person(bucket: Bucket) -> None:
    one = lake(sink="s3", transform="data.nothing", **bucket.settings)
    outcome = one.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("transform", True)
    with pytest.raises(Invalid):
        one.preview(RECORD)
    assert bucket.object_keys() == []


def test_a_preview_shows_the_object_and_sends_nothing(receiver: Receiver) -> None:
    preview = broken(receiver).preview(RECORD)
    assert (preview.method, preview.url) == ("PUT", f"{receiver.url}/lake/{KEY}")
    assert preview.body == structured(RECORD)
    assert receiver.connections == 0
    assert lake(sink="s3", **CREDENTIALS).preview(RECORD).url == f"s3://lake/{KEY}"


# --- what an answer means ------------------------------------------------------------------------------------------


def test_a_wrong_secret_is_refused_and_waits_for_a_person(bucket: Bucket) -> None:
    outcome = lake(sink="s3", **{**bucket.settings, "secret_key": Secret("wrong")}).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.reason == "answered 403 Forbidden (SignatureDoesNotMatch)"
    assert (outcome.slow, outcome.exchange.status) == (True, 403)
    assert bucket.object_keys() == []


def test_a_bucket_that_is_not_there_waits_for_a_person(bucket: Bucket) -> None:
    outcome = lake(sink="s3", **{**bucket.settings, "bucket": "lake-of-nobody"}).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.reason == "answered 404 Not Found (NoSuchBucket)"
    assert outcome.slow
    assert outcome.exchange.answer_excerpt == "NoSuchBucket: The specified bucket does not exist"


def test_a_busy_server_says_when_to_come_back_and_is_tried_once(faulty: Receiver, at_faulty: Forwarder) -> None:
    faulty.answers(refusal(503, "SlowDown", **{"Retry-After": "7"}))
    outcome = at_faulty.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.reason, outcome.slow) == ("answered 503 Service Unavailable (SlowDown)", False)
    assert outcome.retry_after == timedelta(seconds=7)
    assert len(faulty.requests) == 1


@pytest.mark.parametrize("code", ["ExpiredToken", "RequestTimeout"])
def test_a_400_is_about_us_and_not_about_the_event(faulty: Receiver, at_faulty: Forwarder, code: str) -> None:
    faulty.answers(refusal(400, code))
    outcome = at_faulty.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.reason == f"answered 400 Bad Request ({code})"


def test_a_status_may_be_judged_otherwise_by_the_configuration(receiver: Receiver) -> None:
    receiver.answers(400, 503, 418)
    one = broken(receiver, reject_on=(400, 503), retry_on=(418,))
    assert [type(one.send(delivery())) for _ in range(3)] == [Rejected, Rejected, RetryLater]


@pytest.mark.parametrize(
    ("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "AuthorizationHeaderMalformed")]
)
def test_the_way_to_another_region_is_not_followed(
    faulty: Receiver, at_faulty: Forwarder, status: int, code: str
) -> None:
    elsewhere = {"Location": faulty.url, "x-amz-bucket-region": "eu-west-3"}
    faulty.answers(refusal(status, code, more="<Region>eu-west-3</Region>", **elsewhere))
    outcome = at_faulty.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert ("set region" in outcome.reason) is (code != "TemporaryRedirect")
    assert len(faulty.requests) == 1


def test_what_answers_unlike_an_s3_server_has_written_nothing(faulty: Receiver, at_faulty: Forwarder) -> None:
    faulty.answers(Answer(200, body=b"<html>Console</html>"))
    outcome = at_faulty.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert "correct endpoint_url" in outcome.reason


def test_of_an_s3_error_nothing_is_kept_that_was_signed(faulty: Receiver, at_faulty: Forwarder) -> None:
    signed = (
        "<StringToSign>AWS4-HMAC-SHA256</StringToSign><CanonicalRequest>x-amz-security-token:tok</CanonicalRequest>"
    )
    faulty.answers(refusal(403, "SignatureDoesNotMatch", "not yours, ada@example.com", more=signed))
    outcome = at_faulty.send(delivery())
    shown = outcome.exchange.answer_excerpt or ""
    assert shown.startswith("SignatureDoesNotMatch: not yours, ")
    for secret in ("AWS4", "tok", "ada@example.com"):
        assert secret not in shown


def test_a_server_that_is_away_is_tried_later(receiver: Receiver) -> None:
    one = broken(receiver)
    receiver.stop()
    outcome = one.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow, outcome.exchange) == ("connect", False, Exchange())


def test_a_server_that_hangs_up_is_tried_later(receiver: Receiver) -> None:
    receiver.answers(reset)
    outcome = broken(receiver).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.error_class == "connection"
    assert outcome.exchange.sent_bytes
    assert len(receiver.requests) == 1


def test_a_try_ends_with_its_timeout(receiver: Receiver) -> None:
    receiver.answers(silent)
    one = broken(receiver, timeout=0.2)
    began = time.monotonic()
    outcome = one.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.error_class == "timeout"
    assert time.monotonic() - began < 5
    receiver.drop_connections()


def test_what_is_sent_is_signed_named_and_in_one_piece(faulty: Receiver, at_faulty: Forwarder) -> None:
    faulty.answers(Answer(200, ETAG))
    at_faulty.send(delivery())
    [request] = faulty.requests
    assert (request.method, request.path.partition("?")[0]) == ("PUT", f"/lake/{KEY}")
    assert request.headers["User-Agent"] == f"genesys-bridge/{bridge.__version__}"
    assert request.headers["Content-Type"] == "application/gzip"
    assert request.headers["X-Amz-Content-SHA256"] == hashlib.sha256(request.body).hexdigest()
    for name in ("Content-Encoding", "Transfer-Encoding", "Expect"):
        assert name not in request.headers


# --- where it may go -----------------------------------------------------------------------------------------------


def test_loopback_is_refused_unless_it_is_allowed(receiver: Receiver) -> None:
    outcome = broken(receiver, allow_local=False).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("egress", True)
    assert receiver.connections == 0


def test_a_name_that_leads_to_metadata_is_refused() -> None:
    one = lake(
        sink="s3", endpoint_url="http://lake.example.com", resolver=lambda *_: ["169.254.169.254"], **CREDENTIALS
    )
    outcome = one.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.error_class == "egress"


def test_amazons_own_address_goes_through_the_same_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example.com")
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return ["10.0.0.1"]

    outcome = lake(sink="s3", region="eu-central-1", resolver=resolver, **CREDENTIALS).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert outcome.error_class == "egress"
    assert asked == ["lake.s3.eu-central-1.amazonaws.com:443"]


def test_nothing_in_the_environment_leads_elsewhere(
    bucket: Bucket, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, receiver.url)
    assert isinstance(lake(sink="s3", **bucket.settings).send(delivery()), Delivered)
    assert receiver.connections == 0


def test_a_host_is_sent_as_it_is_signed() -> None:
    one = lake(sink="s3", endpoint_url="https://S3.Example.com:443/base/", **CREDENTIALS)
    assert one.preview(RECORD).url == f"https://s3.example.com/base/lake/{KEY}"


# --- credentials ---------------------------------------------------------------------------------------------------


def test_without_an_access_key_boto3_looks_for_credentials_until_it_finds_some(
    s3: S3Server, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lake(sink="s3", **{**bucket.settings, "access_key": None, "secret_key": None})
    outcome = one.send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("credentials", True)
    assert "set access_key and secret_key" in outcome.reason
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_key)
    assert isinstance(one.send(delivery()), Delivered)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert isinstance(one.send(delivery()), Delivered), "what it found it keeps"


def test_a_broken_configuration_of_boto3_waits_for_a_person(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    outcome = lake(sink="s3", **bucket.settings).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("credentials", True)
    assert "ProfileNotFound" in outcome.reason


def test_secrets_are_in_no_outcome_and_no_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers(403, silent, Answer(200, ETAG))
    one = broken(receiver, timeout=0.2)
    shown = "".join(repr(one.send(delivery())) for _ in range(3)) + repr(one.preview(RECORD)) + caplog.text
    receiver.drop_connections()
    for secret in ("s3cret-of-the-lake", "AWS4-HMAC", "Signature="):
        assert secret not in shown


# --- configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"bucket": "a/b"}, "destinations.lake.bucket: must be"),
        ({"bucket": "fast--euc1-az1--x-s3"}, "destinations.lake.bucket: must be the name of a general purpose"),
        ({"region": "Frankfurt am Main"}, "destinations.lake.region: must be"),
        ({"transform": "["}, "destinations.lake.transform: "),
        ({"ca_bundle": Path("nowhere.pem")}, "destinations.lake.ca_bundle: "),
    ],
)
def test_settings_that_cannot_be_used_are_named_at_the_start(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        lake(sink="s3", **settings)
    assert refused.value.problems[0].startswith(problem)


@pytest.mark.parametrize("bucket", ["lake", "lake.of.old_Times", "arn:aws:s3:eu-west-1:123456789012:accesspoint/lake"])
def test_names_and_access_points_are_buckets(bucket: str) -> None:
    assert lake(sink="s3", bucket=bucket).wants(RECORD)


def test_a_missing_package_is_named_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bridge.destinations.lake_bucket", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(ConfigurationError) as refused:
        lake(sink="s3")
    (problem,) = refused.value.problems
    assert problem.startswith("destinations.lake.sink: ")
    assert 'pip install "genesys-bridge[s3]"' in problem


def test_events_are_those_of_the_hour_they_were_received_in(bucket: Bucket) -> None:
    one = lake(sink="s3", **bucket.settings)
    one.send(delivery(replace(INTERACTION, id="e1")))
    one.send(delivery(replace(INTERACTION, id="e2", received_at=RECEIVED_AT + timedelta(hours=1))))
    assert [key.split("/")[-2:] for key in bucket.object_keys()] == [["12", "e1.jsonl.gz"], ["13", "e2.jsonl.gz"]]
