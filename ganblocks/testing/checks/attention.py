"""How attention blocks are tested, and the properties that only they have."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks.kinds.module_capabilities import AppliesMap, AttentionMap, Gated
from ganblocks.testing import expect
from ganblocks.testing.cases import Arguments, SiteCase, call, drawn
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.checks.modules import PLACED_PROPERTIES, its_layers_take_the_weight_norm, stands_anywhere_or_says_why_not
from ganblocks.testing.properties import properties
from ganblocks.testing.strategies import any_sizes, batches, scales, sites


@frozen(kw_only=True)
class BlockCase(SiteCase):
    """An attention block and a feature map."""

    kind: ClassVar[str] = "attention"

    def arguments(self) -> Arguments:
        """Return a feature map [B, C, H, W]."""
        return (self.image(),)


def gamma_scales_its_effect(case: BlockCase) -> None:
    """A gated block returns x for γ = 0, bit for bit, and its output moves away from x in proportion to γ."""
    case = case.but(scale=1.0, batch=4).at(channels=16)  # enough of them that not all are cut off by chance
    module, x = case.build().eval(), case.image()
    gated, effects = expect.require(module, Gated), {}
    for gamma in (0.0, 1.0, -0.5):
        with torch.no_grad():
            gated.gamma.fill_(gamma)
        effects[gamma] = call(module, (x,)) - x
    expect.that(isinstance(gated.gamma, nn.Parameter) and gated.gamma.ndim == 0, "γ is not a 0-dim parameter")
    expect.same(effects[0.0], torch.zeros_like(x), "output - x at γ = 0")
    expect.that(effects[1.0].norm() > 0, "γ = 1 leaves x as it is: the block does nothing")
    expect.close(effects[-0.5], -0.5 * effects[1.0], "the effect at γ = -0.5, against -0.5 times that at γ = 1", 1e-3)


def its_map_is_a_distribution_over_keys(case: BlockCase) -> None:
    """A map has a row for each position and a column for each key; entries are at least 0, and each row sums to 1.

    No row has weight at more keys than ``keys_seen`` says.
    """
    module = expect.require(case.build().eval(), AttentionMap)
    weights, grid = module.attention_map(case.image())
    expect.that(weights.ndim == 4, f"the map has shape {list(weights.shape)}, not [B, heads, N, M]")
    rows, keys = case.site.height * case.site.width, grid[0] * grid[1]
    expect.shape(weights, (case.batch, weights.shape[1], rows, keys), "map")
    expect.finite(weights, "the map")
    expect.that((weights >= 0).all(), "the map has entries below 0")
    expect.close(weights.sum(-1), torch.ones(weights.shape[:-1]), "sums of the map's rows", 1e-5)
    seen, most = int((weights > 0).sum(-1).max()), module.keys_seen()
    expect.that(most is None or seen <= most, f"a query attends to {seen} keys, where keys_seen says {most}")


def what_its_map_attends_to_matters(case: BlockCase) -> None:
    """Where a row of the map is (nearly) a single key, other content at that key's position changes the output of the row.

    Rows become so where inputs are large. A block whose map is another than the one that forward uses (normalised over
    queries, say) fails. Positions that a row does not attend to are not tested: they may matter in other ways.
    """
    module = case.at(channels=16).build().eval().double()
    attending = expect.require(module, AttentionMap)
    for scale in (30.0, 300.0):
        x = case.but(scale=scale, batch=QUERIED).at(channels=16).image().double()
        cells = _cells(case, attending.attention_map(x)[1])
        changed, attended = _changed(module, x, cells), _attended(attending, x, cells)
        if attended.sum() >= FEWEST:
            silent = (attended & ~changed).sum() / attended.sum()
            text = f"{silent:.0%} of {int(attended.sum())} rows whose map is one key do not change with the content at that key"
            expect.that(silent <= MOST_SILENT, f"{text}: is this the map that forward uses?")
            return
    expect.only_if(False, "no row of its map comes near a single key, for inputs of any size")


def its_map_is_the_one_that_forward_uses(case: BlockCase) -> None:
    """``with_map(x, map)`` is forward(x) with the block's own map, to 1e-6 in float64 with γ = 1, and not with another map."""
    module, x = case.build().eval().double(), case.but(scale=1.0).image().double()
    applying = expect.require(module, AppliesMap)
    if isinstance(module, Gated):
        with torch.no_grad():
            module.gamma.fill_(1.0)
    own, output = applying.attention_map(x)[0].double(), call(module, (x,))
    expect.close(applying.with_map(x, own), output, "with_map(x, its map), against forward(x)", 1e-6)
    other = own.roll(1, -1)
    if (other - own).abs().amax() > CLEARLY:
        expect.that((applying.with_map(x, other) - output).norm() > 0, "with_map(x, another map) is forward(x) too")


CASES = drawn(BlockCase, batch=batches, scale=scales, site=sites())
PROPERTIES = (
    *PLACED_PROPERTIES,
    *properties(
        stands_anywhere_or_says_why_not, cases=drawn(BlockCase, batch=batches, site=sites(any_sizes, st.integers(1, 20)))
    ),
    *properties(
        its_layers_take_the_weight_norm,
        gamma_scales_its_effect,
        its_map_is_a_distribution_over_keys,
        what_its_map_attends_to_matters,
        its_map_is_the_one_that_forward_uses,
    ),
    *LEARNING,
)
QUERIED = 8
"""Samples whose maps are examined."""
FEWEST = 16
"""Rows that must be near a single key for a verdict."""
SINGLE = 0.99
"""The weight of such a key."""
CLEARLY = 0.01
"""A difference between the weights of two maps that must show in the output."""
MOST_SILENT = 0.2
"""Share of them that may not change: a ReLU may cut off a value, or the output of its head."""


def _cells(case: BlockCase, grid: tuple[int, int]) -> Tensor:
    """Return the positions of each key, [M, H, W], where the grid of keys divides that of positions."""
    height, width = case.site.height, case.site.width
    expect.only_if(not (height % grid[0] or width % grid[1]), "its keys do not divide the feature map into equal cells")
    keys = torch.eye(grid[0] * grid[1]).view(-1, *grid) > 0
    return keys.repeat_interleave(height // grid[0], 1).repeat_interleave(width // grid[1], 2)


def _attended(module: AttentionMap, x: Tensor, cells: Tensor) -> Tensor:
    """Return bool [M, B, N]: a head's row n is nearly the single key m, at another position than n."""
    weights = module.attention_map(x)[0].amax(1).permute(2, 0, 1)
    return (weights >= SINGLE) & ~cells.flatten(1)[:, None]


def _changed(module: nn.Module, x: Tensor, cells: Tensor) -> Tensor:
    """Return bool [M, B, N]: output n changes with the content of cell m."""
    rng = torch.Generator().manual_seed(0)
    other = x.std() * torch.randn(x.shape, generator=rng, dtype=x.dtype)
    mixed = torch.where(cells[:, None, None], other, x)  # [M, B, C, H, W]
    output = call(module, (x,))
    changes: Tensor = call(module, (mixed.flatten(0, 1),)).view(mixed.shape) - output
    changed: Tensor = changes.flatten(3).norm(dim=2) > 1e-6 * output.std()
    return changed
