"""`bridge up`: everything that one machine needs, from an empty folder on. It may not serve or deliver by itself."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.error
import urllib.request

import click

from bridge import migrate
from bridge.cli.metrics_folder import counting_together
from bridge.cli.opened import opened_bridge, opened_database
from bridge.cli.options import address_options, with_address
from bridge.cli.welcome import first_token, welcome
from bridge.errors import ConfigurationError
from bridge.settings import Settings, initialise, read_settings
from bridge.supervisor import Program, Supervisor

LOOPBACK = "127.0.0.1"
_READY_SECONDS = 30


@click.command("up")
@address_options
def command(host: str | None, port: int | None) -> None:
    """Start everything on this machine, until SIGTERM or Ctrl-C; in an empty folder, set it up first.

    Upgrades the database, starts web and worker, and starts again what ends unasked. Listens on 127.0.0.1 unless HOST
    or --host says otherwise. A SIGHUP, or `bridge reload`, applies an edited bridge.toml.
    """
    configured = _configured()
    settings = with_address(configured, host, port)
    for warning in settings.warnings:
        _say(f"note: {warning}")
    address = settings.host or LOOPBACK
    _check_port(address, settings.port)
    with opened_database(settings) as database:
        migrate.upgrade(database)
    with opened_bridge(settings) as bridge:
        token = first_token(bridge)
    with counting_together(settings, of_several=True):
        _run(settings, address, token, default_port=Settings.port)


def _configured() -> Settings:
    settings = read_settings()
    if not settings.config_path.exists():
        written = initialise(settings.config_path.parent)
        _say(f"wrote {written.config} and {len(written.secrets)} secrets beside it")
        settings = read_settings()
    return settings


def _check_port(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.create_server((address, port), family=family):
            pass
    except OSError as taken:
        raise ConfigurationError(
            [f"PORT: cannot listen on {address} port {port} ({taken.strerror}); say another with --port"]
        ) from taken


def _run(settings: Settings, address: str, token: str | None, *, default_port: int) -> None:
    this = [sys.executable, "-m", "bridge.cli"]
    programs = [
        Program(name="web", command=[*this, "web", "--host", address, "--port", str(settings.port)]),
        Program(name="worker", command=[*this, "worker"]),
    ]
    supervisor = Supervisor(programs, _say)
    _take_signals(supervisor)
    shown = LOOPBACK if address in ("0.0.0.0", "::") else address  # noqa: S104 (compared, not bound)
    url = f"http://[{shown}]:{settings.port}" if ":" in shown else f"http://{shown}:{settings.port}"
    with supervisor:
        if supervisor.wait_until(lambda: _answers(url), seconds=_READY_SECONDS):
            click.echo(welcome(settings, url, token, default_port=default_port))
            supervisor.watch()
        _say("stopping")
    _say("stopped")


def _take_signals(supervisor: Supervisor) -> None:
    has_terminal = sys.stdin.isatty()

    def hang_up(_number: int, _frame: object) -> None:
        if has_terminal and terminal_is_gone(sys.stdin.fileno()):
            supervisor.stop()
        else:
            supervisor.pass_on(signal.SIGHUP)

    def stop(_number: int, _frame: object) -> None:
        supervisor.stop()

    for number, receive in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, hang_up)):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, receive)


def terminal_is_gone(descriptor: int) -> bool:
    """True where the window behind a terminal's descriptor was closed: that, too, sends a SIGHUP."""
    return not os.isatty(descriptor)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:  # noqa: S310 (always http)
            return bool(answer.status == 200)
    except OSError:
        return False


def _say(sentence: str) -> None:
    click.echo(f"bridge: {sentence}", err=True)
