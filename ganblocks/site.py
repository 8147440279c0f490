"""The site of a component: its position in a network, and how its layers are initialised."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
from attrs import field, frozen
from attrs.validators import gt, instance_of

from ganblocks.deprecated import former_method
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
    """What a block can know of its position in a network.

    Initial values depend on (seed, path, name) only, so that swapping one component never changes the initial values of others.
    """

    channels: int = field(validator=[instance_of(int), gt(0)])
    """Channels of the input feature map (or features of a vector, for a head)."""
    size: Size = field(default=4, converter=as_size)
    """Height and width of the feature map: one number for squares, else (height, width)."""
    image_channels: int = 3
    player: Player = Player.GENERATOR
    path: str = "block"
    """Dotted path, such as ``generator.block2.attention``, for errors and for the seeds of initial values."""
    condition: Condition = None
    weight_norm: WeightNorm | None = None
    initialization: Initialization | None = None
    twice_differentiable: bool = False
    """True if a penalty differentiates this network with respect to its input: kernels without a second derivative must not
    be used."""
    seed: int = 0

    @property
    def height(self) -> int:
        """Height of the feature map."""
        return sides(self.size)[0]

    @property
    def width(self) -> int:
        """Width of the feature map."""
        return sides(self.size)[1]

    def at(self, path: str, **changes: Any) -> Site:
        """Return a child site. ``path`` is appended to the path, which changes the seed of everything built there."""
        return attrs.evolve(self, path=f"{self.path}.{path}", **changes)

    def layer(self, layer: nn.Module, name: str) -> nn.Module:
        """Initialise ``layer`` from (seed, path, name), then wrap it with the site's weight norm.

        Args:
            layer: a torch layer with a ``weight`` (Conv, Linear, Embedding, ConvTranspose).
            name: the attribute under which the caller keeps it.
        """
        with seeded(seed_of(self.seed, self.path, name)) as rng:
            if not any(parameter.is_meta for parameter in layer.parameters()):
                _initialise(layer, self.initialization, rng)
            try:
                return layer if self.weight_norm is None else self.weight_norm.wrap(layer)
            except PlacementError as error:  # a weight norm does not know the path of its layer
                raise self.at(name).error(error.rule, error.hint) from error

    @contextmanager
    def seeded(self, **changes: Any) -> Iterator[Site]:
        """Seed torch's global random numbers from (seed, path) within the block, and yield the site with ``changes``.

        A network builds its layers inside: torch draws values for a layer before :meth:`layer` initialises it.
        """
        with seeded(seed_of(self.seed, self.path)):
            yield attrs.evolve(self, **changes)

    def build(self, component: Any) -> nn.Module:
        """Build ``component`` at this site. Torch's global random numbers are seeded by the path."""
        with self.seeded():
            module: nn.Module = component.build(self)
            return module

    def error(self, rule: str, hint: str = "") -> PlacementError:
        """Return the error of a component that does not fit here: ``raise site.error("needs an even height, got 7")``."""
        return PlacementError(self.path, rule, hint)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return the method that had this name in the previous version."""
            return former_method(self, name)

    def expect_sizes(self, option: str, wanted: Collection[int], sizes: Iterable[Size]) -> None:
        """Raise PlacementError if ``option`` names a feature map that is not among ``sizes``, by its shorter side."""
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
        """Return the error of a network that cannot process images of ``size``, with the nearest sizes that it can.

        Args:
            size: size of the images.
            rule: the requirement, such as "needs even sides".
            fits: whether the network can process another size.

        """
        nearest = " or ".join(map(in_words, nearest_sizes(size, fits)))
        hint = f"use images of {nearest} pixels" if nearest else "use another network"
        return UnfitSize(self.path, f"{rule}, got {in_words(size)} pixels", hint, fits)


def _initialise(layer: nn.Module, initialization: Initialization | None, rng: torch.Generator) -> None:
    """Fill by the given rule, or by torch's own rule for the layer with the seeded global generator."""
    if initialization is not None:
        initialization.fill(layer, rng)
    else:
        layer.reset_parameters()  # type: ignore[operator]  # every torch layer with weights has it
