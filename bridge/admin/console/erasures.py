"""Pages of erasures: whom, then what would happen, then that it happens. They may not erase on one click."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from bridge.admin.access import Right
from bridge.admin.api.erasing import post_erasure
from bridge.admin.api.erasure_forms import ErasureOrderSchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_filter, read_order
from bridge.admin.console.rendering import show
from bridge.errors import Conflict, FieldError, Invalid

_ORDER = ErasureOrderSchema()
_FIELDS = ("subject", "customer", "reason")


@page("/erasures", right=Right.ERASE)
def erasures(visit: Visit) -> Response:
    return _form(read_filter(request.args, ("subject",)), {})


@page("/erasures/check", right=Right.ERASE, method="POST")
def check_erasure(visit: Visit) -> Response:
    """What would be erased, counted, and what was delivered already, before anything is done."""
    given = read_filter(request.form, _FIELDS)
    looked = _look(visit, given)
    match looked:
        case Invalid():
            return _form(given, {error.field: error.message for error in looked.errors})
        case Conflict():
            return _form(given, {}, held=looked)
    return show("erasure_check.html", given=given, report=looked)


@page("/erasures", right=Right.ERASE, method="POST")
def erase(visit: Visit) -> Response:
    if request.form.get("read") != "yes":
        message = "Tick that you have read what will be erased."
        errors = [FieldError(field="read", rule="required", message=message)]
        raise Invalid("nobody is erased unread", errors=errors)
    order = read_order(_ORDER, {"reason": "", **read_filter(request.form, _FIELDS)})
    return show("erasure_done.html", report=post_erasure(visit.call, order))


def _look(visit: Visit, given: Mapping[str, str]) -> Mapping[str, Any] | Invalid | Conflict:
    """What would be erased; or what is wrong with the order, or forbids it."""
    try:
        read_order(_ORDER, {"reason": "", **given})  # as it will be ordered, so that what is missing is said now
        return post_erasure(visit.call, read_order(_ORDER, {**given, "dry_run": True}))
    except (Invalid, Conflict) as refused:
        return refused


def _form(given: Mapping[str, str], errors: Mapping[str, str], *, held: Conflict | None = None) -> Response:
    status = 422 if errors else 200 if held is None else held.status
    return show("erasures.html", status=status, given=given, errors=errors, held=held and held.detail)
