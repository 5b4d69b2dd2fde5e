"""`bridge init`. It may not overwrite anything."""

from __future__ import annotations

from pathlib import Path

import click

from bridge.cli.options import json_option
from bridge.cli.printing import print_json
from bridge.settings import initialise


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Write a commented bridge.toml into FOLDER (default: here), and generate its secrets beside it."""
    written = initialise(folder)
    if as_json:
        print_json({"config": str(written.config), "secrets": sorted(written.secrets)})
        return
    click.echo(f"wrote {written.config}: what may post to us, and whom we owe events")
    click.echo(f"wrote {len(written.secrets)} secrets into {folder / 'secrets'}: keep them out of version control")
    click.echo("next: say in bridge.toml where your ERP and CRM are, then `bridge check` and `bridge up`")
