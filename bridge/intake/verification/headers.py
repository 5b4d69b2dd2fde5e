"""Reading the one header that proves a sender. It may not decide between two values: a repeat is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from bridge.errors import Unauthenticated


class Unverified(Unauthenticated):
    """The sender is not proven; `cause` says how: `signature-missing`, `credentials-wrong`, …"""


class Headers(Protocol):
    """The header fields of one request."""

    def get_all(self, name: str) -> Sequence[str]:
        """Every value of the field `name` (any case), in order; bytes above 0x7F decoded as Latin-1."""
        ...


class HeaderList:
    """Header fields given as (name, value) pairs. An underscore is not a hyphen here."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = [(name.lower(), value) for name, value in pairs]

    def get_all(self, name: str) -> Sequence[str]:
        wanted = name.lower()
        return [value for name, value in self._pairs if name == wanted]


def only_value(headers: Headers, name: str, *, what: str) -> bytes:
    """The bytes of the one field `name`, as they were on the wire.

    Raises Unverified with cause `<what>-missing`, `<what>-repeated` or `<what>-malformed`.
    """
    values = headers.get_all(name)
    if len(values) > 1:
        raise Unverified(f"The header {name} is there more than once; send it once.", cause=f"{what}-repeated")
    if not values or not values[0]:
        raise Unverified(f"The header {name} is missing or empty.", cause=f"{what}-missing")
    try:
        return values[0].encode("latin-1")
    except UnicodeEncodeError:
        raise malformed(name, what=what) from None


def malformed(name: str, *, what: str) -> Unverified:
    """The refusal of a header that cannot be what it should be, whatever the secret."""
    return Unverified(f"The header {name} does not have the form that this source asks for.", cause=f"{what}-malformed")
