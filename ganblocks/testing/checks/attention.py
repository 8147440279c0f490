"""How attention blocks are tried, and what only they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.kinds.module_capabilities import AttentionMap, Gated
from ganblocks.registry import Registry
from ganblocks.testing.cases import Arguments, SiteCase, call
from ganblocks.testing.checks.modules import stands_anywhere_or_says_why_not
from ganblocks.testing.promises import (
    expect,
    expect_close,
    expect_finite,
    expect_same,
    expect_shape,
    only_if,
    promise,
    tried_with,
)
from ganblocks.testing.strategies import any_sizes, batches, components, scales, seeds, sites


@frozen(kw_only=True)
class BlockCase(SiteCase):
    """An attention block and a feature map."""

    kind: ClassVar[str] = "attention"

    def arguments(self) -> Arguments:
        return (self.image(),)

    def shape(self) -> tuple[int, ...]:
        return (self.batch, self.site.channels, self.site.height, self.site.width)


@tried_with("attention")
def blocks(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[BlockCase]:
    drawn = components(cls, registry, given)
    return st.builds(BlockCase, component=drawn, seed=seeds, batch=batches, scale=scales, site=sites())


def anywhere(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[BlockCase]:
    """Odd and non-square sizes, odd numbers of channels."""
    places = sites(any_sizes, st.integers(1, 20))
    return st.builds(BlockCase, component=components(cls, registry, given), seed=seeds, batch=batches, site=places)


promise("attention", cases=anywhere)(stands_anywhere_or_says_why_not)


@promise("attention")
def its_layers_take_the_weight_norm(case: BlockCase) -> None:
    """Every layer with a weight goes through site.layer, so that the weight norm of the recipe reaches it."""
    expect_all_wrapped(case)


@promise("attention")
def gamma_scales_its_effect(case: BlockCase) -> None:
    """A gated block returns x for γ = 0, bit for bit, and moves away from x in proportion to γ."""
    case = case.but(scale=1.0, batch=4).at(channels=16)  # enough of them that not all are cut off by chance
    module, x = case.build().eval(), case.image()
    only_if(isinstance(module, Gated), "does not inherit Gated")
    assert isinstance(module, Gated)
    effects = {}
    for gamma in (0.0, 1.0, -0.5):
        with torch.no_grad():
            module.gamma.fill_(gamma)
        effects[gamma] = call(module, (x,)) - x
    expect(isinstance(module.gamma, nn.Parameter) and module.gamma.ndim == 0, "γ is not a 0-dim parameter")
    expect_same(effects[0.0], torch.zeros_like(x), "output - x at γ = 0")
    expect(effects[1.0].norm() > 0, "γ = 1 leaves x as it is: the block does nothing")
    expect_close(effects[-0.5], -0.5 * effects[1.0], "the effect at γ = -0.5, against -0.5 times that at γ = 1", 1e-3)


@promise("attention")
def its_map_is_a_distribution_over_keys(case: BlockCase) -> None:
    """A map has a row for each position and a column for each key; entries are at least 0, and each row sums to 1."""
    module, x = case.build().eval(), case.image()
    only_if(isinstance(module, AttentionMap), "does not inherit AttentionMap")
    assert isinstance(module, AttentionMap)
    found, grid = module.attention_map(x)
    expect(found.ndim == 4, f"the map has shape {list(found.shape)}, not [B, heads, N, M]")
    rows, keys = case.site.height * case.site.width, grid[0] * grid[1]
    expect_shape(found, (case.batch, found.shape[1], rows, keys), "map")
    expect_finite(found, "the map")
    expect((found >= 0).all(), "the map has entries below 0")
    expect_close(found.sum(-1), torch.ones(found.shape[:-1]), "sums of the map's rows", 1e-5)


@promise("attention")
def what_its_map_attends_to_matters(case: BlockCase) -> None:
    """Where a row of the map is (nearly) a single key, other content at that key's place changes the output of the row.

    Rows become so where inputs are large. A block whose map is another than the one that forward uses (normalised over
    queries, say) breaks this. Nothing is asked of the places that a row does not attend to: they may matter by other ways.
    """
    module = case.at(channels=16).build().eval().double()
    only_if(isinstance(module, AttentionMap), "does not inherit AttentionMap")
    assert isinstance(module, AttentionMap)
    for scale in (30.0, 300.0):
        x = case.but(scale=scale, batch=QUERIED).at(channels=16).image().double()
        cells = _cells(case, module.attention_map(x)[1])
        changed, scored = _changed(module, x, cells), _attended(module, x, cells)
        if scored.sum() >= FEWEST:
            silent = (scored & ~changed).sum() / scored.sum()
            found = f"of {int(scored.sum())} rows whose map is one key, {silent:.0%} do not notice other content at its place"
            expect(silent <= MOST_SILENT, f"{found}: is this the map that forward uses?")
            return
    only_if(False, "no row of its map comes near a single key, whatever the size of inputs")


QUERIED = 8
"""Samples whose maps are looked at."""
FEWEST = 16
"""Rows that must be near a single key for a judgement."""
SINGLE = 0.99
"""The weight of such a key."""
MOST_SILENT = 0.2
"""Share of them that may be silent: a value may be cut off by a ReLU, or its head's output may be."""


def _cells(case: BlockCase, grid: tuple[int, int]) -> Tensor:
    """[M, H, W]: the places of each key, where the grid of keys divides that of positions."""
    height, width = case.site.height, case.site.width
    only_if(not (height % grid[0] or width % grid[1]), "its keys do not divide the feature map into equal cells")
    keys = torch.eye(grid[0] * grid[1]).view(-1, *grid) > 0
    return keys.repeat_interleave(height // grid[0], 1).repeat_interleave(width // grid[1], 2)


def _attended(module: AttentionMap, x: Tensor, cells: Tensor) -> Tensor:
    """bool [M, B, N]: a head's row n is nearly the single key m, at another place than n's own."""
    found = module.attention_map(x)[0].amax(1).permute(2, 0, 1)
    return (found >= SINGLE) & ~cells.flatten(1)[:, None]


def _changed(module: nn.Module, x: Tensor, cells: Tensor) -> Tensor:
    """bool [M, B, N]: output n is another once the content of cell m is another."""
    rng = torch.Generator().manual_seed(0)
    other = x.std() * torch.randn(x.shape, generator=rng, dtype=x.dtype)
    mixed = torch.where(cells[:, None, None], other, x)  # [M, B, C, H, W]
    output = call(module, (x,))
    changes: Tensor = call(module, (mixed.flatten(0, 1),)).view(mixed.shape) - output
    changed: Tensor = changes.flatten(3).norm(dim=2) > 1e-6 * output.std()
    return changed


class Mark(nn.Module):
    """A weight norm that changes nothing, and is seen."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.layer.weight  # type: ignore[assignment]
        return weight

    @property
    def bias(self) -> Tensor | None:
        return getattr(self.layer, "bias", None)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.layer(*args, **kwargs)


@frozen
class Marking:
    """The component of :class:`Mark`."""

    def wrap(self, layer: nn.Module) -> nn.Module:
        return Mark(layer)


LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Embedding, nn.Bilinear)


def expect_all_wrapped(case: SiteCase) -> None:
    """Every torch layer in the module was handed to the site's weight norm."""
    module = case.at(weight_norm=Marking()).fresh()
    marked = {f"{name}.layer".strip(".") for name, each in module.named_modules() if isinstance(each, Mark)}
    bare = [name for name, each in module.named_modules() if isinstance(each, LAYERS) and name not in marked]
    expect(not bare, f"{', '.join(bare)}: made without site.layer(...), so neither initialised nor weight-normalised")
    call(module, case.arguments())
