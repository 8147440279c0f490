"""``ganblocks check``: what a recipe costs and what would go wrong, in seconds, without training and without the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import torch

from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.assembly import check as check_recipe
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table
from ganblocks.cli.recipes import blaming, read
from ganblocks.recipe import Recipe
from ganblocks.summary import NetworkCost, cost
from ganblocks.values import Facts, ImageSpec, Player

ADAM_COPIES = 4
"""Numbers held per parameter while training: itself, its gradient, and Adam's two moments."""


def check(context: Context, path: Path, sets: list[str], ablation: str | None, as_json: bool) -> None:
    registry = context.registry()
    recipe = read(registry, path, sets, ablation)
    with blaming(path):
        for name in recipe.ablation if ablation is None else ():
            check_recipe(read(registry, path, sets, name), registry)
        facts = check_recipe(recipe, registry)
    costs = network_costs(recipe, facts.image)
    if as_json:
        print_json({"recipe": str(path), "ablation": ablation, **document(recipe, facts, costs)})
        return
    for player, network in costs.items():
        _print_network(player, network)
    _print_totals(recipe, costs)
    print(f"{path}: fine" + (f", with ablation {ablation}" if ablation else ""))


def network_costs(recipe: Recipe, image: ImageSpec) -> dict[Player, NetworkCost]:
    """Both networks' costs, at the batch that goes through them at once."""
    batch = 2 * (recipe.training.microbatch or recipe.training.batch)
    with torch.device("meta"):
        label = torch.zeros(batch, dtype=torch.int64) if image.classes else None
        latent = torch.empty(batch, recipe.generator.latent)
        picture = torch.empty(batch, image.channels, image.size, image.size)
        return {
            Player.GENERATOR: cost(build_generator(recipe, image, seed=0), latent, label),
            Player.DISCRIMINATOR: cost(build_discriminator(recipe, image, seed=0), picture, label),
        }


def document(recipe: Recipe, facts: Facts, costs: dict[Player, NetworkCost]) -> dict[str, Any]:
    """Everything that the tables say, as plain values."""
    uses = [{"path": use.path, "kind": use.kind, "name": use.name} for use in facts.uses]
    networks = {str(player): attrs.asdict(network) for player, network in costs.items()}
    return {"title": recipe.title, "image": attrs.asdict(facts.image), "components": uses, "networks": networks}


def _print_network(player: Player, network: NetworkCost) -> None:
    rows = [
        (
            ("  " if "." in block.name else "") + block.name,
            block.kind,
            *_numbers(block.parameters, block.flops, block.activations),
        )
        for block in network.blocks
    ]
    rows.append(("total", "", *_numbers(network.parameters, network.flops, network.activations)))
    columns = ("block", "module", "parameters", "FLOPs / image", "kept for backward / image")
    print_table(columns, rows, title=str(player), right=(2, 3, 4))


def _print_totals(recipe: Recipe, costs: dict[Player, NetworkCost]) -> None:
    """The memory of a training step: weights, gradients and moments, and one forward of both networks at a time."""
    settings = recipe.training
    together = settings.microbatch or settings.batch
    generator, discriminator = costs[Player.GENERATOR], costs[Player.DISCRIMINATOR]
    state = (generator.parameters + discriminator.parameters) * 4 * ADAM_COPIES + generator.parameters * 4
    activations = (generator.activations + 2 * discriminator.activations) * together
    steps = -(-settings.images // settings.batch)
    print(f"{settings.images:,} images in batches of {settings.batch}: about {steps:,} discriminator steps")
    batch = f"up to {_bytes(activations)} for a batch of {together} in float32"
    print(f"memory: {_bytes(state)} for weights, gradients, moments and the average, {batch}")


def _numbers(parameters: int, flops: int, activations: int) -> tuple[str, str, str]:
    return f"{parameters:,}", _flops(flops), _bytes(activations)


def _flops(count: int) -> str:
    return f"{count / 1e9:.2f} G" if count >= 1e9 else f"{count / 1e6:.2f} M"


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.0f} KiB"
