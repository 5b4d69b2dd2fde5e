"""What `bridge events send` signs is what the receiver's own verification accepts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.cli.signing import signed_headers
from bridge.errors import ConfigurationError
from bridge.intake.verification import HeaderList, Unverified, build_verifier
from bridge.settings.model import Secret, SourceSettings, VerifySettings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
BODY = '{"action":"update","name":"Zoë"}'.encode()
SECRETS = (Secret("the secret that signs"), Secret("an older one"))
WEBHOOK_SECRETS = (Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),)

SCHEMES = {
    "hub-sha256": VerifySettings(scheme="hub-sha256", secrets=SECRETS),
    "hub-sha256 in hex": VerifySettings(scheme="hub-sha256", secrets=SECRETS, encoding="hex"),
    "hub-sha1": VerifySettings(scheme="hub-sha1", secrets=SECRETS),
    "standard-webhooks": VerifySettings(scheme="standard-webhooks", secrets=WEBHOOK_SECRETS),
    "hmac": VerifySettings(scheme="hmac", secrets=SECRETS, header="X-Signature"),
    "hmac with everything": VerifySettings(
        scheme="hmac",
        secrets=SECRETS,
        header="X-Signature",
        prefix="v0=",
        algorithm="sha512",
        encoding="base64",
        timestamp_header="X-Time",
        joiner=":",
    ),
    "api-key": VerifySettings(scheme="api-key", secrets=SECRETS, header="X-Key"),
    "bearer": VerifySettings(scheme="bearer", secrets=SECRETS),
    "basic": VerifySettings(scheme="basic", user="genesys", password=Secret("pass: word")),
    "basic by secrets": VerifySettings(scheme="basic", user="genesys", secrets=SECRETS),
}


def source(verify: VerifySettings) -> SourceSettings:
    return SourceSettings(name="genesys", format="genesys", verify=verify)


@pytest.mark.parametrize("verify", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_accepts_what_is_signed_for_it(verify: VerifySettings) -> None:
    headers = HeaderList(signed_headers(source(verify), BODY, NOW).items())
    build_verifier(verify)(headers, BODY, NOW + timedelta(seconds=5))


@pytest.mark.parametrize("name", [name for name in SCHEMES if name.startswith(("hub", "standard", "hmac"))])
def test_a_signature_holds_for_this_body_only(name: str) -> None:
    headers = HeaderList(signed_headers(source(SCHEMES[name]), BODY, NOW).items())
    with pytest.raises(Unverified):
        build_verifier(SCHEMES[name])(headers, BODY + b" ", NOW)


def test_without_verification_nothing_is_signed() -> None:
    assert signed_headers(source(VerifySettings(scheme="none")), BODY, NOW) == {}


def test_a_source_without_a_secret_is_named() -> None:
    bare = replace(source(SCHEMES["bearer"]), verify=VerifySettings(scheme="bearer"))
    with pytest.raises(ConfigurationError, match=r"sources\.genesys\.verify\.secrets"):
        signed_headers(bare, BODY, NOW)
