"""`bridge web`. It may not know a route."""

from __future__ import annotations

import click

from bridge.cli.metrics_folder import counting_together
from bridge.cli.opened import opened_bridge
from bridge.cli.options import address_options, with_address
from bridge.settings import Settings, read_settings
from bridge.supervisor import hold_lifeline


@click.command("web")
@address_options
@click.option("--lifeline", type=int, hidden=True, help="Stop when the other end of this pipe is closed.")
def command(host: str | None, port: int | None, lifeline: int | None) -> None:
    """Receive webhooks and answer the API, until SIGTERM or Ctrl-C; a SIGHUP applies an edited bridge.toml.

    Listens on HOST:PORT (0.0.0.0:8000), with WEB_THREADS threads in each of WEB_CONCURRENCY processes.
    """

    def read() -> Settings:
        return with_address(read_settings(), host, port)

    settings = read()
    with opened_bridge(settings) as bridge:
        bridge.require_current()  # refused here with one line, not by each child in gunicorn's words
    if lifeline is not None:
        hold_lifeline(lifeline)
    with counting_together(settings, of_several=settings.web_concurrency > 1):
        from bridge.reloading.in_force import InForce  # only now: see `counting_together`
        from bridge.web.serve import run_web

        run_web(InForce("web", read))
