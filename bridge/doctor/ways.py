"""The ways in and out: destinations, Genesys, our own port. It may not send a request but for a token."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from requests import RequestException

from bridge.clock import Clock
from bridge.destinations.deadline import Deadline
from bridge.destinations.trouble import EgressRefused, NameNotFound, TlsFailed, Trouble
from bridge.destinations.wire import target_of
from bridge.destinations.wiring import dialer_for
from bridge.doctor.finding import Finding, fail, ok
from bridge.errors import ConfigurationError
from bridge.genesys import AuthenticationFailed, GenesysClient, GenesysError
from bridge.settings.model import DestinationSettings, Settings

AT_ONCE = 8
SECONDS = 5.0
_REMEDIES: dict[type[Trouble], str] = {
    EgressRefused: "correct the url, or allow what the sentence names if it is meant",
    NameNotFound: "correct the host name in the url, or this machine's name server",
    TlsFailed: "have the certificate renewed, or name its authority in ca_bundle; check the clock",
}
_NO_CONNECTION = "check that the receiver runs, and firewalls and routes between here and there"
_LOOPBACK = "127.0.0.1"


def destinations(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """One finding per destination that has an address of its own; several at once, none for longer than SECONDS."""
    with_address = [one for one in settings.destinations.values() if _address(one)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(lambda one: _destination(one, clock), with_address)


def genesys(settings: Settings, clock: Clock) -> Finding:
    if settings.genesys.client_id is None:
        return ok("genesys", "no organisation is configured: commands are refused")
    try:
        GenesysClient(settings.genesys, clock=clock).sign_in()
    except ConfigurationError as wrong:
        return fail("genesys", "; ".join(wrong.problems), "correct [genesys], or the GENESYS_ variables")
    except AuthenticationFailed:
        remedy = (
            "correct GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET, or the client in Genesys Admin, Integrations, OAuth"
        )
        return fail("genesys", "Genesys does not accept the credentials", remedy)
    except GenesysError as failed:
        return fail("genesys", f"no access token is to be had: {failed}", "check GENESYS_REGION and the way to it")
    return ok("genesys", "Genesys accepts the credentials")


def port(settings: Settings) -> Finding:
    """Free, or ours."""
    host = settings.host or _LOOPBACK
    asked = _LOOPBACK if host in ("0.0.0.0", "::") else host  # noqa: S104 (compared, not bound)
    if _is_ours(asked, settings.port):
        return ok("port", f"our web process answers on port {settings.port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, settings.port), family=family):
            return ok("port", f"port {settings.port} is free: web does not run here now")
    except OSError as taken:
        found = f"cannot listen on {host} port {settings.port} ({taken.strerror}), and it is not our web that does"
        return fail("port", found, "say another with PORT or HOST, or end what listens there")


def _address(settings: DestinationSettings) -> str | None:
    return settings.url or settings.endpoint_url


def _destination(settings: DestinationSettings, clock: Clock) -> Finding:
    check = f"destination {settings.name}"
    try:
        target = target_of(_address(settings) or "")
        dialer = dialer_for(settings, clock=clock)
        with closing(dialer.open(target, Deadline(min(SECONDS, settings.timeout), clock))):
            over = "TLS" if target.scheme == "https" else "TCP, without TLS,"
            return ok(check, f"{over} to {target.host} port {target.port} stands")
    except Trouble as trouble:
        return fail(check, str(trouble), _REMEDIES.get(type(trouble), _NO_CONNECTION))
    except ConfigurationError as wrong:
        return fail(check, "; ".join(wrong.problems), "correct it, then `bridge check`")
    except RequestException as wrong:
        return fail(check, str(wrong), f"correct destinations.{settings.name}.url")


def _is_ours(host: str, number: int) -> bool:
    connection = http.client.HTTPConnection(host, number, timeout=SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status == 200 and json.loads(answer.read(1024)) == {"status": "alive"}
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
