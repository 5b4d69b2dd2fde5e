"""How the story looks: chapters, sentences, claims, a progress bar, the table. It may not decide what is told."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from bridge.demo.accounts import Account

_WIDEST = 88
_INDENT = "    "
_GAP = "  "


class Telling:
    """Tells on `console`: with colours and a bar on a terminal, in plain lines elsewhere, nothing where it is quiet."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST)
        self._chapters = 0
        is_utf8 = console.encoding.lower().startswith("utf")
        self._held, self._broken, self._line = ("✓", "✗", "─") if is_utf8 else ("+", "!", "-")
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20, complete_style="cyan", finished_style="green"),
            TextColumn("[dim]{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=console.quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("")

    @contextmanager
    def with_bar(self, *, chapters: int) -> Iterator[None]:
        """A bar below the story while the block runs; it is full after so many chapters."""
        self._bar.update(self._task, total=chapters + 1)
        with self._bar:
            yield

    def opening(self, title: str, text: str) -> None:
        self._print(title, style="bold")
        self._print(text)
        self._now("setting the stage")

    def chapter(self, title: str) -> None:
        self._chapters += 1
        self._now(title)
        self._console.print()
        self._console.print(Text.assemble((f"{self._chapters:>2}", "bold cyan"), "  ", (title, "bold")))

    def say(self, text: str) -> None:
        self._print(text, indent=_INDENT)

    def claim(self, text: str, *, held: bool) -> None:
        """A claim that was checked, and whether it held."""
        sign, style = (self._held, "green") if held else (self._broken, "red")
        first, *rest = textwrap.wrap(text, self._width - len(_INDENT) - 2)
        self._console.print(Text.assemble(_INDENT, (sign, f"bold {style}"), f" {first}", style="" if held else style))
        for line in rest:
            self._console.print(Text(f"{_INDENT}  {line}", style="" if held else style))

    def example(self, *lines: str) -> None:
        """Something as it went over the wire."""
        for line in lines:
            for part in textwrap.wrap(line, self._width - len(_INDENT) - 2, break_on_hyphens=False):
                self._console.print(Text(f"{_INDENT}  {part}", style="cyan"))

    def rows(self, *rows: Sequence[str]) -> None:
        """A small table within a chapter, as wide as its cells."""
        widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
        for row in rows:
            line = _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
            self._console.print(Text(f"{_INDENT}  {line}", style="cyan"), no_wrap=True, overflow="ellipsis")

    def account(self, account: Account) -> None:
        """The table at the end; what has to be zero, and is not, stands out."""
        self._now("counting")
        self._console.print()
        for section in _sections(account):
            self._console.print(Text(_INDENT + self._line * 48, style="dim"))
            for label, count, is_fault in section:
                style = "bold red" if is_fault and count else "green" if is_fault else ""
                self._console.print(Text.assemble(_INDENT, f"{label:<42}", (f"{count:>6}", style)))
        self._console.print(Text(_INDENT + self._line * 48, style="dim"))
        self._console.print()

    def verdict(self, faults: Sequence[str], seconds: float) -> None:
        if not faults:
            self._print(f"Every id is accounted for, and every claim held, in {seconds:.0f} s.", style="bold green")
            self._print("Yours next: `bridge up` in an empty folder, then say in its bridge.toml where your ERP is.")
            return
        self._print(f"This did not hold, in {seconds:.0f} s:", style="bold red")
        for fault in faults:
            self.claim(fault, held=False)

    def note(self, text: str) -> None:
        """Something beside the story. Never wrapped, so that a path in it can be copied."""
        self._console.print(Text(text), soft_wrap=True)

    def _now(self, text: str) -> None:
        self._bar.update(self._task, description=text, completed=self._chapters)

    def _print(self, text: str, *, indent: str = "", style: str = "") -> None:
        for line in textwrap.wrap(text, self._width - len(indent)):
            self._console.print(Text(indent + line, style=style))


def _sections(account: Account) -> list[list[tuple[str, int, bool]]]:
    """Label, count, and whether it has to be zero; by what was sent, what became of it, what may not be."""
    return [
        [
            ("webhooks sent", account.sent, False),
            ("  acknowledged with 202", account.acknowledged, False),
            ("  duplicates, answered 200", account.duplicates_refused, False),
            ("  forged, answered 401", account.forged_refused, False),
        ],
        [
            ("recorded", account.recorded, False),
            ("  delivered", account.delivered, False),
            ("  superseded by a newer version", account.superseded, False),
            ("  dead, then replayed and delivered", account.replayed, False),
        ],
        [
            ("commands to Genesys", account.commands, False),
            ("  carried out", account.carried_out, False),
        ],
        [
            ("came twice, recognised by the webhook-id", account.repeats_recognised, False),
            ("came twice, not recognised", account.doubled, True),
            ("came out of order", account.out_of_order, True),
            ("lost", account.lost, True),
        ],
    ]
