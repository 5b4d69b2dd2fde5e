"""Why somebody orders something: said, and not blank. It may not know what is ordered."""

from __future__ import annotations

from bridge.errors import FieldError, Invalid


def check_reason(reason: str) -> None:
    """Raises Invalid where there is nothing in it."""
    if not reason.strip():
        error = FieldError(field="reason", rule="required", message="say why, in a sentence: the audit keeps it")
        raise Invalid("a reason is missing", errors=[error])
