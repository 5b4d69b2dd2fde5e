"""The tables [sources.NAME]: who may post to us and how they prove it. It may not verify anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from marshmallow import ValidationError

from bridge.settings.credentials import HEADER, HEADER_RULE, signing_secret_problem, user_field
from bridge.settings.fields import Address, Choice, Duration, Flag, Rate, SecretText, Several, Text, Value
from bridge.settings.kinds import FORMATS, plugin_formats
from bridge.settings.model import VerifySettings
from bridge.settings.section import Problem, Section, nested

_SCHEME_NEEDS: Final = {
    "hub-sha256": ("secrets",),
    "hub-sha1": ("secrets",),
    "standard-webhooks": ("secrets",),
    "hmac": ("secrets", "header"),
    "api-key": ("secrets", "header"),
    "basic": ("user", "password"),
    "bearer": ("secrets",),
    "none": (),
}


class VerifySection(Section):
    """How a source proves itself."""

    builds = VerifySettings

    scheme = Choice(tuple(_SCHEME_NEEDS), required=True)
    secrets = Several(SecretText(), least=1)
    header = Text(matching=HEADER, rule=HEADER_RULE)
    prefix = Text(matching=r"[\x20-\x7e]{0,64}", rule="must be at most 64 printable ASCII characters")
    algorithm = Choice(("sha256", "sha512"))
    encoding = Choice(("hex", "base64"))
    timestamp_header = Text(matching=HEADER, rule=HEADER_RULE)
    joiner = Text(matching=r"(?s).{0,16}", rule="must be text of at most 16 characters")
    tolerance = Duration()
    user = user_field()
    password = SecretText()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        scheme = valid.get("scheme", "none")
        for key in _SCHEME_NEEDS[scheme]:
            if key not in given:
                yield (key,), f"is missing; scheme {scheme} needs it"
        if scheme == "standard-webhooks":
            for position, secret in enumerate(valid.get("secrets", ())):
                problem = signing_secret_problem(secret.reveal())
                if problem:
                    yield ("secrets", position), problem


class SuccessStatus(Value[int]):
    """The status of the answer to a recorded event."""

    def read(self, value: object) -> int:
        if not isinstance(value, int) or value not in (200, 202):
            raise ValidationError("must be 200 or 202")
        return value


class SourceSection(Section):
    """One source, without its name."""

    builds: ClassVar[Any] = dict

    format = Choice(FORMATS, plugins=plugin_formats, required=True)
    verify = nested(VerifySection, required=True)
    allow_unverified = Flag()
    allow_from = Several(Address())
    rate = Rate()
    success_status = SuccessStatus()
    challenge = Flag()
    expect_every = Duration()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        verify = given.get("verify")
        unverified = isinstance(verify, Mapping) and verify.get("scheme") == "none"
        if unverified and valid.get("allow_unverified") is not True:
            yield (
                ("verify", "scheme"),
                "accepts anybody; choose a scheme, or say allow_unverified = true if that is meant",
            )
