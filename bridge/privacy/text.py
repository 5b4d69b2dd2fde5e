"""Finds phone numbers, e-mail addresses and secrets in free text and masks them. It may not know a field's name.

Every pattern starts only where nothing of its kind stands before it, or is bounded: the time is linear in the text.
Bare digits are left alone unless they begin like a phone number, for they are ids and times more often.
"""

from __future__ import annotations

import re
from typing import Final

MASKED: Final = "***"

_LOCAL = r"\w.!#$&'*+/=?^`{|}~-"
_DOMAIN = r"(?P<domain>[\w-]++(?:\.[\w-]++)++)"
_EMAIL: Final = re.compile(rf"(?P<local>\"[^\"\r\n]{{1,64}}+\"|(?<![%{_LOCAL}])[%{_LOCAL}]++)(?P<at>[@＠]){_DOMAIN}")
#: As in a query string; the local part may hold other encoded characters.
_ENCODED_EMAIL: Final = re.compile(
    rf"(?P<local>(?<![%{_LOCAL}])(?:[{_LOCAL}]|%(?!40)[0-9A-Fa-f]{{2}})++)(?P<at>%40){_DOMAIN}"
)

_SECRET: Final = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s{1,8})[^\s\"',;]++"
    r"|(?P<prefix>gbr_|whsec_|whsk_)[\w+/=.-]++"
    r"|\beyJ[\w-]{8,}+\.[\w-]++(?:\.[\w-]*+)?"  # a JSON Web Token
    r"|(?P<url>://)[^\s/@\"']++@"
    r"|(?P<key>\b\w{0,64}?(?:password|passwd|secret|token|api_?key)=)[^\s&\"',;]++",
    re.IGNORECASE,
)

_GAP = r"[ \t.\-/()\u00a0\u2009\u202f\u2010-\u2015]"
#: What looks like a phone number but is none: taken first, and left as it is.
_NOT_A_PHONE = (
    r"(?P<other>"
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])"
    r"|(?<!\d)\d{4}-\d\d-\d\d(?!\d)(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d(?!\d))?)?"
    r"|(?<!\d)[0-3]?\d[./-][0-3]?\d[./-](?:\d{4}|\d\d)(?![./-]?\d)"
    r")"
)
_PHONE: Final = re.compile(
    rf"{_NOT_A_PHONE}"
    rf"|\+(?:{_GAP}{{0,3}}\d){{7,15}}"  # international
    rf"|(?:(?<=tel:)|(?<=sip:)|(?<=sms:))(?:{_GAP}{{0,3}}\d){{5,15}}"
    rf"|(?<![\w])(?<!\d[.,])00[1-9](?:{_GAP}{{0,3}}\d){{8,14}}(?!\d)"  # international, dialled
    r"|(?<![\w])(?<!\d[.,])0[1-9]\d{8,10}(?!\w)"  # national, in one piece
    rf"|(?<![\w])(?<!\d[.,])\(?0\d{{1,4}}\)?(?:{_GAP}{{1,3}}\d{{2,8}}){{1,5}}(?!\w)"  # national, in groups
    rf"|(?<![\w])(?<!\d[.,])(?:1{_GAP})?\(?\d{{3}}\)?{_GAP}{{1,2}}\d{{3}}{_GAP}\d{{4}}(?!\w)",  # North America
    re.IGNORECASE,
)
_LEAST_DIGITS = 7
_ONLY_DIGITS_AND_GAPS: Final = re.compile(rf"\+?(?:{_GAP}{{0,3}}\d){{{_LEAST_DIGITS},}}{_GAP}?")

#: What masking leaves behind; masking it again changes nothing.
_DONE: Final = re.compile(r".?\*{3}|\+?(?:\d\d)?\*{6}\d\d", re.DOTALL)


def mask_text(text: str) -> str:
    """`text` with every phone number, e-mail address and secret in it masked; all else stays."""
    masked = _SECRET.sub(_masked_secret, text)
    if "@" in masked or "＠" in masked:
        masked = _EMAIL.sub(_masked_email, masked)
    if "%40" in masked:
        masked = _ENCODED_EMAIL.sub(_masked_email, masked)
    return _PHONE.sub(_masked_phone, masked)


def mask_value(text: str) -> str:
    """A personal value as a whole: `+49******89`, `j***@example.com`, else its first character and stars."""
    if not text or _DONE.fullmatch(text):
        return text
    email = _EMAIL.fullmatch(text)
    if email:
        return _masked_email(email)
    known = _PHONE.fullmatch(text)
    is_other = known is not None and known["other"] is not None
    if not is_other and _ONLY_DIGITS_AND_GAPS.fullmatch(text):
        return _shortened(text)
    return (text[0] if len(text) > 2 else "") + MASKED


def _masked_secret(found: re.Match[str]) -> str:
    kept = found["scheme"] or found["prefix"] or found["url"] or found["key"] or ""
    return kept + (f"{MASKED}:{MASKED}@" if found["url"] else MASKED)


def _masked_email(found: re.Match[str]) -> str:
    first = found["local"][0]
    return ("" if first in '"*' else first) + MASKED + found["at"] + found["domain"]


def _masked_phone(found: re.Match[str]) -> str:
    if found["other"] is not None or sum(map(str.isdecimal, found[0])) < _LEAST_DIGITS:
        return found[0]
    return _shortened(found[0])


def _shortened(phone: str) -> str:
    digits = [character for character in phone if character.isdecimal()]
    kept = "".join(digits[:2]) if len(digits) > _LEAST_DIGITS else ""
    return ("+" if phone.startswith("+") else "") + kept + "******" + "".join(digits[-2:])
