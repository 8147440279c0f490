"""A head whose term compares images with classes, and with each other, on a sphere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor, nn
from torch.nn.functional import normalize

from ganblocks import AddsTerm, Classes, Facts, Player, Score, Site, Turn
from ganblocks_conditionings.scoring import linear, score

Comparison = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(embedded images f [B, E], the proxies v [B, E] of their classes, label int64 [B]) -> 0-dim; f and v have length 1."""


def uncomparable(facts: Facts) -> Iterator[str]:
    """Complaints where no image of a microbatch has another to be compared with, so that a term is 0 at every step."""
    if facts.image.classes == 1:
        yield 'compares images of different classes, and there is one: the term is 0 at every step; use conditioning = "none"'
    if lack := facts.too_few(2):
        yield f"compares images that meet in one forward: an image alone makes the term 0 at every step; {lack}"


class EmbeddingHead(nn.Module, AddsTerm):
    """forward(features [B, C], label) -> Score with logits [B]; the label counts in the term only.

    f_i = P φ(x_i) / |P φ(x_i)| and v_y = e_y / |e_y|, with an affine map P and a table e of one proxy per class, both through
    the site's weight norm. The discriminator minimises weight · comparison of its real images, and the generator that of its
    fakes, which it so draws to the proxies that the discriminator learned from real images. Samples meet in the term, not in
    forward: what is compared are the images of one microbatch. Raises ``PlacementError`` where there are no classes.
    """

    def __init__(self, site: Site, embedding: int, bias: bool, weight: float, comparison: Comparison) -> None:
        super().__init__()
        if not isinstance(site.condition, Classes):
            raise site.error("comparing images with classes needs class labels", 'use conditioning = "none"')
        self.linear = site.layer(nn.Linear(site.channels, 1, bias=bias), "linear")  # the name that it has in every head
        self.projection = site.layer(nn.Linear(site.channels, embedding), "projection")
        self.proxies = site.layer(nn.Embedding(site.condition.count, embedding), "proxies")
        self.weight, self.comparison = weight, comparison

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        return score(features, self.linear)

    def term(self, turn: Turn) -> Tensor:
        view = turn.real if turn.player is Player.DISCRIMINATOR else turn.fake
        assert view is not None, "a discriminator's turn has real images"
        assert view.label is not None, "a head with classes is called with labels"
        assert view.score.features is not None, "this head's scores have features"
        embedded = normalize(linear(view.score.features, self.projection))
        proxies: Tensor = self.proxies(view.label)
        return self.weight * self.comparison(embedded, normalize(proxies.to(embedded.dtype)), view.label)
