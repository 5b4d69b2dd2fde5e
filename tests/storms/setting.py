"""Sets the scene of a storm: database, receivers, processes, all on this machine. It may not harm any of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bridge import migrate
from bridge.database import Database, open_database
from tests.journeys.site import KEY, SECRET, SIGNING_SECRET
from tests.processes import free_port
from tests.storms import clock_shim, listeners, power, shims
from tests.storms.account import Account
from tests.storms.clock_shim import MovableClock
from tests.storms.databases import POSTGRES, SQLITE, Grounds, MortalPostgres, SqliteFile, mortal_postgres
from tests.storms.fleet import Fleet, Post
from tests.storms.listeners import Listener
from tests.storms.network import Network, network
from tests.storms.nursery import Nursery
from tests.storms.power import PowerJournal
from tests.storms.reasons import NotHere
from tests.storms.scene import Scene

_HANDED_ON = ("PATH", "HOME", "LANG", "TMPDIR")
#: More than the bridge wants to see free (256 MiB), so that it takes anything at all.
_DISK = "400m"
_HOSTS = ("a", "b")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """On which database, with how many processes, towards what receivers."""

    #: `sqlite` or `postgresql`.
    kind: str
    webs: int = 1
    workers: int = 2
    #: Command to module of a planted bug.
    plants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: Seconds.
    timeout: float = 1.5
    lease: float = 3.0
    receivers_take: float = 0.0
    in_flight: int = 16
    #: The supervisor keeps the listening sockets, so that nobody is refused while a web process starts again.
    keeps_listeners: bool = False


@contextmanager
def set_scene(
    setting: Setting, nemeses: Sequence[str], folder: Path, nursery: Nursery | None = None
) -> Iterator[Scene]:
    """Everything migrated, started and up; by `nursery` where it is given and will do.

    With `cut-off-host` among the nemeses every web process and every worker is on one of two hosts.
    Raises PostgresMissing.
    """
    with ExitStack() as stack:
        ears = [listeners.erp(seconds=setting.receivers_take), listeners.crm(seconds=setting.receivers_take)]
        for one in ears:
            stack.enter_context(one.receiver)
        grounds = stack.enter_context(_grounds(setting, folder, small="fill-disk" in nemeses))
        (folder / "bridge.toml").write_text(_configuration(setting, ears))
        database = _migrated(grounds)
        stack.callback(database.close)
        props = _props(setting, nemeses, grounds, folder, stack)
        if props.preloads or nursery is None:
            nursery = Nursery(props.preloads)
            stack.callback(nursery.close)
        fleet = Fleet(nursery, folder, _posts(setting, grounds, props))
        stack.callback(fleet.close)
        if props.network is not None:
            _lay(props.network, grounds, ears, fleet)
        fleet.start()
        yield Scene(
            fleet=fleet,
            grounds=grounds,
            database=database,
            listeners={one.name: one for one in ears},
            account=Account(),
            folder=folder,
            environment=_environment(grounds.own_url),
            lease=setting.lease,
            calm=threading.Event(),
            network=props.network,
            power=props.power,
            clocks=props.clocks,
            lacking=props.lacking,
        )


def _migrated(grounds: Grounds) -> Database:
    database = open_database(grounds.own_url)
    migrate.upgrade(database)
    database.close()  # so that a SQLite database is in its one file, and nobody has it open
    return database


@dataclass
class _Props:
    """What only some nemeses need; `lacking` says by their names why they cannot have it here."""

    clocks: dict[str, MovableClock] = field(default_factory=dict)
    power: PowerJournal | None = None
    network: Network | None = None
    #: Environment of the bridge's processes.
    preloads: dict[str, str] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)


def _props(setting: Setting, nemeses: Sequence[str], grounds: Grounds, folder: Path, stack: ExitStack) -> _Props:
    props = _Props()
    builders = {
        "jump-clock": lambda: _add_clocks(props, setting, folder),
        "cut-power": lambda: _add_power(props, grounds, folder),
        "cut-off-host": lambda: _add_network(props, stack),
    }
    for name in nemeses:
        try:
            builders.get(name, lambda: None)()
        except NotHere as why:
            props.lacking[name] = str(why)
    return props


def _add_clocks(props: _Props, setting: Setting, folder: Path) -> None:
    """One for the machine on SQLite, where the machine's clock is the database's; else one for every worker."""
    props.preloads["LD_PRELOAD"] = str(shims.build(clock_shim.NAME, folder))
    names = ["machine"] if setting.kind == SQLITE else [f"worker-{n + 1}" for n in range(setting.workers)]
    props.clocks = {name: MovableClock(folder / f"{name}.clock") for name in names}


def _add_power(props: _Props, grounds: Grounds, folder: Path) -> None:
    if not isinstance(grounds, SqliteFile):
        raise NotHere("only what SQLite writes is noted")
    props.preloads["LD_PRELOAD"] = str(shims.build(power.NAME, folder))
    props.power = PowerJournal(grounds.file, folder)
    props.preloads["POWER_JOURNAL"] = str(props.power.path)


def _add_network(props: _Props, stack: ExitStack) -> None:
    props.network = stack.enter_context(network(_HOSTS))


@contextmanager
def _grounds(setting: Setting, folder: Path, *, small: bool) -> Iterator[Grounds]:
    if setting.kind == POSTGRES:
        with mortal_postgres() as postgres:
            yield postgres
        return
    disk = folder / "disk"
    disk.mkdir()
    mounted = small and _mount(disk)
    try:
        yield SqliteFile(disk)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", disk], check=False)


def _mount(disk: Path) -> bool:
    """A small file system of its own at `disk`, where that may be done."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(disk)]
    return (
        shutil.which("mount") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def _configuration(setting: Setting, ears: Sequence[Listener]) -> str:
    lines = [
        "[sources.genesys]",
        'format = "genesys"',
        'verify = { scheme = "hub-sha256", secrets = ["env:WEBHOOK_SECRET"] }',
    ]
    for one in ears:
        lines += [
            f"[destinations.{one.name}]",
            f'kind = "{one.name}"',
            f'url = "{one.receiver.url}/hooks"',
            'signing_secrets = ["env:SIGNING_SECRET"]',
            "allow_local = true",
            f"timeout = {setting.timeout}",
            f"lease_seconds = {setting.lease}",
            f"max_in_flight = {setting.in_flight}",
            "retry = { base = 0.05, cap = 0.4 }",
            "breaker = { failures = 50, cooldown = 0.5 }",
        ]
    return "\n".join(lines) + "\n"


def _posts(setting: Setting, grounds: Grounds, props: _Props) -> list[Post]:
    posts = []
    for command, count in (("web", setting.webs), ("worker", setting.workers)):
        for number in range(count):
            name = f"{command}-{number + 1}"
            host = _HOSTS[number % len(_HOSTS)]
            clock = props.clocks.get("machine", props.clocks.get(name))
            listener = _listener() if command == "web" and setting.keeps_listeners else None
            posts.append(
                Post(
                    name=name,
                    command=command,
                    environment=_environment(_url(grounds, props.network, host)),
                    port=_port(command, listener),
                    listener=listener,
                    plant=setting.plants.get(command),
                    clock=clock.path if clock is not None else None,
                    namespace=props.network.namespace(host) if props.network is not None else None,
                )
            )
    return posts


def _listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=512)


def _port(command: str, listener: socket.socket | None) -> int:
    if listener is not None:
        return int(listener.getsockname()[1])
    return free_port() if command == "web" else 0


def _url(grounds: Grounds, cables: Network | None, host: str) -> str:
    if cables is None:
        return grounds.url
    return grounds.own_url.replace("127.0.0.1", cables.address_of_database(host))


def _lay(cables: Network, grounds: Grounds, ears: Sequence[Listener], fleet: Fleet) -> None:
    """Make reachable what has to be: the database behind the cables, receivers and web processes on loopback."""
    assert isinstance(grounds, MortalPostgres)
    cables.serve_database(grounds.port)
    for one in ears:
        cables.serve_receiver(one.receiver.port)
    for number, web in enumerate(fleet.webs):
        cables.open_door(_HOSTS[number % len(_HOSTS)], web.port)


def _environment(database_url: str) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in _HANDED_ON if name in os.environ},
        "HOST": "127.0.0.1",
        "DATABASE_URL": database_url,
        "WEBHOOK_SECRET": SECRET,
        "SIGNING_SECRET": SIGNING_SECRET,
        "BRIDGE_SECRET_KEY": KEY,
    }
