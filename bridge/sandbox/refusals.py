"""How the stand-in says no: the platform's error body. It may not know Flask.

Source: https://developer.genesys.cloud/platform/api/ (error body `message, code, status, contextId, details, errors`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a request: an entry of `details`."""

    field: str
    code: str
    message: str
    entity_id: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "errorCode": self.code,
            "fieldName": self.field,
            "entityId": self.entity_id,
            "entityName": None,
            "message": self.message,
        }


class Refused(Exception):
    """A request that the platform would refuse; the app's one error handler answers it."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        extra: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.problems = tuple(problems)
        #: Further keys of the body: `version`, `validationErrors`.
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})


def error_body(refused: Refused, context_id: str) -> dict[str, object]:
    """The platform's error body."""
    return {
        "message": refused.message,
        "code": refused.code,
        "status": refused.status,
        "contextId": context_id,
        "details": [problem.as_json() for problem in refused.problems],
        "errors": [],
        **refused.extra,
    }


def not_found(entity: str, entity_id: str) -> Refused:
    problem = Problem(field="id", code="not.found", message=f"no such {entity}", entity_id=entity_id)
    return Refused(404, "not.found", f"The requested {entity} was not found.", problems=[problem])


def bad_request(problems: Sequence[Problem]) -> Refused:
    said = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    return Refused(400, "bad.request", f"The request is not valid: {said}", problems=problems)


def version_conflict(status: int, current: int) -> Refused:
    """`status` 409 (a version in the body) or 412 (`If-Match`), with the version that stands."""
    code = "precondition.failed" if status == 412 else "conflict"
    message = f"The version does not match the current version {current}."
    return Refused(status, code, message, extra={"version": current}, headers={"ETag": f'"{current}"'})
