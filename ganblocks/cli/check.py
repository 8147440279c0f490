"""``ganblocks check``: what a recipe costs and what would go wrong, in seconds, without training.

The data is looked at only when it is asked for: ``--data``, or a folder in place of a recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from ganblocks.assembly import check as check_recipe
from ganblocks.cli.commands import CheckOptions
from ganblocks.cli.context import Context
from ganblocks.cli.data_report import found_in, plain, plain_classes, refuse_fatal, show, show_classes
from ganblocks.cli.output import print_json, print_table
from ganblocks.cli.recipes import blaming, read
from ganblocks.errors import RecipeError, UsageError
from ganblocks.kinds.component_capabilities import Inspects
from ganblocks.options import unstructure
from ganblocks.options.words import shown
from ganblocks.recipe import Recipe
from ganblocks.registry import Registry
from ganblocks.summary import NetworkCost, network_costs
from ganblocks.values import Facts, Player

ADAM_COPIES = 4
"""Numbers held per parameter while training: itself, its gradient, and Adam's two moments."""


def check(context: Context, options: CheckOptions) -> None:
    """Raise RecipeError for the recipe, and with ``data`` DataError for the images."""
    registry, path, ablation, data = context.registry(), options.recipe, options.ablation, options.data
    if path.is_dir():
        _refuse_changes(options)
        check_folder(registry, path, options.as_json)
        return
    recipe = read(registry, options)
    with blaming(path):
        for name in recipe.ablation if ablation is None else ():
            _check_ablation(registry, options, name)
        facts = check_recipe(recipe, registry)
        costs = network_costs(recipe, facts.image)
    findings, classes = found_in(recipe.data.dataset) if data else ([], ())
    if options.as_json:
        inspected = {"data": plain(findings), "class_counts": plain_classes(classes)} if data else {}
        print_json({"recipe": str(path), "ablation": ablation, **document(recipe, facts, costs), **inspected})
    else:
        for player, network in costs.items():
            _print_network(player, network)
        _print_totals(recipe, costs)
        show(findings)
        show_classes(classes)
    refuse_fatal(findings)
    if not options.as_json:
        looked = "recipe and data" if data else "the data was not looked at: add --data"
        print(f"{path}: fine" + (f", with ablation {ablation}" if ablation else "") + f" ({looked})")


def _check_ablation(registry: Registry, options: CheckOptions, name: str) -> None:
    try:
        check_recipe(read(registry, attrs.evolve(options, ablation=name)), registry)
    except RecipeError as error:
        raise error.in_ablation(name) from error


def _refuse_changes(options: CheckOptions) -> None:
    """Raise UsageError for options that change a recipe, where there is none."""
    given = [name for name, value in (("--set", options.sets), ("--ablation", options.ablation)) if value not in (None, [])]
    if given:
        fix = f"leave {' and '.join(given)} out, or name a recipe that reads it, with --data"
        raise UsageError(f"{options.recipe}: is a folder of images, and not a recipe with values to change; {fix}")


def check_folder(registry: Registry, path: Path, as_json: bool) -> None:
    """Inspect a folder as the data sets would that know such files. Raises UsageError where none does."""
    offers = [(offer, offer.resolve()) for offer in registry.offers("dataset")]
    suggested = [(offer.name, cls.at(path)) for offer, cls in offers if issubclass(cls, Inspects)]
    known = [(name, dataset) for name, dataset in suggested if dataset is not None]
    if not known:
        raise UsageError(f"{path}: is a folder, and no installed data set knows such files; name a recipe")
    findings = [(name, dataset, *found_in(dataset)) for name, dataset in known]
    if as_json:
        inspected = [{"data": plain(found), "class_counts": plain_classes(classes)} for _, _, found, classes in findings]
        options_of = ({"use": name, **unstructure(dataset, registry.name_of)} for name, dataset, _, _ in findings)
        print_json([one | other for one, other in zip(options_of, inspected, strict=True)])
    for name, dataset, found, classes in findings:
        if not as_json:
            options = ", ".join(f"{key} = {shown(value)}" for key, value in unstructure(dataset, registry.name_of).items())
            print(f"inspected as: use = {shown(name)}, {options}")
            show(found)
            show_classes(classes)
        refuse_fatal(found)
    if not as_json:
        print(f"{path}: fine")


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
