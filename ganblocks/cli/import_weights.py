"""``ganblocks import``: a run folder from another framework's weights."""

from __future__ import annotations

from pathlib import Path

from ganblocks.cli.context import Context, say
from ganblocks.cli.recipes import blaming, read
from ganblocks.errors import UsageError
from ganblocks.training.importing import import_weights as write_run
from ganblocks.values import Player


def import_weights(
    context: Context,
    path: Path,
    sets: list[str],
    ablation: str | None,
    layout: str,
    generator: Path | None,
    discriminator: Path | None,
    out: Path,
) -> None:
    registry = context.registry()
    named = {Player.GENERATOR: generator, Player.DISCRIMINATOR: discriminator}
    files = {player: file for player, file in named.items() if file is not None}
    if not files:
        raise UsageError("name a file with --generator, --discriminator, or both")
    with blaming(path):
        write_run(read(registry, path, sets, ablation), registry, layout, files, out)
    say(f"{' and '.join(files)} from {layout}: sample with `ganblocks sample {out}`, or start from it with --init-from {out}")
    print(out)
