from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bridge.destinations.signing import signatures, signing_key
from bridge.settings.model import Secret

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


def test_the_published_example_comes_out_the_same() -> None:
    # Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    header = signatures([signing_key(Secret(OLD))], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(max_size=200))
def test_the_published_library_accepts_what_we_sign(text: str) -> None:
    body, now = text.encode(), int(time.time())
    header = signatures([signing_key(Secret(secret)) for secret in (NEW, OLD)], "w1", now, body)
    sent = {"webhook-id": "w1", "webhook-timestamp": str(now), "webhook-signature": header}
    for secret in (OLD, NEW):  # rotation: a receiver that knows only one of them accepts
        Webhook(secret).verify(body, sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body + b" ", sent, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(body, sent | {"webhook-id": "w2"}, json_parse=False)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_***", "whsec_abc", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_ä"]
)
def test_what_is_no_signing_secret_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_ followed by base64") as refused:
        signing_key(Secret(text))
    assert len(text) < 7 or text[6:] not in str(refused.value)
