"""``ganblocks import``: a run folder from another framework's weights."""

from __future__ import annotations

from ganblocks.cli.commands import ImportOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.recipes import naming_file, read
from ganblocks.errors import UsageError
from ganblocks.training.importing import Settled
from ganblocks.training.importing import import_weights as write_run
from ganblocks.values import Player

STALE = 0.01
"""How far σ moves, as a share of it, where u and v are those of the last step before the weights were saved."""


def import_weights(context: Context, options: ImportOptions) -> None:
    """Write a run folder from weights of another framework."""
    registry, out = context.registry(), options.out
    named = {Player.GENERATOR: options.generator, Player.DISCRIMINATOR: options.discriminator}
    files = {player: file for player, file in named.items() if file is not None}
    if not files:
        raise UsageError("name a file with --generator, --discriminator, or both")
    with naming_file(options.recipe):
        settled = write_run(read(registry, options), registry, options.layout, files, out)
    for player, change in settled.items():
        say(words(player, change))
    say(f"{' and '.join(files)} imported; to sample: ganblocks sample {out}; to train further: --init-from {out}")
    print(out)


def words(player: Player, settled: Settled) -> str:
    """How far the spectral norms of an imported network moved."""
    if not settled.layers:
        return f"{player}: no layer stands under spectral norm"
    moved = f"{player}: spectral norm of {settled.layers} layers settled; σ moved by at most {settled.moved:.2%}"
    if settled.moved <= STALE:
        return moved
    return f"{moved} ({settled.path}): u and v of the file did not belong to its weights, and samples differ from those there"
