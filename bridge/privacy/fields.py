"""Which fields of a JSON tree are personal or secret, by their names. It may not look at values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import Final


class Kind(Enum):
    """Why a field is masked, which says how much of it may stay."""

    SECRET = auto()  # nothing stays
    PERSONAL = auto()  # what helps to recognise it stays


#: Globs of field paths, without case, `_` and `-`.
_SECRETS: Final = (
    *("*password", "passwd", "pwd", "passphrase", "*secret", "*secrets", "secret*key", "*token", "*apikey"),
    *("authorization", "proxyauthorization", "cookie", "setcookie", "credential*", "privatekey", "accesskey"),
)
_PERSONAL: Final = (
    # phone numbers, as Genesys and others call them
    *("*phone*", "mobile", "mobilenumber", "cellnumber", "fax", "faxnumber", "msisdn", "tel", "ani", "dnis"),
    *("callerid", "callernumber", "dialednumber", "addressraw", "addressnormalized", "addressdisplayable"),
    # e-mail
    *("*email*", "mail", "mailaddress"),
    # names of participants
    *("firstname", "middlename", "lastname", "fullname", "displayname", "givenname", "familyname", "surname"),
    *("maidenname", "nickname", "username", "personname", "remotename", "salutation"),
    *("participant*name", "customername", "contactname", "callername", "agentname", "guestname", "membername"),
    *("participant*.name", "customer.name", "contact.name", "caller.name", "agent.name", "guest.name"),
    *("member.name", "user.name", "person.name", "from.name", "modifiedby.name", "createdby.name"),
    # the sender of an open message, whose id is a phone number on most channels
    "channel.from",
)


class PersonalFields:
    """Says for a field path whether it is masked, by the built-in names and those of the configuration.

    A configured path is a glob per segment (`fields.contact*`), is met at the end of a path, wherever it begins, and
    without regard to case. Lists have no index in a path; `*` and numbers standing for one may be written.
    """

    def __init__(self, personal: Sequence[str]) -> None:
        self._configured = _ending(pattern.lower() for pattern in personal)
        self._configured_name = _ending(_last_segments(pattern.lower() for pattern in personal))

    def kind(self, path: str) -> Kind | None:
        """How the field at the dotted `path` is to be masked; None where its name says nothing."""
        lower = path.lower()
        squeezed = _squeezed(lower)
        if _SECRET.search(squeezed):
            return Kind.SECRET
        if _BUILT_IN.search(squeezed) or self._configured.search(lower):
            return Kind.PERSONAL
        return None

    def kind_of_name(self, name: str) -> Kind | None:
        """Like `kind`, where only the field's own name is known: rather too much than too little."""
        lower = name.lower()
        if _BUILT_IN_NAME.search(_squeezed(lower)) or self._configured_name.search(lower):
            return self.kind(name) or Kind.PERSONAL
        return self.kind(name)


def _squeezed(lower: str) -> str:
    return lower.replace("_", "").replace("-", "")


def _last_segments(globs: Iterable[str]) -> Iterator[str]:
    return (glob.rpartition(".")[2] for glob in globs)


def _ending(globs: Iterable[str]) -> re.Pattern[str]:
    """What matches a path that ends in one of `globs`."""
    either = "|".join(_segments(glob.split(".")) for glob in globs)
    return re.compile(rf"(?:^|\.)(?:{either})$" if either else r"(?!)", re.DOTALL)


def _segments(segments: list[str]) -> str:
    *above, last = segments
    return "".join(_optional(segment) for segment in above) + _glob(last)


def _optional(segment: str) -> str:
    is_index = segment == "*" or segment.isdigit()
    return rf"(?:{_glob(segment)}\.)?" if is_index else rf"{_glob(segment)}\."


def _glob(segment: str) -> str:
    literal = re.escape(re.sub(r"\*+", "*", segment))
    return literal.replace(r"\*", "[^.]*").replace(r"\?", "[^.]")


_SECRET: Final = _ending(_SECRETS)
_BUILT_IN: Final = _ending(_PERSONAL)
_BUILT_IN_NAME: Final = _ending(_last_segments(_PERSONAL))
