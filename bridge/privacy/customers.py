"""How events and commands name customers: by id, phone number, e-mail address. It may not know a table.

What is found is only ever kept as a keyed hash (`privacy.customer_index`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

#: Deeper trees than the receiver accepts (spec, part 2) hold nobody.
_DEEPEST: Final = 64
_LONGEST: Final = 255
#: Names of fields, in lower case without `_` and `-`, whose value names a customer wherever they stand.
_NAMING: Final = re.compile(
    r".*phone(?:number)?|.*email(?:address)?|mail|mobile(?:number)?|msisdn|tel|ani|callerid|callernumber"
    r"|(?:external)?(?:customer|contact)id|(?:customer|contact)number|addressraw|addressnormalized"
)
#: Objects whose `id` is a customer's.
_PERSONS: Final = frozenset({"customer", "contact", "externalcontact", "from"})
_CONTACT: Final = "contact:"
_SCHEME: Final = re.compile(r"(?:tel|mailto|sips?):")
_PHONE: Final = re.compile(r"\+?[\d\s().\-/]{7,}")
_LEAST_DIGITS: Final = 7


def customers_in(subject: str, payload: Mapping[str, object]) -> set[str]:
    """Every name of a customer in what an event or a command tells, each as `customer_name` makes it."""
    names = set(_names(payload, None, 0))
    if subject.startswith(_CONTACT):
        names.add(customer_name(subject.removeprefix(_CONTACT)))
    names.discard("")
    return names


def customer_name(text: str) -> str:
    """One spelling of an id, a phone number or an e-mail address; "" where there is nothing of it."""
    name = _SCHEME.sub("", text.strip().casefold(), count=1)
    if _PHONE.fullmatch(name):
        digits = "".join(character for character in name if character.isdecimal())
        if len(digits) >= _LEAST_DIGITS:
            return digits.removeprefix("00")
    return name


def _names(value: object, owner: str | None, depth: int) -> Iterator[str]:
    """Those in `value`, which stands in the field `owner`."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            if isinstance(one, Mapping | list):
                yield from _names(one, name, depth + 1)
            elif _is_naming(name, owner):
                yield from _name(one)
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, Mapping | list):
                yield from _names(one, owner, depth + 1)
            elif owner is not None and _is_naming(owner, None):
                yield from _name(one)


def _name(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        return
    if isinstance(value, str) and len(value) <= _LONGEST:
        yield customer_name(value)
    elif isinstance(value, int):
        yield customer_name(str(value))


@lru_cache(maxsize=4096)
def _is_naming(name: str, owner: str | None) -> bool:
    if len(name) > _LONGEST:
        return False
    squeezed = _squeezed(name)
    if squeezed == "id":
        return owner is not None and _squeezed(owner) in _PERSONS
    return _NAMING.fullmatch(squeezed) is not None


def _squeezed(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")
