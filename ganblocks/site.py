"""The site of a component: what a block may know of its position in a network, and how its layers are initialised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen
from attrs.validators import gt, instance_of

from ganblocks.deprecated import warn_renamed
from ganblocks.errors import PlacementError, UnfitSize
from ganblocks.seeding import seed_of, seeded
from ganblocks.sizes import Doublings, Size, as_size, in_words, nearest_sizes, shorter, sides
from ganblocks.values import Condition, Player

if TYPE_CHECKING:  # torch is only needed once something is built
    import torch
    from torch import nn

    from ganblocks.kinds.initialization import Initialization
    from ganblocks.kinds.weight_norm import WeightNorm


@frozen
class Site:
    """What a block may know of its place in a network.

    Initial values depend on (seed, path, name) only, so that swapping one component never changes the initial values of others.
    """

    channels: int = field(validator=[instance_of(int), gt(0)])
    """Channels of the feature map that arrives (or features of a vector, for a head)."""
    size: Size = field(default=4, converter=as_size)
    """Height and width of the feature map: one number for squares, else (height, width)."""
    image_channels: int = 3
    player: Player = Player.GENERATOR
    path: str = "block"
    """Dotted place, such as ``generator.block2.attention``: it stands in errors, and it seeds initial values."""
    condition: Condition = None
    weight_norm: WeightNorm | None = None
    initialization: Initialization | None = None
    twice_differentiable: bool = False
    """True where a penalty reads gradients of this network with respect to its input: fused kernels without a second
    derivative may not be used here."""
    seed: int = 0

    @property
    def height(self) -> int:
        return sides(self.size)[0]

    @property
    def width(self) -> int:
        return sides(self.size)[1]

    def at(self, path: str, **changes: Any) -> Site:
        """A child place. Its path is longer by ``path``, which also forks the seed of everything built there."""
        return attrs.evolve(self, path=f"{self.path}.{path}", **changes)

    def layer(self, layer: nn.Module, name: str) -> nn.Module:
        """Initialise ``layer`` from (seed, path, name), then wrap it with the weight norm of this place.

        Args:
            layer: a torch layer with a ``weight`` (Conv, Linear, Embedding, ConvTranspose).
            name: the attribute under which the caller keeps it.
        """
        with seeded(seed_of(self.seed, self.path, name)) as rng:
            if not any(parameter.is_meta for parameter in layer.parameters()):
                _initialise(layer, self.initialization, rng)
            try:
                return layer if self.weight_norm is None else self.weight_norm.wrap(layer)
            except PlacementError as error:  # a weight norm sees a layer, not its place
                raise self.at(name).error(error.rule, error.hint) from error

    @contextmanager
    def seeded(self, **changes: Any) -> Iterator[Site]:
        """Yield the site with ``changes``; meanwhile torch's global random numbers are seeded from (seed, path).

        A network builds its layers inside: torch draws values for a layer before :meth:`layer` initialises it.
        """
        with seeded(seed_of(self.seed, self.path)):
            yield attrs.evolve(self, **changes)

    def build(self, component: Any) -> nn.Module:
        """Build ``component`` here. Whatever it draws from torch's global random numbers is seeded by the path."""
        with self.seeded():
            module: nn.Module = component.build(self)
            return module

    def error(self, rule: str, hint: str = "") -> PlacementError:
        """The error that says why a component cannot stand here: ``raise site.error("needs an even height, got 7")``."""
        return PlacementError(self.path, rule, hint)

    def misfit(self, rule: str, hint: str = "") -> PlacementError:
        """Former name of :meth:`error`."""
        warn_renamed("Site.misfit", "Site.error")
        return self.error(rule, hint)

    def expect_sizes(self, option: str, wanted: Collection[int], sizes: Iterable[Size]) -> None:
        """Raise PlacementError where ``option`` names a feature map that is none of ``sizes``, by its shorter side."""
        known = {shorter(size): size for size in sorted(sizes, key=sides)}
        if missing := sorted(set(wanted) - set(known)):
            named, there = ", ".join(map(str, missing)), ", ".join(map(in_words, known.values()))
            nearest = sorted({min(known, key=lambda other: (abs(other - size), other)) for size in wanted})
            raise self.error(f"{option} names {named}, but feature maps are {there}", f"set {option} = {nearest}")

    def doublings(self, size: Size, fewest: int = 1) -> list[Doublings]:
        """Return ``Doublings.all(size, fewest)``; raise UnfitSize if there are none, with the nearest sizes that work."""
        if ways := Doublings.all(size, fewest):
            return ways
        rule = "needs images that can be halved to a feature map of at most 8×8"
        raise self.unfit(size, rule, lambda other: bool(Doublings.all(other, fewest)))

    def unfit(self, size: Size, rule: str, fits: Callable[[Size], bool]) -> UnfitSize:
        """The error that says that a network cannot have images of ``size`` at all: ``rule``, and which are nearest.

        Args:
            size: of the images that arrive.
            rule: what sizes must be, such as "needs even sides".
            fits: whether the network could have images of another size.
        """
        nearest = " or ".join(in_words(each) for each in nearest_sizes(size, fits))
        hint = f"use images of {nearest} pixels" if nearest else "use another network"
        return UnfitSize(self.path, f"{rule}, got {in_words(size)} pixels", hint, fits)


def _initialise(layer: nn.Module, initialization: Initialization | None, rng: torch.Generator) -> None:
    """Fill by the named rule, or by torch's own rule for the layer under the seeded global numbers."""
    if initialization is not None:
        initialization.fill(layer, rng)
    else:
        layer.reset_parameters()  # type: ignore[operator]  # every torch layer with weights has it
