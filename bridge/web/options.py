"""gunicorn's options for this bridge. It may not start anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gunicorn.http.wsgi
from flask import Flask

from bridge.reloading.in_force import InForce
from bridge.settings.model import Settings
from bridge.web.logs import SharedLogger
from bridge.web.slow_clients import DeadlineWorker

#: Where `bridge web` listens unless HOST says otherwise.
EVERYWHERE = "0.0.0.0"  # noqa: S104 (spec, part 9)

# The name in the `Server` header; there is no option for it.
gunicorn.http.wsgi.SERVER = "bridge"  # type: ignore[attr-defined]


def gunicorn_options(in_force: InForce) -> dict[str, object]:
    """The options by gunicorn's names; a SIGHUP renews `in_force` and puts new processes in the place of the old.

    Source: https://gunicorn.org/reference/settings/
    """
    settings, reload = in_force.settings, _Reload(in_force)
    return {
        "bind": [_address(settings.host or EVERYWHERE, settings.port)],
        "workers": settings.web_concurrency,
        "threads": settings.web_threads,
        "worker_class": DeadlineWorker,
        "logger_class": SharedLogger,
        "loglevel": settings.log_level.lower(),
        "graceful_timeout": 25,  # of the 30 s in which everything has to have ended
        "timeout": 60,  # without a sign of life from the accepting loop: it waits for no request
        "keepalive": 15,
        "worker_connections": 500,  # with the database's, well below the usual limit of 1024 open files
        "limit_request_line": 4094,
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
        "header_map": "drop",  # X_Hub_Signature must not pass for X-Hub-Signature
        "forwarded_allow_ips": _believed_proxies(settings),
        "forwarder_headers": "",
        "worker_exit": _close_app,
        "child_exit": _counting_without(settings.metrics_folder),
        "accesslog": None,
        "control_socket_disable": True,
        "when_ready": reload.arbiter_is_ready,
        "on_reload": reload.arbiter_reloads,
        "post_worker_init": reload.child_is_ready,
        "on_exit": reload.arbiter_ends,
    }


class _Reload:
    """What gunicorn's arbiter, and the children that it forks, do about a SIGHUP.

    A refused file costs nothing but new children with the old settings: the arbiter cannot be told to stay as it is.
    """

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        #: gunicorn's number of the first child with the new settings: the one that tells.
        self._teller: int | None = None

    def arbiter_is_ready(self, _arbiter: object) -> None:
        self._in_force.sign_in()

    def arbiter_reloads(self, arbiter: Any) -> None:
        """Called before new children are forked."""
        self._teller = None
        if self._in_force.renew():
            self._teller = arbiter.worker_age + 1
            arbiter.cfg.set("forwarded_allow_ips", _believed_proxies(self._in_force.settings))

    def child_is_ready(self, worker: Any) -> None:
        if worker.age == self._teller:
            self._in_force.settle(worker.wsgi.extensions["bridge"].wiring)

    def arbiter_ends(self, _arbiter: object) -> None:
        self._in_force.leave()


def _believed_proxies(settings: Settings) -> str:
    return ",".join(str(network) for network in settings.server.trusted_proxies)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _counting_without(folder: Path | None) -> Callable[[object, Any], None]:
    """What a child that has ended said of the present counts no more; what it has counted stays."""

    def forget(_arbiter: object, worker: Any) -> None:
        if folder is not None:
            from prometheus_client.multiprocess import mark_process_dead  # only now: see `telemetry.metrics`

            mark_process_dead(worker.pid, path=str(folder))  # type: ignore[no-untyped-call]

    return forget


def _close_app(_arbiter: object, worker: Any) -> None:
    app = getattr(worker, "wsgi", None)
    if isinstance(app, Flask):
        app.extensions["bridge"].close()
