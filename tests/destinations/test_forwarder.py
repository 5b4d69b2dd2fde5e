from __future__ import annotations

import base64
import hashlib
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from time import monotonic

import pytest
from standardwebhooks.webhooks import Webhook

import bridge
from bridge.clock import SystemClock
from bridge.destinations.forwarder import shown_url
from bridge.errors import Invalid
from bridge.outbox.contract import Delivered, DeliveryPolicy, Exchange, Rejected, RetryLater
from bridge.settings.model import AuthSettings, RetrySettings, Secret
from tests.destinations.deliveries import INTERACTION, RECORD, delivery, destination
from tests.destinations.ways import SLACK
from tests.fakes import FakeClock
from tests.receivers import Answer, Receiver, reset

SIGNING = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def test_a_delivery_carries_everything_that_was_promised(receiver: Receiver) -> None:
    erp = destination(
        receiver,
        auth=AuthSettings(type="bearer", token=Secret("s3cret")),
        signing_secrets=(Secret(SIGNING),),
        headers={"X-Tenant": "7", "User-Agent": "ours/1"},
    )
    outcome = erp.send(delivery())
    [request] = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["webhook-id"] == request.headers["Idempotency-Key"] == "w1"
    assert request.headers["X-Correlation-ID"] == "corr-1"
    assert request.headers["traceparent"] == RECORD.traceparent
    assert request.headers["Authorization"] == "Bearer s3cret"
    assert request.headers["Content-Type"] == "application/json"
    assert (request.headers["X-Tenant"], request.headers["User-Agent"]) == ("7", "ours/1")
    Webhook(SIGNING).verify(request.body, dict(request.headers.items()))
    assert outcome == Delivered(
        exchange=Exchange(
            status=204, sent_bytes=len(request.body), sent_sha256=hashlib.sha256(request.body).hexdigest()
        )
    )


def test_without_configuration_only_what_every_receiver_needs_is_sent(receiver: Receiver, clock: FakeClock) -> None:
    destination(receiver, clock=clock).send(delivery(replace(RECORD, correlation_id=None, traceparent=None)))
    headers = receiver.requests[0].headers
    assert headers["User-Agent"] == f"genesys-bridge/{bridge.__version__}"
    assert headers["X-Correlation-ID"] == RECORD.id
    assert headers["webhook-timestamp"] == str(int(clock.now().timestamp()))
    for name in ("webhook-signature", "Authorization", "traceparent", "Cookie", "Accept"):
        assert name not in headers


def test_every_try_carries_the_same_webhook_id_and_body_but_the_time_of_the_try(
    receiver: Receiver, clock: FakeClock
) -> None:
    erp = destination(receiver, clock=clock, signing_secrets=(Secret(SIGNING),))
    receiver.answers(503, 204)
    for attempt in (1, 2):
        erp.send(delivery(attempt=attempt))
        clock.advance(90)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) == int(first.headers["webhook-timestamp"]) + 90
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


@pytest.mark.parametrize("poison", ["a\r\nX-Evil: 1", "a b", "ключ", "x" * 256, ""])
def test_a_correlation_id_of_somebody_else_cannot_break_a_header(receiver: Receiver, poison: str) -> None:
    destination(receiver).send(delivery(replace(RECORD, correlation_id=poison, traceparent=poison)))
    headers = receiver.requests[0].headers
    assert headers["X-Correlation-ID"] == RECORD.id
    assert "traceparent" not in headers
    assert "X-Evil" not in headers


def test_what_is_kept_of_an_answer_is_masked_and_short(receiver: Receiver) -> None:
    receiver.answers(
        Answer(422, body=b'{"error":"no such customer","email":"jane.doe@example.com","n":"' + b"x" * 9000)
    )
    outcome = destination(receiver).send(delivery())
    assert isinstance(outcome, Rejected)
    excerpt = outcome.exchange.answer_excerpt or ""
    assert "no such customer" in excerpt
    assert "jane.doe" not in excerpt
    assert len(excerpt.encode()) <= 4096


def test_the_answers_table_is_asked_with_the_destinations_own_rows(receiver: Receiver) -> None:
    erp = destination(receiver, retry_on=(400,), reject_on=(500,))
    receiver.answers(
        400, 500, Answer(429, {"Retry-After": "7"}), Answer(302, {"Location": "http://169.254.169.254/"}), 410
    )
    outcomes = [erp.send(delivery()) for _ in range(5)]
    assert [type(outcome) for outcome in outcomes] == [RetryLater, Rejected, RetryLater, RetryLater, Rejected]
    assert isinstance(outcomes[2], RetryLater)
    assert outcomes[2].retry_after == timedelta(seconds=7)
    assert isinstance(outcomes[4], Rejected)
    assert outcomes[4].pause


def test_what_was_never_sent_is_not_said_to_be(receiver: Receiver) -> None:
    erp = destination(receiver)
    receiver.answers(reset)
    lost = erp.send(delivery())
    receiver.stop()
    refused = erp.send(delivery())
    assert isinstance(lost, RetryLater)
    assert isinstance(refused, RetryLater)
    assert (lost.error_class, lost.exchange.sent_bytes is not None) == ("connection", True)
    assert (refused.error_class, refused.exchange) == ("connect", Exchange())


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "169.254.169.254", "[::ffff:169.254.169.254]", "10.0.0.1"])
def test_a_forbidden_address_needs_a_person_and_sends_nothing(receiver: Receiver, host: str) -> None:
    outcome = destination(f"http://{host}:{receiver.port}/", allow_local=False).send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("egress", True)
    assert receiver.connections == 0


def test_the_deadline_holds_for_token_and_request_together(receiver: Receiver) -> None:
    erp = destination(
        receiver,
        timeout=0.4,
        auth=AuthSettings(
            type="oauth2-client-credentials", token_url=receiver.url, client_id="c", client_secret=Secret("s3cret")
        ),
    )
    receiver.answers(Answer(200, body=b'{"access_token":"t1"}', delay=0.25), Answer(204, delay=0.25))
    began = monotonic()
    outcome = erp.send(delivery())
    assert 0.38 <= monotonic() - began < 0.4 + SLACK
    assert isinstance(outcome, RetryLater)
    assert outcome.error_class == "timeout"


def test_a_401_drops_the_token(receiver: Receiver) -> None:
    with Receiver() as server:
        tokens = iter(["t1", "t2"])
        server.answer = lambda request: Answer(200, body=b'{"access_token":"%s"}' % next(tokens).encode())
        erp = destination(
            receiver,
            auth=AuthSettings(
                type="oauth2-client-credentials", token_url=server.url, client_id="c", client_secret=Secret("s3cret")
            ),
        )
        receiver.answers(204, 401, 204)
        outcomes = [erp.send(delivery()) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Delivered, RetryLater, Delivered]
    assert [request.headers["Authorization"] for request in receiver.requests] == [
        "Bearer t1",
        "Bearer t1",
        "Bearer t2",
    ]


def test_a_transform_reshapes_the_body(receiver: Receiver) -> None:
    destination(receiver, transform="{item: recordId, q: fields.quantity}").send(delivery())
    assert receiver.requests[0].json() == {"item": "r1", "q": 7}


def test_a_transform_that_fails_waits_for_a_person(receiver: Receiver) -> None:
    outcome = destination(receiver, transform="length(fields.quantity)").send(delivery())
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("transform", True)
    assert not receiver.requests


def test_an_event_that_a_kind_has_no_request_for_is_rejected(receiver: Receiver) -> None:
    outcome = destination(receiver).send(delivery(INTERACTION))
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "destination erp (kind erp) has no request for interaction.updated"


def test_the_policy_is_what_the_settings_say(receiver: Receiver) -> None:
    erp = destination(
        receiver,
        timeout=5,
        lease_seconds=20,
        max_in_flight=3,
        rate=2.5,
        stale="skip",
        on_dead="block",
        retry=RetrySettings(base=2, cap=60, max_attempts=9, max_age=timedelta(hours=1)),
    )
    assert erp.policy == DeliveryPolicy(
        retry_base=2,
        retry_cap=60,
        max_attempts=9,
        max_age=timedelta(hours=1),
        timeout=5,
        lease=timedelta(seconds=20),
        max_in_flight=3,
        rate=2.5,
        skip_stale=True,
        block_on_dead=True,
    )


def test_many_threads_share_one_destination(receiver: Receiver) -> None:
    erp = destination(receiver, max_in_flight=4)
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda n: erp.send(delivery(webhook_id=f"w{n}")), range(60)))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 60
    assert receiver.connections <= 4
    erp.close()
    receiver.wait_until_idle()


def test_a_preview_is_the_request_without_its_secrets_and_without_sending(receiver: Receiver) -> None:
    erp = destination(
        receiver.url + "/hook?code=s3cret&mode=full",
        auth=AuthSettings(type="api-key", header="X-Key", token=Secret("s3cret")),
        signing_secrets=(Secret(SIGNING),),
        headers={"X-Tenant": "s3cret"},
    )
    preview = erp.preview(RECORD)
    erp.send(delivery())
    [request] = receiver.requests
    assert (preview.method, preview.body) == (request.method, request.json())
    assert preview.url == receiver.url + "/hook?code=…&mode=…"
    ours = {"host", "accept-encoding", "content-length"}
    assert {name.lower() for name in preview.headers} == {name.lower() for name in request.headers} - ours
    assert preview.headers["X-Correlation-ID"] == "corr-1"
    assert "s3cret" not in repr(preview)
    assert "v1," not in repr(preview)
    assert request.path == "/hook?code=s3cret&mode=full"


def test_a_preview_needs_no_receiver_and_no_token() -> None:
    oauth = AuthSettings(
        type="oauth2-client-credentials", token_url="http://127.0.0.1:1/", client_id="c", client_secret=Secret("s")
    )
    assert destination("http://127.0.0.1:1/", auth=oauth).preview(RECORD).headers["Authorization"] == "…"


@pytest.mark.parametrize(("transform", "field"), [("length(recordId.x)", "transform"), (None, "type")])
def test_a_preview_of_what_becomes_no_request_says_why(receiver: Receiver, transform: str | None, field: str) -> None:
    erp = destination(receiver, transform=transform)
    with pytest.raises(Invalid) as invalid:
        erp.preview(RECORD if transform else INTERACTION)
    assert [error.field for error in invalid.value.errors] == [field]


def test_no_secret_shows_in_a_repr_or_an_outcome(receiver: Receiver) -> None:
    secrets = {"token": Secret("s3cret"), "user": "u", "password": Secret("s3cret")}
    for kind in ("bearer", "basic", "api-key"):
        erp = destination(
            receiver,
            auth=AuthSettings(type=kind, **secrets),  # type: ignore[arg-type]
            signing_secrets=(Secret(SIGNING),),
        )
        receiver.answers(401, reset)
        shown = repr([erp, erp.send(delivery()), erp.send(delivery()), vars(erp)])
        for secret in ("s3cret", SIGNING[6:], base64.b64encode(b"u:s3cret").decode()):
            assert secret not in shown


def test_a_url_is_shown_without_the_values_of_its_query() -> None:
    assert shown_url("https://erp.example.com/a") == "https://erp.example.com/a"
    assert shown_url("https://erp.example.com/a?code=x&flag&y=z=w#f") == "https://erp.example.com/a?code=…&flag&y=…"


def test_a_receiver_that_hangs_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        erp = destination(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.2, clock=SystemClock())
        began = monotonic()
        outcome = erp.send(delivery())
    assert 0.19 <= monotonic() - began < 0.2 + SLACK
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.reason) == ("timeout", "no whole answer within 0.2 s")
