"""``ganblocks check``: the cost of a recipe, and errors that training would meet, without training.

It reads the images only with ``--data``, or if it is given a folder instead of a recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from ganblocks.assembly import check as check_recipe
from ganblocks.cli.commands import CheckOptions
from ganblocks.cli.context import Context
from ganblocks.cli.data_report import inspect_data, refuse_fatal, report, show_report
from ganblocks.cli.output import print_json, print_table
from ganblocks.cli.recipes import naming_file, read
from ganblocks.errors import RecipeError, UsageError
from ganblocks.kinds.component_capabilities import Inspects
from ganblocks.options import unstructure
from ganblocks.options.words import shown
from ganblocks.recipe import Recipe
from ganblocks.recipe.ablation import toml_value
from ganblocks.registry import Registry
from ganblocks.summary import NetworkCost, network_costs
from ganblocks.training.run_folder import RECIPE
from ganblocks.values import Facts, Player

ADAM_COPIES = 4
"""Numbers held per parameter while training: itself, its gradient, and Adam's two moments."""


def check(context: Context, options: CheckOptions) -> None:
    """Raise RecipeError for the recipe, and with ``data`` DataError for the images."""
    registry = context.registry()
    if options.recipe.is_dir():
        _refuse_recipe_options(options)
        check_folder(registry, options)
        return
    if options.size is not None:
        raise UsageError("--size is for a folder of images", "write --set data.size=…")
    recipe = read(registry, options)
    with naming_file(options.recipe):
        for name in recipe.ablation if options.ablation is None else ():
            _check_ablation(registry, options, name)
        facts = check_recipe(recipe, registry)
        costs = network_costs(recipe, facts.image)
    findings, classes = inspect_data(recipe.data.dataset) if options.data else ([], ())
    if options.as_json:
        inspected = report(findings, classes) if options.data else {}
        print_json({"recipe": str(options.recipe), "ablation": options.ablation, **document(recipe, facts, costs), **inspected})
    else:
        for player, network in costs.items():
            _print_network(player, network)
        _print_totals(recipe, costs)
        show_report(findings, classes)
    refuse_fatal(findings)
    if not options.as_json:
        ablation = f", with ablation {options.ablation}" if options.ablation else ""
        checked = "recipe and data" if options.data else "the images were not checked: add --data"
        print(f"{options.recipe}: fine{ablation} ({checked})")


def _check_ablation(registry: Registry, options: CheckOptions, name: str) -> None:
    try:
        check_recipe(read(registry, attrs.evolve(options, ablation=name)), registry)
    except RecipeError as error:
        raise error.in_ablation(name) from error


def _refuse_recipe_options(options: CheckOptions) -> None:
    """Raise UsageError for a run folder, and for options that change a recipe."""
    path = options.recipe
    if (path / RECIPE).is_file():
        reading = " or ".join(f"ganblocks {command} {path}" for command in ("evaluate", "sample", "resume"))
        raise UsageError(f"{path}: is a run folder", f"use {reading}; or check its recipe: ganblocks check {path / RECIPE}")
    given = [name for name, value in (("--set", options.sets), ("--ablation", options.ablation)) if value not in (None, [])]
    if given:
        fix = f"leave {' and '.join(given)} out, or name a recipe that reads it, with --data"
        raise UsageError(f"{path}: is a folder of images, and not a recipe with values to change", fix)


def check_folder(registry: Registry, options: CheckOptions) -> None:
    """Inspect a folder with every data set that reads such files. Raise UsageError if there is none."""
    datasets = list(_datasets_at(registry, options))
    if not datasets:
        raise UsageError(f"{options.recipe}: is a folder, and no installed data set reads its files", "name a recipe")
    inspected = [(use, dataset, *inspect_data(dataset)) for use, dataset in datasets]
    if options.as_json:
        print_json([{**use, **report(findings, classes)} for use, _, findings, classes in inspected])
    for use, _, findings, classes in inspected:
        if not options.as_json:
            print("inspected as " + ", ".join(f"{key} = {shown(value)}" for key, value in use.items()))
            show_report(findings, classes)
        refuse_fatal(findings)
    if not options.as_json:
        sized = options.size is None and any("size" in use for use, *_ in inspected)
        print(f"{options.recipe}: fine" + (" (to check for another size of training: --size PIXELS)" if sized else ""))


def _datasets_at(registry: Registry, options: CheckOptions) -> Iterator[tuple[dict[str, Any], Any]]:
    """Iterate over (its table in a recipe, data set) of the data sets that read the files of a folder."""
    for offer in registry.offers("dataset"):
        cls = offer.resolve()
        dataset = cls.at(options.recipe) if issubclass(cls, Inspects) else None
        if dataset is not None:
            table = unstructure(dataset, registry.name_of)
            if options.size is not None and "size" in table:
                table["size"] = toml_value(options.size)
                dataset = registry.create("dataset", offer.full_name, **table)
            yield {"use": registry.short_name(offer), **table}, dataset


def document(recipe: Recipe, facts: Facts, costs: dict[Player, NetworkCost]) -> dict[str, Any]:
    """Return what the tables show, as plain values."""
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
    """Print the memory of a training step: weights, gradients, moments, and the activations of both networks."""
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
