"""How heads of a discriminator are tried, and what only they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.game import PlayedTurn, capable
from ganblocks.kinds.component_capabilities import CouplesSamples
from ganblocks.kinds.module_capabilities import AddsTerm
from ganblocks.registry import Registry
from ganblocks.testing.cases import Arguments, SiteCase, call
from ganblocks.testing.checks.attention import expect_all_wrapped
from ganblocks.testing.checks.modules import is_score, stands_anywhere_or_says_why_not
from ganblocks.testing.promises import MEETING, expect, expect_close, expect_same, expect_shape, only_if, promise, tried_with
from ganblocks.testing.strategies import batches, components, scales, seeds, sites
from ganblocks.testing.toys import toy_game
from ganblocks.values import Classes, Player, View

_one = st.just((1, 1))


@frozen(kw_only=True)
class HeadCase(SiteCase):
    """A head, pooled features and labels."""

    kind: ClassVar[str] = "conditioning"

    def features(self) -> Tensor:
        """[B, C]."""
        return self.scale * self.normal(self.batch, self.site.channels)

    def arguments(self) -> Arguments:
        return self.features(), self.condition()

    def shape(self) -> tuple[int, ...]:
        return (self.batch,)


def _heads(cls: type, registry: Registry, given: Sequence[Any], channels: SearchStrategy[int]) -> SearchStrategy[HeadCase]:
    places = sites(_one, channels).filter(lambda site: site.condition is None or isinstance(site.condition, Classes))
    drawn = components(cls, registry, given)
    return st.builds(HeadCase, component=drawn, seed=seeds, batch=batches, scale=scales, site=places)


@tried_with("conditioning")
def heads(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[HeadCase]:
    return _heads(cls, registry, given, st.sampled_from([8, 4, 16]))


def anywhere(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[HeadCase]:
    return _heads(cls, registry, given, st.integers(1, 20))


promise("conditioning", cases=anywhere)(stands_anywhere_or_says_why_not)


@promise("conditioning")
def its_layers_take_the_weight_norm(case: HeadCase) -> None:
    """Every layer with a weight goes through site.layer, so that the weight norm of the recipe reaches it."""
    expect_all_wrapped(case)


@promise("conditioning")
def samples_meet_only_if_it_says_so(case: HeadCase) -> None:
    """Its term for a batch is the mean of those for its halves, so that microbatches add up; or it inherits CouplesSamples."""
    only_if(not isinstance(case.component, CouplesSamples), "says that samples meet in it")
    case = case.but(batch=4, scale=case.scale or 1.0)
    head, (features, label) = case.build(), case.arguments()
    adding = list(capable(head, AddsTerm))
    only_if(adding, "adds no term")
    for module in adding:
        for player in Player:

            def term(part: slice, module: AddsTerm = module, player: Player = player) -> Tensor:
                return module.term(_turn(head, player, features[part], None if label is None else label[part]))

            halves = torch.stack([term(slice(0, 2)), term(slice(2, 4))]).mean()
            expect_close(halves, term(slice(4)), f"its term: the mean of two halves of a batch, for the whole{MEETING}", 1e-4)


def _turn(head: nn.Module, player: Player, features: Tensor, label: Tensor | None) -> PlayedTurn:
    """A turn in which real images and fakes have the same features."""
    image = torch.zeros(len(features), 1, 8, 8)
    view = View(image, label, is_score(head(features, label)))
    return PlayedTurn(toy_game(), player, 0, torch.zeros(len(features), 6), torch.Generator(), view, view)


@promise("conditioning")
def returns_a_whole_score(case: HeadCase) -> None:
    """It returns a Score: logits [B] in float32 also under autocast, the features as they came, class logits [B, K] if any."""
    module, (features, label) = case.build(), case.arguments()
    with torch.autocast("cpu", torch.bfloat16):
        score = is_score(call(module, (features, label)))
    expect_shape(score.logits, (case.batch,), "logits")
    expect(score.logits.dtype == torch.float32, f"logits under autocast: {score.logits.dtype}, not float32")
    if score.features is None:
        expect(False, "the score carries no features, which penalties and augmentations of others read")
    else:
        expect_same(score.features, features, "the features in the score")
    if score.classes is not None and isinstance(case.site.condition, Classes):
        expect_shape(score.classes, (case.batch, case.site.condition.count), "class logits")
