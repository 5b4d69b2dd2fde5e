"""What the sections for sources and destinations say alike: names, headers, signing secrets, sign-in.

It may not know which section uses it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from bridge.settings.fields import Choice, SecretText, Text, Url, without_control_characters
from bridge.settings.model import AuthSettings
from bridge.settings.section import Problem, Section

NAME: Final = r"[a-z0-9_-]{1,64}"
NAME_RULE: Final = "is not a name: use 1 to 64 of a-z, 0-9, _ and -"
#: A field name as RFC 9110, section 5.1 has it.
HEADER: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}"
HEADER_RULE: Final = "must be the name of an HTTP header"

PLAIN_HTTP: Final = (
    "is plain http:// while credentials go there; use https://, or allow_local = true for a receiver of your own"
)

_AUTH_NEEDS: Final = {
    "none": (),
    "bearer": ("token",),
    "basic": ("user", "password"),
    "api-key": ("token",),
    "oauth2-client-credentials": ("token_url", "client_id", "client_secret"),
}
_AUTH_PROOFS: Final = ("token", "user", "password", "client_id", "client_secret")


def signing_secret_problem(text: str) -> str | None:
    """What is wrong with a Standard Webhooks secret, or None.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    encoded = text.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if encoded == text or not key:
        return "must be whsec_ followed by base64 (with its = at the end)"
    return None


def user_field(**options: Any) -> Text:
    """A user name for Basic authentication, which ends at the first colon (RFC 7617, section 2)."""
    return Text(matching=r"[^:\x00-\x1f\x7f]+", rule="must be text without a colon, not empty", **options)


def header_secret(**options: Any) -> SecretText:
    """A secret that travels in a header."""
    return SecretText(check=without_control_characters, **options)


class AuthSection(Section):
    """How the bridge proves itself to somebody else."""

    builds = AuthSettings

    type = Choice(tuple(_AUTH_NEEDS))
    token = header_secret()
    user = user_field()
    password = header_secret()
    header = Text(matching=HEADER, rule=HEADER_RULE)
    token_url = Url()
    client_id = Text()
    client_secret = header_secret()
    scope = Text()

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        kind = valid.get("type", "none")
        for key in _AUTH_NEEDS[kind]:
            if key not in given:
                yield (key,), f"is missing; type {kind} needs it"
        if kind == "none" and ("type" not in given or "type" in valid):
            for key in _AUTH_PROOFS:
                if key in given:
                    yield (key,), "is given but never sent, since the type is none; set the type that it is for"


def signs_in_plainly(given: Mapping[str, Any], valid: Mapping[str, Any]) -> bool:
    """True where a section with `url` and `auth` would send its credentials over plain http://."""
    return is_plain(valid.get("url")) and signs_in(given)


def is_plain(url: object) -> bool:
    return isinstance(url, str) and url.startswith("http://")


def signs_in(given: Mapping[str, Any]) -> bool:
    """True where the `auth` of a section is of any type but none."""
    auth = given.get("auth")
    return isinstance(auth, Mapping) and auth.get("type", "none") != "none"
