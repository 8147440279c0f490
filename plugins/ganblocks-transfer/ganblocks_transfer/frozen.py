"""A discriminator whose first blocks do not learn."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from attrs import field, frozen
from attrs.validators import deep_iterable, ge, instance_of
from torch import nn

from ganblocks import Discriminator, ImageSpec, Site, socket


@frozen(kw_only=True)
class Frozen:
    """FreezeD: another discriminator, of which the first blocks keep the weights that they start with.

    The parameters of the frozen parts require no gradient: no optimizer moves them, and no decay. Gradients still pass through
    them to the images, so that the generator, and penalties on the slope, work as ever. It is the very network of ``network``,
    with the same names and initial values, so that ``ganblocks run RECIPE --init-from RUN`` fills it from a run without
    freezing. Estimates and running means in frozen parts (spectral norm's, batch norm's) go on.

    Use it with ``--init-from``, to adapt a trained GAN to few images: the first blocks see edges and textures, which are alike
    everywhere. From random weights it only makes the discriminator worse. How many blocks: try the first half first.

    Source: Mo et al. (2020), "Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs", arXiv:2002.10964.

    Options:
        network: the discriminator.
        blocks: how many of its blocks are frozen, from the image on: its direct parts that have parameters, in their order.
        names: further parts to freeze, by their names in the network, such as "block3.conv1".
    """

    network: Discriminator = socket("discriminator", default="resnet")
    blocks: int = field(default=1, validator=[instance_of(int), ge(0)])
    names: tuple[str, ...] = field(default=(), validator=deep_iterable(instance_of(str), instance_of(tuple)))

    @names.validator
    def _something_is_frozen(self, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
        if not (self.blocks or value):
            raise ValueError("with 'blocks' = 0, 'names' must say what is frozen; or use the network itself")

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        """Raises PlacementError where there are not so many blocks, no such part, or nothing would be left to learn."""
        network = self.network.build(image, site)
        for part in self._parts(network, site):
            part.requires_grad_(False)
        if not any(parameter.requires_grad for parameter in network.parameters()):
            most = len(_blocks(network)) - 1
            fewer = f"blocks = {most}" if self.blocks > most else "fewer names"
            raise site.error("freezes every parameter, so that nothing is left to learn", f"freeze less: {fewer}")
        return network

    def _parts(self, network: nn.Module, site: Site) -> Iterator[nn.Module]:
        blocks = _blocks(network)
        listed = ", ".join(blocks)
        if self.blocks > len(blocks):
            rule = f"blocks = {self.blocks}, but the network has {len(blocks)}: {listed}"
            raise site.error(rule, f"freeze less: blocks = {len(blocks) - 1}")
        yield from list(blocks.values())[: self.blocks]
        parts = dict(network.named_modules())
        for name in self.names:
            if name not in parts:
                hint = f'its blocks are {listed}: name one of them, or a part of one, such as names = ["{min(blocks)}"]'
                raise site.error(f"no part of the network is called {name!r}", hint)
            yield parts[name]


def _blocks(network: nn.Module) -> dict[str, nn.Module]:
    """The direct parts that have parameters."""
    return {name: part for name, part in network.named_children() if any(True for _ in part.parameters())}
