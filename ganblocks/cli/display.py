"""Show the progress of a run: a live table on a terminal, ten lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganblocks.training.loop import Watch

WINDOW = 50
"""Steps over which speed and losses are averaged."""
REFRESH = 0.25
"""Seconds between two updates of the table."""
LINES = 10
"""Lines per run if there is no terminal."""


class Progress:
    """The last records of a run, as text."""

    def __init__(self, images: int) -> None:
        self.images = images
        self.records: deque[dict[str, Any]] = deque(maxlen=WINDOW)

    def add(self, record: dict[str, Any]) -> None:
        """Add the record of a step."""
        self.records.append(record)

    @property
    def seen(self) -> int:
        """Images seen so far."""
        return int(self.records[-1]["images"]) if self.records else 0

    def speed(self) -> float:
        """Return images per second over the window."""
        first, last = self.records[0], self.records[-1]
        if first is last:
            return float(last["images"]) / max(float(last["seconds"]), 1e-9)
        return float(last["images"] - first["images"]) / max(float(last["seconds"] - first["seconds"]), 1e-9)

    def mean(self, name: str) -> float | None:
        """Return the mean of a metric over the window; None if no record has it."""
        values = [record[name] for record in self.records if record.get(name) is not None]
        return sum(values) / len(values) if values else None

    def rows(self) -> Iterator[tuple[str, str]]:
        """Iterate over label and value of what is shown."""
        speed = self.speed()
        yield "images", f"{self.seen:,} of {self.images:,}"
        yield "speed", f"{speed:,.0f} images/s"
        yield "time left", duration((self.images - self.seen) / max(speed, 1e-9))
        yield "loss", self._pair("D", "discriminator/loss", "G", "generator/loss")
        yield "D's score", self._pair("real", "discriminator/real", "fake", "discriminator/fake")
        for name, value in self.records[-1].items():
            if name.startswith("gamma/"):
                yield f"γ {name.removeprefix('gamma/')} (live)", f"{value:+.4f}"

    def _pair(self, first: str, first_name: str, second: str, second_name: str) -> str:
        pairs = ((first, self.mean(first_name)), (second, self.mean(second_name)))
        return "   ".join(f"{label} {value:+.3f}" for label, value in pairs if value is not None)


def duration(seconds: float) -> str:
    """Return a duration in hours, minutes or seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@contextmanager
def show_progress(images: int, console: Console, quiet: bool = False) -> Iterator[Watch]:
    """A watch for :func:`ganblocks.run`: a live table where the console is a terminal, a line at every tenth elsewhere."""
    if quiet:
        yield lambda record: None
        return
    progress = Progress(images)
    if not console.is_terminal:
        yield lambda record: _print_line(progress, record, console)
        return
    with Live(console=console, auto_refresh=False) as live:
        drawn = [0.0]

        def watch(record: dict[str, Any]) -> None:
            progress.add(record)
            if (now := time.monotonic()) - drawn[0] >= REFRESH or progress.seen >= images:
                drawn[0] = now
                live.update(_table(progress), refresh=True)

        yield watch


def _table(progress: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("", ProgressBar(total=progress.images, completed=min(progress.seen, progress.images), width=40))
    for label, value in progress.rows():
        table.add_row(Text(label, style="dim"), Text(value))
    return table


def _print_line(progress: Progress, record: dict[str, Any], console: Console) -> None:
    before = progress.seen
    progress.add(record)
    if before * LINES // progress.images != progress.seen * LINES // progress.images:
        console.print("  ".join(f"{label} {value}" for label, value in progress.rows()), markup=False, soft_wrap=True)
