"""Heads whose term compares images with classes, and with each other, on the unit sphere."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import normalize

from ganblocks import AddsTerm, Checked, Classes, CouplesSamples, Facts, Player, Score, Site, Turn, option
from ganblocks_conditionings.scoring import linear, score


@frozen(kw_only=True)
class ComparesImages(CouplesSamples, Checked):
    """The base of components with an :class:`EmbeddingHead`; they define ``compare``."""

    weight: float = option(1.0, above=0)
    embedding: int = option(512, low=2)
    bias: bool = option(True)

    def compare(self, embedded: Tensor, proxy: Tensor, label: Tensor) -> Tensor:
        """Return a loss, 0-dim, of images f = ``embedded`` and v = ``proxy`` [B, E] of length 1, and label int64 [B]."""
        raise NotImplementedError

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain if no image of a microbatch can be compared with another, so that the term is 0 at every step."""
        if facts.image.classes == 1:
            yield (
                "compares images of different classes, but there is only one: the term is 0 at every step; use "
                'conditioning = "none"'
            )
        if lack := facts.too_few(2):
            yield f"compares the images of a microbatch: a single image makes the term 0 at every step; {lack}"

    def build(self, site: Site) -> nn.Module:
        """Return a head for features [B, C], C = ``site.channels``. Raise PlacementError if there are no classes."""
        return EmbeddingHead(site, self)


class EmbeddingHead(nn.Module, AddsTerm):
    """forward(features [B, C], label) -> Score with logits [B]; only the term uses the label.

    f_i = P φ(x_i) / |P φ(x_i)| and v_y = e_y / |e_y|, with an affine map P and a table e of one proxy per class, both through
    the site's weight norm. The discriminator minimises weight · comparison of its real images. The generator minimises that of
    its fakes, and so moves them to the proxies that the discriminator learned from real images. Samples meet in the term, not
    in forward: the term compares the images of one microbatch.
    """

    def __init__(self, site: Site, options: ComparesImages) -> None:
        super().__init__()
        if not isinstance(site.condition, Classes):
            raise site.error("comparing images with classes needs class labels", 'use conditioning = "none"')
        self.linear = site.layer(nn.Linear(site.channels, 1, bias=options.bias), "linear")  # its name in every head
        self.projection = site.layer(nn.Linear(site.channels, options.embedding), "projection")
        self.proxies = site.layer(nn.Embedding(site.condition.count, options.embedding), "proxies")
        self.options = options

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        """Return logits [B] of features [B, C]."""
        return score(features, self.linear)

    def term(self, turn: Turn) -> Tensor:
        """Return weight · comparison, 0-dim, of the images of the player whose turn it is."""
        view = turn.real if turn.player is Player.DISCRIMINATOR else turn.fake
        assert view is not None, "a discriminator's turn has real images"
        assert view.label is not None, "a head with classes gets labels"
        assert view.score.features is not None, "forward sets features"
        embedded = normalize(linear(view.score.features, self.projection))
        proxies: Tensor = self.proxies(view.label)
        return self.options.weight * self.options.compare(embedded, normalize(proxies.to(embedded.dtype)), view.label)
