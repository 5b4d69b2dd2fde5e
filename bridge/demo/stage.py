"""The demo's stage: receivers that listen, and the bridge's real processes, in a folder of their own.

It may not read the surrounding environment or configuration: nothing of a bridge that runs here already is touched.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests

from bridge.clock import Clock
from bridge.demo.api import Api
from bridge.demo.calling import direct_session
from bridge.demo.failing import DemoFailed
from bridge.demo.folder import (
    CLIENT_SECRET,
    WEBHOOK_SECRET,
    Tokens,
    environment_of,
    prepare_database,
    write_configuration,
    write_secrets,
)
from bridge.demo.organisation import Organisation
from bridge.demo.programs import Programs
from bridge.demo.receivers import LOOPBACK, Receiver
from bridge.demo.subjects import read_audit_entry, read_crm_body, read_erp_body
from bridge.demo.webhooks import Genesys

READY_SECONDS: Final = 30.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class People:
    """Who uses the bridge's API, each with a token of their own."""

    #: An operator.
    olga: Api
    #: The same person with the token of an approver.
    olga_as_approver: Api
    #: An approver.
    anton: Api
    #: What the other systems' teams send commands with.
    erp_team: Api
    crm_team: Api


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Everything that the story plays with."""

    folder: Path
    programs: Programs
    #: Posts webhooks, as the real one would.
    genesys: Genesys
    #: Takes commands, as the real one would.
    organisation: Organisation
    people: People
    erp: Receiver
    crm: Receiver
    governance: Receiver
    #: With which the signatures of audit entries are verified.
    public_key: str

    @property
    def api(self) -> Api:
        return self.people.olga


@contextmanager
def set_stage(clock: Clock, *, keep: bool, receiver: type[Receiver] = Receiver) -> Iterator[Stage]:
    """A running bridge in a temporary folder. All of it is gone when the block is left, but for the folder with `keep`.

    Raises DemoFailed where a process does not start.
    """
    with ExitStack() as closing:
        folder = Path(tempfile.mkdtemp(prefix="bridge-demo-"))
        if not keep:
            closing.callback(shutil.rmtree, folder, ignore_errors=True)
        keys = write_secrets(folder)
        erp = closing.enter_context(receiver("ERP", read_erp_body, keys.erp, clock=clock))
        crm = closing.enter_context(receiver("CRM", read_crm_body, keys.crm, clock=clock))
        governance = closing.enter_context(receiver("governance", read_audit_entry, keys.governance, clock=clock))
        url, organisation_url = (f"http://{LOOPBACK}:{port}" for port in _free_ports(2))
        write_configuration(
            folder, genesys_url=organisation_url, erp_url=erp.url, crm_url=crm.url, governance_url=governance.url
        )
        environment = environment_of(folder, url)
        programs = closing.enter_context(Programs(folder, environment, clock=clock))
        programs.start("genesys", *_stand_in(url, organisation_url))
        prepared = prepare_database(environment)
        programs.start("web", "bridge.cli", "web")
        programs.start("worker", "bridge.cli", "worker")
        # Closed before the processes are stopped: the web process waits a while for connections that may be used again.
        session = closing.enter_context(direct_session())
        _wait_ready(session, [f"{url}/readyz", f"{organisation_url}/_sandbox/faults"], programs, clock)
        yield Stage(
            folder=folder,
            programs=programs,
            genesys=Genesys(session, url, keys.genesys, clock),
            organisation=Organisation(session, organisation_url),
            people=_people(session, url, prepared.tokens),
            erp=erp,
            crm=crm,
            governance=governance,
            public_key=prepared.public_key,
        )


def _people(session: requests.Session, url: str, tokens: Tokens) -> People:
    return People(
        olga=Api(session, url, tokens.operator),
        olga_as_approver=Api(session, url, tokens.operator_as_approver),
        anton=Api(session, url, tokens.approver),
        erp_team=Api(session, url, tokens.erp_sender),
        crm_team=Api(session, url, tokens.crm_sender),
    )


def _stand_in(url: str, organisation_url: str) -> list[str]:
    return [
        "bridge.demo.stand_in",
        *("--port", str(urlsplit(organisation_url).port)),
        *("--client-secret-file", CLIENT_SECRET),
        *("--webhook-url", f"{url}/webhooks/genesys"),
        *("--webhook-secret-file", WEBHOOK_SECRET),
    ]


def _free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on at this moment."""
    with ExitStack() as closing:
        listeners = [closing.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def _wait_ready(session: requests.Session, urls: Sequence[str], programs: Programs, clock: Clock) -> None:
    deadline = clock.monotonic() + READY_SECONDS
    while not all(_is_ready(session, url) for url in urls):
        programs.require_running()
        if clock.monotonic() > deadline:
            raise DemoFailed(f"the bridge was not ready after {READY_SECONDS:g} s: is this machine very busy?")
        time.sleep(_LOOK_SECONDS)


def _is_ready(session: requests.Session, url: str) -> bool:
    try:
        return session.get(url, timeout=2).ok
    except requests.RequestException:
        return False
