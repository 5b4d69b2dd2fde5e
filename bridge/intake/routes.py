"""The door of intake: `POST /webhooks/<source>`. It may not decide anything, or catch anything."""

from __future__ import annotations

from flask import Blueprint, Response, request

from bridge.intake.receiver import Receiver

#: All of them come here, so that an unknown source is 404 whatever the method.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def make_blueprint(receiver: Receiver) -> Blueprint:
    """The blueprint `webhooks` in front of `receiver`."""
    blueprint = Blueprint("webhooks", __name__)

    @blueprint.route("/webhooks/<source>", methods=_METHODS, provide_automatic_options=False)
    def receive(source: str) -> Response:
        answer = receiver.receive(source, request.environ)
        return Response(answer.body, status=answer.status, content_type="application/json")

    return blueprint
