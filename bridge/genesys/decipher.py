"""What an answer of Genesys means: itself, or the one error that says how to react. It may not send or count anything.

Source: https://developer.genesys.cloud/platform/api/ (error body), RFC 6749 section 5.2 (the OAuth form)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from bridge.errors import FieldError
from bridge.genesys.errors import (
    AuthenticationFailed,
    Forbidden,
    GenesysError,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
    VersionConflict,
)
from bridge.genesys.wire import Answer

LONGEST_RETRY_AFTER = timedelta(hours=1)

_VERSION_MISMATCH = "does not match the current version"
_PERMISSIONS_IN_TEXT = re.compile(r"(?:permission|scope)\(?s?\)?:\s*\[?([A-Za-z0-9:*_., -]+)")
_WORD = re.compile(r"[A-Za-z0-9._:-]{1,80}")
_FIELD_CHARACTERS = 128


def decipher(answer: Answer, now: datetime) -> Answer:
    """`answer` where it is a success. Raises the error of `errors` that every other answer means.

    409, 412, and a 400 that says "does not match the current version" are all VersionConflict.
    """
    status = answer.status
    if 200 <= status < 300:
        return answer
    code = _code(answer.fields)
    said = f"Genesys answered {status}" + (f" ({code})" if code else "")
    if status == 429:
        retry_after = _retry_after(answer, now)
        raise RateLimited(f"{said}: too many calls", retry_after=retry_after, answer=answer, code=code)
    if status in (408, 425) or status >= 500:
        raise Unavailable(said, retry_after=_retry_after(answer, now), answer=answer, code=code)
    if status < 400:
        raise Unavailable(f"{said}: redirects are not followed; correct the API URL", answer=answer)
    raise _refusal(answer, said, code)


def whole_number(value: object) -> int | None:
    """A version or count as Genesys writes it (7, "7", an ETag) as a number from 0; None where it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    digits = value.strip().removeprefix("W/").strip('"') if isinstance(value, str) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 19 else None


def _refusal(answer: Answer, said: str, code: str | None) -> GenesysError:
    """What a 4xx means that a later try alone does not mend."""
    match answer.status:
        case 401:
            return AuthenticationFailed(f"{said}: check the client's credentials", answer=answer, code=code)
        case 400 if _is_oauth_refusal(answer.fields):
            return AuthenticationFailed(f"{said}: check the client's credentials", answer=answer, code=code)
        case 403:
            missing = _missing(answer.fields)
            grant = ", ".join(missing) or "what the operation needs"
            return Forbidden(f"{said}: grant the client {grant}", missing=missing, answer=answer, code=code)
        case 404 | 410:
            return NotFound(f"{said}: no such thing, or not any more", answer=answer, code=code)
        case 409 | 412:
            return _conflict(answer, said, code)
        case 400 if _VERSION_MISMATCH in str(answer.fields.get("message")):
            return _conflict(answer, said, code)
        case _:
            return Invalid(_field_errors(answer.fields, code), answer=answer, code=code)


def _conflict(answer: Answer, said: str, code: str | None) -> VersionConflict:
    version = whole_number(answer.fields.get("version"))
    if version is None:
        version = whole_number(answer.headers.get("etag"))
    return VersionConflict(f"{said}: another version", current_version=version, answer=answer, code=code)


def _retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """Retry-After (seconds or HTTP date), for a 429 else the platform's own header; between 0 and 1 h."""
    stated = answer.headers.get("retry-after", "").strip()
    if answer.status == 429 and not stated:
        stated = answer.headers.get("inin-ratelimit-reset", "").strip()
    if stated.isascii() and stated.isdigit():
        return min(timedelta(seconds=int(stated[:9])), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return None
    wait = moment.replace(tzinfo=moment.tzinfo or UTC) - now
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))


def _is_oauth_refusal(body: Mapping[str, object]) -> bool:
    return isinstance(body.get("error"), str) and "code" not in body


def _code(body: Mapping[str, object]) -> str | None:
    """Genesys's word for the cause; None where it is no word, so that no content gets into a message."""
    stated = body.get("code") or body.get("error")
    return stated if isinstance(stated, str) and _WORD.fullmatch(stated) else None


def _missing(body: Mapping[str, object]) -> list[str]:
    """The permissions or scopes that a 403 names, in `messageParams` or in its sentence."""
    parameters = body.get("messageParams")
    for name in ("permissions", "scopes", "scope"):
        stated = parameters.get(name) if isinstance(parameters, dict) else None
        if isinstance(stated, str):
            return _words(stated)
    found = _PERMISSIONS_IN_TEXT.search(str(body.get("message", "")))
    return _words(found[1]) if found else []


def _words(text: str) -> list[str]:
    candidates = (word.strip("[].") for word in re.split(r"[,\s]+", text))
    return [word for word in candidates if _WORD.fullmatch(word)]


def _field_errors(body: Mapping[str, object], code: str | None) -> list[FieldError]:
    found = list(_named_fields(body))
    return found or [_field_error("body", code)]


def _named_fields(body: Mapping[str, object]) -> Iterator[FieldError]:
    """Every field that the body complains of: `validationErrors`, `details[]`, `errors[]` (each like a body)."""
    complaints = body.get("validationErrors")
    if isinstance(complaints, dict):
        yield from (_field_error(name, None) for name in complaints)
    for listed in (complaints, body.get("details")):
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict):
                field = entry.get("fieldName") or entry.get("field") or entry.get("entityName")
                yield _field_error(field, entry.get("errorCode") or entry.get("code") or entry.get("rule"))
            else:
                yield _field_error("body", None)
    nested = body.get("errors")
    for entry in nested if isinstance(nested, list) else ():
        if isinstance(entry, dict):
            yield from _field_errors(entry, _code(entry))


def _field_error(field: object, rule: object) -> FieldError:
    """Without Genesys's own sentence, which may repeat the value."""
    word = rule if isinstance(rule, str) and _WORD.fullmatch(rule) else "refused"
    name = field[:_FIELD_CHARACTERS] if isinstance(field, str) else "body"
    return FieldError(field=name, rule=word, message=f"Genesys refuses this ({word}): correct it and send it again")
