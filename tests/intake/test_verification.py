"""Facts about who is let in: every scheme, and what must not pass for a proof."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from bridge.errors import ConfigurationError
from bridge.intake.verification import HeaderList, Unverified, Verifier, build_verifier
from bridge.settings.model import Secret, VerifySettings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
BODY = b'{"a": "\xc3\xa4"}'
SECRET = "sch\u00fcssel"
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


def verifier(scheme: str, *secrets: str, **settings: object) -> Verifier:
    return build_verifier(
        VerifySettings(scheme=scheme, secrets=tuple(map(Secret, secrets)), **settings)  # type: ignore[arg-type]
    )


def mac(body: bytes = BODY, secret: str = SECRET, algorithm: str = "sha256") -> bytes:
    return hmac.digest(secret.encode(), body, algorithm)


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def cause(check: Verifier, *headers: tuple[str, str], body: bytes = BODY, now: datetime = NOW) -> str:
    """The cause of the refusal, or "" where the sender is let in."""
    try:
        check(HeaderList(headers), body, now)
    except Unverified as refused:
        return refused.cause
    return ""


HUB = "X-Hub-Signature-256"


def test_hub_sha256_is_base64_of_the_hmac_of_the_raw_body() -> None:
    check = verifier("hub-sha256", SECRET)
    assert cause(check, ("x-hub-signature-256", "sha256=" + b64(mac()))) == ""
    assert cause(check, (HUB, "sha256=" + b64(mac(BODY + b" ")))) == "signature-mismatch"
    assert cause(check, (HUB, "sha256=" + mac().hex())) == "signature-mismatch"


def test_hub_sha256_takes_hex_only_where_it_is_configured() -> None:
    check = verifier("hub-sha256", SECRET, encoding="hex")
    assert cause(check, (HUB, "sha256=" + mac().hex())) == ""
    assert cause(check, (HUB, "sha256=" + b64(mac()))) == "signature-mismatch"


def test_hub_sha1_is_hex_of_the_hmac_of_the_raw_body() -> None:
    check = verifier("hub-sha1", SECRET)
    assert cause(check, ("X-Hub-Signature", "sha1=" + mac(algorithm="sha1").hex())) == ""
    assert cause(check, ("X-Hub-Signature", "sha1=" + b64(mac(algorithm="sha1")))) == "signature-mismatch"


def test_any_of_several_secrets_lets_in_so_that_they_can_be_rotated() -> None:
    check = verifier("hub-sha256", "old", "new")
    for secret in ("old", "new"):
        assert cause(check, (HUB, "sha256=" + b64(mac(secret=secret)))) == ""
    assert cause(check, (HUB, "sha256=" + b64(mac(secret="other")))) == "signature-mismatch"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", "signature-missing"),
        ("sha256=", "signature-mismatch"),
        ("SHA256={good}", "signature-malformed"),
        ("{good}", "signature-malformed"),
        ("sha256=sha256={good}", "signature-mismatch"),
        ('sha256="{good}"', "signature-mismatch"),
        ("sha256= {good}", "signature-mismatch"),
        ("sha256={good} ", "signature-mismatch"),
        ("sha256={unpadded}", "signature-mismatch"),
        ("sha256={spare_bits}", "signature-mismatch"),
        ("sha256={good},sha256={good}", "signature-mismatch"),
        ("sha256={good}\n", "signature-mismatch"),
        ("sha256=\xff\xfe", "signature-mismatch"),
        ("sha256=\u20ac", "signature-malformed"),
        ("sha256=\ud800", "signature-malformed"),
    ],
)
def test_what_only_resembles_the_signature_is_refused(value: str, expected: str) -> None:
    good = b64(mac())
    spare_bits = good[:-2] + chr(ord(good[-2]) + 1) + "="
    assert base64.b64decode(spare_bits) == mac()  # the standard library would take it
    text = value.format(good=good, unpadded=good.rstrip("="), spare_bits=spare_bits)
    assert cause(verifier("hub-sha256", SECRET), (HUB, text)) == expected


def test_a_missing_or_repeated_signature_is_refused_even_where_it_is_right() -> None:
    check, good = verifier("hub-sha256", SECRET), "sha256=" + b64(mac())
    assert cause(check) == "signature-missing"
    assert cause(check, (HUB, good), (HUB.lower(), good)) == "signature-repeated"
    assert cause(check, (HUB.replace("-", "_"), good)) == "signature-missing"


def test_generic_hmac_signs_timestamp_joiner_and_body() -> None:
    check = verifier(
        "hmac", SECRET, header="X-Sig", prefix="v0=", algorithm="sha512", encoding="base64",
        timestamp_header="X-Time", joiner=":", tolerance=timedelta(seconds=60),
    )  # fmt: skip
    stamp = str(int(NOW.timestamp()))
    good = "v0=" + b64(mac(stamp.encode() + b":" + BODY, algorithm="sha512"))
    assert cause(check, ("X-Sig", good), ("X-Time", stamp)) == ""
    assert cause(check, ("X-Sig", good), ("X-Time", str(int(stamp) + 1))) == "signature-mismatch"
    assert cause(check, ("X-Sig", good)) == "timestamp-missing"
    for late in (61, -61):
        moment = NOW + timedelta(seconds=late)
        assert cause(check, ("X-Sig", good), ("X-Time", stamp), now=moment) == "timestamp-outside"


def test_hex_is_taken_in_either_case() -> None:
    check = verifier("hmac", SECRET, header="X-Sig")
    assert cause(check, ("X-Sig", mac().hex().upper())) == ""


@pytest.mark.parametrize("stamp", ["", "1e9", "+1777636800", " 1777636800", "1777636800.0", "\u0661", "9" * 13, "-1"])
def test_a_timestamp_is_ascii_digits_only(stamp: str) -> None:
    signed = b".".join((b"m1", stamp.encode(), BODY))
    signature = "v1," + b64(hmac.digest(base64.b64decode(WHSEC[6:]), signed, "sha256"))
    headers = (("webhook-id", "m1"), ("webhook-timestamp", stamp), ("webhook-signature", signature))
    refused = cause(verifier("standard-webhooks", WHSEC), *headers)
    assert refused in ("timestamp-missing", "timestamp-malformed")


def standard_headers(body: bytes, now: datetime, message_id: str = "m1") -> dict[str, str]:
    signature = Webhook(WHSEC).sign(message_id, now, body.decode())
    stamp = str(int(now.timestamp()))
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}


def test_standard_webhooks_takes_one_good_signature_among_several() -> None:
    headers = standard_headers(BODY, NOW)
    other = "v1," + b64(mac())
    headers["webhook-signature"] = f"v1a,xx {other} garbage {headers['webhook-signature']}"
    check = verifier("standard-webhooks", WHSEC)
    assert cause(check, *headers.items()) == ""
    headers["webhook-signature"] = other
    assert cause(check, *headers.items()) == "signature-mismatch"


@pytest.mark.parametrize(("seconds", "expected"), [(300, ""), (-300, ""), (301, "x"), (-301, "x")])
def test_standard_webhooks_tolerates_five_minutes_both_ways(seconds: int, expected: str) -> None:
    headers = standard_headers(BODY, NOW)
    refused = cause(verifier("standard-webhooks", WHSEC), *headers.items(), now=NOW + timedelta(seconds=seconds))
    assert refused == ("timestamp-outside" if expected else "")


@settings(deadline=None)
@given(
    body=st.text(st.characters(codec="utf-8")),
    message_id=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    shift=st.sampled_from([0, -200, 200, -400, 400]),
    change=st.sampled_from(["none", "body", "id", "cut", "version"]),
)
def test_standard_webhooks_agrees_with_the_published_library(
    body: str, message_id: str, shift: int, change: str
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    headers = standard_headers(body.encode(), now + timedelta(seconds=shift), message_id)
    sent = body + "x" if change == "body" else body
    if change == "id":
        headers["webhook-id"] += "x"
    if change == "cut":
        headers["webhook-signature"] = headers["webhook-signature"][:-4]
    if change == "version":
        headers["webhook-signature"] = headers["webhook-signature"].replace("v1", "v2")
    ours = cause(verifier("standard-webhooks", WHSEC), *headers.items(), body=sent.encode(), now=now)
    try:
        Webhook(WHSEC).verify(sent, headers, json_parse=False)
        theirs = True
    except (WebhookVerificationError, ValueError):
        theirs = False
    assert (ours == "") == theirs == (change == "none" and abs(shift) <= 300)


def test_an_api_key_is_one_of_the_secrets_in_the_named_header() -> None:
    check = verifier("api-key", "k1", SECRET, header="X-API-Key")
    on_the_wire = SECRET.encode().decode("latin-1")
    assert cause(check, ("x-api-key", "k1")) == cause(check, ("X-API-Key", on_the_wire)) == ""
    for wrong in ("k", "k11", "K1", "k1,k1", SECRET):
        assert cause(check, ("X-API-Key", wrong)) == "credentials-wrong"
    assert cause(check) == "credentials-missing"


def test_bearer_is_one_of_the_tokens() -> None:
    check = verifier("bearer", "t1", "t2")
    assert cause(check, ("Authorization", "Bearer t2")) == cause(check, ("Authorization", "bearer t1")) == ""
    for wrong in ("t1", "Bearer", "Bearer ", "Bearer  t1", "Bearer t1 ", "Basic t1", "Bearer t3"):
        assert cause(check, ("Authorization", wrong)) == "credentials-wrong"


def test_basic_is_user_and_password() -> None:
    check = verifier("basic", "next", user="us\u00e9r", password=Secret("p:w"))
    for password in ("p:w", "next"):
        assert cause(check, ("Authorization", "Basic " + b64(f"us\u00e9r:{password}".encode()))) == ""
    unpadded = b64("us\u00e9r:p:w".encode()).rstrip("=")
    for wrong in ("us\u00e9r:p", "user:p:w", "us\u00e9r", ":p:w"):
        assert cause(check, ("Authorization", "Basic " + b64(wrong.encode()))) == "credentials-wrong"
    assert cause(check, ("Authorization", f"Basic {unpadded} ")) == "credentials-wrong"


def test_none_lets_anybody_in() -> None:
    assert cause(verifier("none")) == ""


@pytest.mark.parametrize(
    "scheme", ["hub-sha256", "hub-sha1", "standard-webhooks", "hmac", "api-key", "bearer", "basic"]
)
@pytest.mark.parametrize("secrets", [(), ("",), (WHSEC, "")])
def test_a_missing_or_empty_secret_stops_the_start(scheme: str, secrets: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        verifier(scheme, *secrets, header="X-Key", user="u")
    assert refused.value.problems[0].startswith("verify.")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_***", "0123", "WHSEC_MDEy", "whsec_MDEyMw"])
def test_a_standard_webhooks_secret_is_base64_after_its_prefix(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="whsec_"):
        verifier("standard-webhooks", secret)


def test_a_header_name_with_an_underscore_is_refused_because_servers_drop_it() -> None:
    with pytest.raises(ConfigurationError, match="underscore"):
        verifier("api-key", "k", header="X_Key")
    with pytest.raises(ConfigurationError, match="underscore"):
        verifier("hmac", "k", header="X-Sig", timestamp_header="X_Time")


CHECKS = {
    "hub-sha256": verifier("hub-sha256", SECRET),
    "hub-sha1": verifier("hub-sha1", SECRET),
    "standard-webhooks": verifier("standard-webhooks", WHSEC),
    "hmac": verifier("hmac", SECRET, header="X-Sig", timestamp_header="X-Time"),
    "api-key": verifier("api-key", SECRET, header="X-Sig"),
    "bearer": verifier("bearer", SECRET),
    "basic": verifier("basic", user="u", password=Secret(SECRET)),
}
NAMES = ["X-Hub-Signature-256", "X-Hub-Signature", "webhook-id", "webhook-timestamp", "webhook-signature",
         "X-Sig", "X-Time", "Authorization"]  # fmt: skip
VALUES = st.one_of(
    st.text(),
    st.text(st.characters(categories=["Cs"])),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(["sha256=", "sha1=", "v1,", "Basic ", "Bearer ", "1777636800"]),
    st.text().map(lambda text: "Basic " + text),
)


@settings(deadline=None)
@given(
    scheme=st.sampled_from(sorted(CHECKS)),
    headers=st.lists(st.tuples(st.sampled_from(NAMES), VALUES)),
    body=st.binary(),
)
def test_whatever_arrives_the_answer_is_a_refusal_and_nothing_else(
    scheme: str, headers: list[tuple[str, str]], body: bytes
) -> None:
    with pytest.raises(Unverified) as refused:
        CHECKS[scheme](HeaderList(headers), body, NOW)
    assert refused.value.cause.split("-")[0] in ("signature", "timestamp", "credentials")


def test_nothing_of_a_secret_or_signature_shows_in_refusals_and_reprs() -> None:
    for check in CHECKS.values():
        assert SECRET not in repr(check)
        assert hashlib.sha256(SECRET.encode()).hexdigest() not in repr(check)
    with pytest.raises(Unverified) as refused:
        CHECKS["api-key"](HeaderList([("X-Sig", "guessed-it")]), b"", NOW)
    assert "guessed-it" not in json.dumps([refused.value.detail, str(refused.value)])
