"""The auxiliary classifier of AC-GAN."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganblocks import AddsTerm, Checked, Classes, Facts, Player, Score, Site, Turn, View, option
from ganblocks_conditionings.scoring import linear, score


@frozen(kw_only=True)
class AuxiliaryClassifier(Checked):
    """Classify with K more linear units beside the one for real and fake; both players minimise the classification error.

    D(x) = w · φ(x) + b, and c(x) = W φ(x) + a are the class logits. Beside the adversarial loss,

        L_D += weight · (CE(c(x), y) + CE(c(G(z, y')), y'))   and   L_G += weight · CE(c(G(z, y')), y'),

    where CE is the mean cross-entropy over the microbatch. The paper maximises log-likelihoods, which is equivalent. D(x) does
    not depend on the label; only the terms do. Both w and W go through the site's weight norm.

    Use it for AC-GAN, and where class logits of images are needed beside the score. With many classes its samples tend to be
    the easy ones of each class; projection and data_to_data do better there.

    Source: Odena, Olah and Shlens (2017), "Conditional Image Synthesis with Auxiliary Classifier GANs", arXiv:1610.09585:
    its log-likelihoods L_S and L_C.

    Options:
        weight: factor of the cross-entropies in both players' objectives.
        on_fake: whether the discriminator's objective classifies fakes too; later re-implementations often omit this.
        bias: whether to learn b.
        class_bias: whether to learn a.
    """

    weight: float = option(1.0, above=0)
    on_fake: bool = option(True)
    bias: bool = option(True)
    class_bias: bool = option(True)

    def check(self, facts: Facts) -> Iterator[str]:
        """Complain about data with a single class."""
        if facts.image.classes == 1:
            yield 'tells classes apart, but there is only one: the term is 0 at every step; use conditioning = "none"'

    def build(self, site: Site) -> nn.Module:
        """Return a head for features [B, C], C = ``site.channels``. Raise PlacementError if there are no classes."""
        if not isinstance(site.condition, Classes):
            raise site.error("an auxiliary classifier needs images with class labels", 'use conditioning = "none"')
        source = site.layer(nn.Linear(site.channels, 1, bias=self.bias), "linear")  # its name in every head
        classes = site.layer(nn.Linear(site.channels, site.condition.count, bias=self.class_bias), "classes")
        return ClassifierHead(source, classes, self.weight, self.on_fake)


class ClassifierHead(nn.Module, AddsTerm):
    """forward(features [B, C], label) -> Score with logits [B] and class logits [B, K]; only the term uses the label."""

    def __init__(self, source: nn.Module, classes: nn.Module, weight: float, on_fake: bool) -> None:
        super().__init__()
        self.linear, self.classes = source, classes
        self.weight, self.on_fake = weight, on_fake

    def forward(self, features: Tensor, label: Tensor | None = None) -> Score:
        """Return logits [B] and class logits [B, K] of features [B, C]."""
        return score(features, self.linear)._replace(classes=linear(features, self.classes))

    def term(self, turn: Turn) -> Tensor:
        """Return weight · the cross-entropies of the player whose turn it is, 0-dim."""
        losses = [self._cross_entropy(view) for view in self._views(turn)]
        return self.weight * sum(losses[1:], start=losses[0])

    def _views(self, turn: Turn) -> list[View]:
        if turn.player is Player.GENERATOR:
            return [turn.fake]
        assert turn.real is not None, "a discriminator's turn has real images"
        return [turn.real, turn.fake] if self.on_fake else [turn.real]

    def _cross_entropy(self, view: View) -> Tensor:
        assert view.score.classes is not None, "forward sets class logits"
        assert view.label is not None, "a head with classes gets labels"
        return cross_entropy(view.score.classes, view.label)
