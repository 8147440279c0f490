"""How discriminators are tried, and what only they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ganblocks.registry import Registry
from ganblocks.testing.cases import Arguments, NetworkCase, call
from ganblocks.testing.checks.generator import root
from ganblocks.testing.checks.modules import is_score, stands_anywhere_or_says_why_not
from ganblocks.testing.promises import expect, expect_shape, promise, tried_with
from ganblocks.testing.strategies import batches, components, images, seeds
from ganblocks.values import ImageSpec, Player


@frozen(kw_only=True)
class DiscriminatorCase(NetworkCase):
    """A discriminator, images and labels."""

    kind: ClassVar[str] = "discriminator"

    def arguments(self) -> Arguments:
        spec = self.spec
        return self.scale * self.normal(self.batch, *spec.shape).tanh(), self.label()

    def shape(self) -> tuple[int, ...]:
        return (self.batch,)


@st.composite
def _cases(draw: st.DrawFn, drawn: SearchStrategy[Any], specs: SearchStrategy[ImageSpec]) -> DiscriminatorCase:
    image, seed = draw(specs), draw(seeds)
    site = root(Player.DISCRIMINATOR, image, seed)
    return DiscriminatorCase(component=draw(drawn), seed=seed, batch=draw(batches), spec=image, site=site)


@tried_with("discriminator")
def discriminators(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[DiscriminatorCase]:
    return _cases(components(cls, registry, given, smallest=8), images([8, 16, 32, (8, 16)]))


def anywhere(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[DiscriminatorCase]:
    return _cases(components(cls, registry, given), images([8, 12, 7, 16, 28, (16, 8), (6, 4)]))


promise("discriminator", cases=anywhere)(stands_anywhere_or_says_why_not)


@promise("discriminator")
def returns_a_whole_score(case: DiscriminatorCase) -> None:
    """It returns a Score whose logits are [B] in float32, also under autocast; features are [B, C], class logits [B, K]."""
    module = case.build()
    with torch.autocast("cpu", torch.bfloat16):
        score = is_score(call(module, case.arguments()))
    expect_shape(score.logits, (case.batch,), "logits")
    expect(score.logits.dtype == torch.float32, f"logits under autocast: {score.logits.dtype}, not float32")
    if score.features is not None:
        expect(score.features.ndim == 2 and len(score.features) == case.batch, f"features: {list(score.features.shape)}")
    if score.classes is not None:
        expect_shape(score.classes, (case.batch, case.spec.classes), "class logits")


@promise("discriminator")
def the_image_matters(case: DiscriminatorCase) -> None:
    """Other images give other logits: the image reaches the score."""
    case = case.but(batch=8)
    module, (image, label) = case.build().eval(), case.arguments()
    mine, other = (is_score(call(module, (each, label))).logits for each in (image, -image))
    expect((mine != other).any(), "images and their negatives get the same logits")
