"""A discriminator whose first blocks do not learn."""

from __future__ import annotations

import attrs
from attrs import frozen
from torch import nn

from ganblocks import Discriminator, ImageSpec, OptionError, Site, option, socket


@frozen(kw_only=True)
class Frozen:
    """FreezeD: another discriminator whose first blocks keep their initial weights.

    Parameters of frozen parts require no gradient, so neither optimizers nor weight decay move them. Gradients still pass
    through them to the images, so the generator and gradient penalties work as usual. The network is that of ``network``, with
    the same names and initial values: ``ganblocks run RECIPE --init-from RUN`` fills it from a run without freezing. Estimates
    and running means in frozen parts (spectral norm's, batch norm's) still advance.

    Use it with ``--init-from`` to adapt a trained GAN to few images: the first blocks detect edges and textures, which most
    data share. With random weights it only makes the discriminator worse. Freeze the first half of the blocks first.

    Source: Mo et al. (2020), "Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs", arXiv:2002.10964.

    Options:
        network: the discriminator.
        blocks: number of frozen blocks, from the image on; blocks are the direct parts with parameters, in their order.
        names: further parts to freeze, by their names in the network, such as "block3.conv1".
    """

    network: Discriminator = socket("discriminator", default="resnet")
    blocks: int = option(1, low=0)
    names: tuple[str, ...] = option(())

    @names.validator
    def _something_is_frozen(self, attribute: attrs.Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
        if not (self.blocks or value):
            raise OptionError("must name a part where blocks = 0", 'or use the discriminator without "frozen"')

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        """Build the network. Raise PlacementError if a part does not exist, or no parameter is left to learn."""
        network = self.network.build(image, site)
        blocks = {name: part for name, part in network.named_children() if any(True for _ in part.parameters())}
        if self.blocks > len(blocks):
            rule = f"blocks = {self.blocks}, but the network has {len(blocks)}: {', '.join(blocks)}"
            raise site.error(rule, f"freeze less: blocks = {len(blocks) - 1}")
        parts = dict(network.named_modules())
        for name in self.names:
            if name not in parts:
                hint = f'name one of its blocks ({", ".join(blocks)}) or a part of one, such as names = ["{min(blocks)}"]'
                raise site.error(f"no part of the network is called {name!r}", hint)
        for name in (*list(blocks)[: self.blocks], *self.names):
            parts[name].requires_grad_(False)
        if not any(parameter.requires_grad for parameter in network.parameters()):
            fewer = f"blocks = {len(blocks) - 1}" if self.blocks >= len(blocks) else "fewer names"
            raise site.error("freezes every parameter, so nothing is left to learn", f"freeze less: {fewer}")
        return network
