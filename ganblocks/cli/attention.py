"""``ganblocks attention``: what the attention blocks of a run attend to."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganblocks.cli.commands import AttentionOptions
from ganblocks.cli.context import Context, say
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.errors import DataError, UsageError
from ganblocks.maps.figure import attention_figure, save_figure, summary_lines
from ganblocks.maps.of_run import Selection, discriminator_maps, generator_maps, no_maps
from ganblocks.maps.queries import given_queries, spread_queries
from ganblocks.maps.shown import ShownBlock, ShownNetwork, only_block
from ganblocks.maps.tensors import NAME, write_maps
from ganblocks.report.attention_view import attention_view, numbers_data
from ganblocks.report.page import render, write_page
from ganblocks.training.map_files import FOLDER, read_moments
from ganblocks.training.run import Run

PAGE = "index.html"
NETWORKS = ("generator", "discriminator")


def attention(context: Context, options: AttentionOptions) -> None:
    """Write a figure of each block, its maps and an interactive page. Raise UsageError, CheckpointError, DataError."""
    run = Run.open(options.run, context.registry())
    selection = Selection(n=options.n, class_=options.class_, seed=options.seed, files=tuple(options.image))
    networks = only_block(_networks(run, options, selection), options.block)
    _refuse_head(networks, options.head)
    folder = options.out or options.run / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = list(_figures(networks, options, folder))
        write_maps(folder / NAME, networks, {"title": run.recipe.title, "images_seen": run.images_seen})
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror or error}; name another folder with --out") from error
    write_page(folder / PAGE, _page(run, networks, selection))
    _print(networks, options.as_json, [folder / PAGE, *written, folder / NAME])


def _networks(run: Run, options: AttentionOptions, selection: Selection) -> list[ShownNetwork]:
    """Return the networks that have maps, of those that are asked for. Raise UsageError if there are none."""
    if options.network not in (None, *NETWORKS):
        raise UsageError(f"--network {options.network}: choose generator or discriminator")
    if selection.files and options.network == "generator":
        raise UsageError("--image: only the discriminator takes images; leave --network generator out")
    wanted = options.network or ("discriminator" if selection.files else None)
    networks = []
    if wanted != "discriminator":
        networks.append(generator_maps(run, selection, options.device))
    if wanted != "generator":
        networks.append(_discriminator(run, options, selection, required=wanted is not None))
    if not (shown := [network for network in networks if network is not None]):
        raise no_maps(run)
    return shown


def _discriminator(run: Run, options: AttentionOptions, selection: Selection, required: bool) -> ShownNetwork | None:
    """Return the discriminator's maps. Where its images are missing and it was not asked for, say so and return None."""
    try:
        return discriminator_maps(run, selection, options.device, options.data)
    except DataError as error:
        if required:
            raise
        say(printable(f"the discriminator is left out: {error}"))
        return None


def _refuse_head(networks: Sequence[ShownNetwork], head: int | None) -> None:
    """Raise UsageError if a block does not have the head."""
    for network in networks:
        for block in network.blocks:
            heads = block.attention.shape[1]
            if head is not None and head > heads:
                last = f"has heads 1 to {heads}" if heads > 1 else "has one head"
                raise UsageError(f"--head {head}: {block.path} {last}; choose another block with --block")


def _figures(networks: Sequence[ShownNetwork], options: AttentionOptions, folder: Path) -> Iterator[Path]:
    """Write a PNG and an SVG of each block, and yield their paths."""
    for network in networks:
        for block in network.blocks:
            queries = [_queries(network, block, row, options.queries) for row in range(len(network.images))]
            figure = attention_figure(network, block, queries, None if options.head is None else options.head - 1)
            for suffix in (".png", ".svg"):
                path = folder / f"{block.path}{suffix}"
                save_figure(figure, path)
                yield path


def _queries(network: ShownNetwork, block: ShownBlock, row: int, given: str | None) -> list[int]:
    """Return the queries of one image: given ones, or some that differ in colour and place."""
    image, grid = network.images[row], block.queries
    if given is None:
        return spread_queries(image, grid)
    return given_queries(given, (image.shape[1], image.shape[2]), grid)


def _page(run: Run, networks: Sequence[ShownNetwork], selection: Selection) -> str:
    """Return the interactive page; over time where the images are those whose maps the run has kept."""
    moments = read_moments(run.path) if selection.as_in_training else []
    return render(
        "attention_page.html",
        title=run.recipe.title,
        run=str(run.path),
        images=run.images_seen,
        command=shlex.join(["ganblocks", *sys.argv[1:]]),
        view=attention_view(networks, moments, run.images_seen),
    )


def _print(networks: Sequence[ShownNetwork], as_json: bool, paths: Sequence[Path]) -> None:
    """Print the numbers of all blocks, and the files."""
    blocks = [block for network in networks for block in network.blocks]
    if as_json:
        print_json({"files": [str(path) for path in paths], "blocks": {b.path: _numbers(b) for b in blocks}})
        return
    for block in blocks:
        print_table(("number", "value"), summary_lines(block), title=block.path, stderr=True)
    print("\n".join(str(path) for path in paths))


def _numbers(block: ShownBlock) -> dict[str, object]:
    return {"gamma": block.gamma, "effect": block.change, **numbers_data(block.numbers)}
