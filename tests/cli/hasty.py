"""gunicorn as the bridge configures it, around a small app and with deadlines of half a second.

`python -m gunicorn -c python:tests.cli.hasty tests.cli.hasty:app`
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bridge.reloading.in_force import InForce
from bridge.settings import load_settings
from bridge.web.options import gunicorn_options
from bridge.web.slow_clients import DeadlineWorker

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

READ_SECONDS = 0.5
WRITE_SECONDS = 0.5


class HastyWorker(DeadlineWorker):
    read_seconds = READ_SECONDS
    write_seconds = WRITE_SECONDS


globals().update(gunicorn_options(InForce("web", lambda: load_settings(os.environ))) | {"worker_class": HastyWorker})


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answers with what it was sent: the header `X-Word`, then the body; so many times as `X-Times` says."""
    body = environ["wsgi.input"].read()
    answer = environ.get("HTTP_X_WORD", "none").encode() + b" " + body
    answer *= int(environ.get("HTTP_X_TIMES", "1"))
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
