"""The figure of the paper: images with query points, and the map of each query with an arrow to where it attends most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganblocks.files import replace_file
from ganblocks.maps.shown import ShownBlock, ShownNetwork
from ganblocks.training.map_numbers import Grid, MapEstimate
from ganblocks.training.pictures import picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#D55E00", "#0072B2", "#F0E442", "#000000")
"""Okabe and Ito's colours, which differ for colour-blind readers too."""
CELL = 1.15
"""Inches of one picture."""
DIMMED = 0.35
"""Brightness of the image below a map."""

Pixels = npt.NDArray[Any]


def attention_figure(network: ShownNetwork, block: ShownBlock, queries: Sequence[Sequence[int]], head: int | None) -> Figure:
    """Return the figure of one block.

    Args:
        network: its images, a row each.
        block: its maps.
        queries: of each image.
        head: whose map is shown; None: the mean of all heads.
    """
    from matplotlib.figure import Figure

    attention = of_head(block, head)
    columns = 1 + max(len(chosen) for chosen in queries)
    rows = len(network.images)
    figure = Figure(figsize=(CELL * columns + 0.9, CELL * rows + 0.75), dpi=120, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, chosen in enumerate(queries):
        for axis in axes[row]:
            axis.set_axis_off()
        draw_image(axes[row][0], network.images[row], network.captions[row], chosen, block.queries)
        for column, query in enumerate(chosen, 1):
            map_of_query = attention[row, query].view(block.keys)
            draw_map(axes[row][column], network.images[row], map_of_query, query, block.queries, colour(column - 1))
    figure.suptitle(f"{block.path}\n{sentence(block)}", fontsize=8, parse_math=False)
    return figure


def draw_image(axis: Axes, image: Tensor, caption: str, queries: Sequence[int], grid: Grid) -> None:
    """Draw an image uint8 [C, H, W] with its query points."""
    axis.set_axis_on()
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_ylabel(caption, fontsize=7, parse_math=False)
    axis.imshow(pixels_of(image), extent=extent(image), cmap="gray", vmin=0, vmax=255)
    for number, query in enumerate(queries):
        y, x = centre(query, grid, image)
        axis.plot(x, y, "o", color=colour(number), markeredgecolor="white", markeredgewidth=0.8, markersize=5)
    fit(axis, image)


def draw_map(axis: Axes, image: Tensor, weights: Tensor, query: int, grid: Grid, of_query: str) -> None:
    """Draw a query's map [h, w] over the dimmed image uint8 [C, H, W], with an arrow to the key of the largest weight."""
    grey = pixels_of(image).astype(float) if len(image) == 1 else pixels_of(image).mean(-1)
    axis.imshow(grey * DIMMED, extent=extent(image), cmap="gray", vmin=0, vmax=255)
    heat = (weights / weights.max().clamp_min(torch.finfo(weights.dtype).tiny)).numpy()
    axis.imshow(heat, extent=extent(image), cmap="inferno", alpha=0.15 + 0.8 * heat, vmin=0, vmax=1, interpolation="nearest")
    y, x = centre(query, grid, image)
    most = centre(int(weights.argmax()), (weights.shape[0], weights.shape[1]), image)
    axis.annotate(
        "",
        xy=(most[1], most[0]),
        xytext=(x, y),
        arrowprops={"arrowstyle": "-|>", "color": of_query, "lw": 1.2, "shrinkA": 0, "shrinkB": 0},
    )
    axis.plot(x, y, "o", color=of_query, markeredgecolor="white", markeredgewidth=0.8, markersize=4)
    fit(axis, image)


def sentence(block: ShownBlock) -> str:
    """Return the block's γ, its effect and the numbers of its maps in one line."""
    numbers, gamma = block.numbers, "" if block.gamma is None else f"γ = {block.gamma:.2g}, "
    return (
        f"{gamma}changes its input by {block.change:.1%}; query dependence {interval(numbers.query_dependence)},"
        f" evenness {interval(numbers.evenness)}, {numbers.query_dependence.n} images"
    )


def interval(estimate: MapEstimate | None) -> str:
    """Return a mean with its margin."""
    if estimate is None:
        return "not defined"
    margin = "" if estimate.margin is None else f" ± {estimate.margin:.2g}"
    return f"{estimate.mean:.3g}{margin}"


def summary_lines(block: ShownBlock) -> list[tuple[str, str]]:
    """Return (name, value) of all numbers of a block."""
    numbers = block.numbers
    return [
        *([] if block.gamma is None else [("γ", f"{block.gamma:.3g}")]),
        ("effect", f"{block.change:.2%} of its input"),
        ("query dependence", interval(numbers.query_dependence)),
        ("evenness", interval(numbers.evenness)),
        ("distance", f"{interval(numbers.distance)} (uniform {numbers.uniform_distance:.3g})"),
        ("correlation with likeness in colour", interval(numbers.colour_correlation)),
        ("correlation with nearness", interval(numbers.nearness_correlation)),
    ]


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as the suffix of ``path`` says; equal figures give equal bytes."""
    import matplotlib

    undated = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    with (
        matplotlib.rc_context({"svg.hashsalt": "ganblocks", "svg.fonttype": "path"}),
        replace_file(path, durable=False) as file,
    ):
        figure.savefig(file, format=path.suffix[1:], dpi=150, metadata=undated)


def of_head(block: ShownBlock, head: int | None) -> Tensor:
    """Return the maps [B, N, M] of a head, or their mean over all heads."""
    return block.attention.mean(1) if head is None else block.attention[:, head]


def colour(number: int) -> str:
    """Return the colour of a query."""
    return COLOURS[number % len(COLOURS)]


def centre(position: int, grid: Grid, image: Tensor) -> tuple[float, float]:
    """Return row and column, in pixels of an image [C, H, W], of the centre of a grid's cell."""
    row, column = divmod(position, grid[1])
    return (row + 0.5) * image.shape[1] / grid[0], (column + 0.5) * image.shape[2] / grid[1]


def pixels_of(image: Tensor) -> Pixels:
    """Return an image uint8 [C, H, W] as [H, W] for one channel, else its first three as [H, W, 3]."""
    return np.asarray(picture(image.permute(1, 2, 0).contiguous()))


def extent(image: Tensor) -> tuple[float, float, float, float]:
    """Return the corners of an image [C, H, W] in pixels: left, right, bottom, top."""
    return 0.0, float(image.shape[2]), float(image.shape[1]), 0.0


def fit(axis: Axes, image: Tensor) -> None:
    """Let an axis end where the image [C, H, W] does."""
    left, right, bottom, top = extent(image)
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)
