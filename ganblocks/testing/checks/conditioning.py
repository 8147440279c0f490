"""How heads of a discriminator are tested, and the properties that only they have."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.game import PlayedTurn, capable
from ganblocks.kinds.component_capabilities import CouplesSamples
from ganblocks.kinds.module_capabilities import AddsTerm
from ganblocks.site import Site
from ganblocks.testing import expect
from ganblocks.testing.cases import Arguments, SiteCase, drawn
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.checks.modules import (
    PLACED_PROPERTIES,
    its_layers_take_the_weight_norm,
    score_under_autocast,
    stands_anywhere_or_says_why_not,
)
from ganblocks.testing.properties import properties
from ganblocks.testing.strategies import batches, scales, sites, usual_channels
from ganblocks.testing.toys import toy_game
from ganblocks.values import Classes, Player, Score, View


@frozen(kw_only=True)
class HeadCase(SiteCase):
    """A head, pooled features and labels."""

    kind: ClassVar[str] = "conditioning"

    def arguments(self) -> Arguments:
        """Return features [B, C] and labels [B] or None."""
        return self.scale * self.normal(self.batch, self.site.channels), self.condition()

    def shape(self) -> tuple[int, ...]:
        return (self.batch,)


def samples_meet_only_if_it_says_so(case: HeadCase) -> None:
    """Its term for a batch is the mean of those for its halves, so that microbatches add up; or it inherits CouplesSamples."""
    expect.only_if(not isinstance(case.component, CouplesSamples), "inherits CouplesSamples")
    case = case.but(batch=4, scale=case.scale or 1.0)
    head, (features, label) = case.build(), case.arguments()
    modules = list(capable(head, AddsTerm))
    expect.only_if(modules, "adds no term")

    def term(module: AddsTerm, player: Player, part: slice) -> Tensor:
        return module.term(_turn(head, player, features[part], None if label is None else label[part]))

    for module, player in ((module, player) for module in modules for player in Player):
        halves = torch.stack([term(module, player, half) for half in (slice(0, 2), slice(2, 4))]).mean()
        what = f"its term: the mean of two halves, for the whole batch{expect.HINT}"
        expect.close(halves, term(module, player, slice(4)), what, 1e-4)


def returns_a_whole_score(case: HeadCase) -> None:
    """It returns a Score: logits [B] in float32 also under autocast, the features as they came, class logits [B, K] if any."""
    score = score_under_autocast(case.build(), case)
    if score.features is None:
        expect.fail("the score has no features, which penalties and augmentations of others read")
    expect.same(score.features, case.arguments()[0], "the features in the score")
    if score.classes is not None and isinstance(case.site.condition, Classes):
        expect.shape(score.classes, (case.batch, case.site.condition.count), "class logits")


def _turn(head: nn.Module, player: Player, features: Tensor, label: Tensor | None) -> PlayedTurn:
    """Return a turn in which real and generated images have the same features [B, C]."""
    image = torch.zeros(len(features), 1, 8, 8)
    view = View(image, label, expect.instance(head(features, label), Score))
    return PlayedTurn(toy_game(), player, 0, torch.zeros(len(features), 6), torch.Generator(), view, view)


def _sites(channels: SearchStrategy[int]) -> SearchStrategy[Site]:
    without_vectors = sites(st.just((1, 1)), channels)
    return without_vectors.filter(lambda site: site.condition is None or isinstance(site.condition, Classes))


CASES = drawn(HeadCase, batch=batches, scale=scales, site=_sites(usual_channels))
PROPERTIES = (
    *PLACED_PROPERTIES,
    *properties(
        stands_anywhere_or_says_why_not, cases=drawn(HeadCase, batch=batches, scale=scales, site=_sites(st.integers(1, 20)))
    ),
    *properties(its_layers_take_the_weight_norm, samples_meet_only_if_it_says_so, returns_a_whole_score),
    *LEARNING,
)
