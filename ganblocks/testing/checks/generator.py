"""How generators are tried, and what only they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ganblocks.registry import Registry
from ganblocks.site import Site
from ganblocks.testing.cases import Arguments, NetworkCase, call
from ganblocks.testing.checks.modules import stands_anywhere_or_says_why_not
from ganblocks.testing.promises import expect, expect_finite, promise, tried_with
from ganblocks.testing.strategies import batches, components, images, seeds
from ganblocks.values import Classes, ImageSpec, Player


@frozen(kw_only=True)
class GeneratorCase(NetworkCase):
    """A generator, latents and labels."""

    kind: ClassVar[str] = "generator"

    def arguments(self) -> Arguments:
        return self.scale * self.normal(self.batch, self.component.latent), self.label()

    def shape(self) -> tuple[int, ...]:
        return (self.batch, *self.spec.shape)


def root(player: Player, image: ImageSpec, seed: int) -> Site:
    """The root place of a player's network."""
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, player, str(player), condition, seed=seed)


@st.composite
def _cases(draw: st.DrawFn, drawn: SearchStrategy[Any], specs: SearchStrategy[ImageSpec], scale: float) -> GeneratorCase:
    image, seed = draw(specs), draw(seeds)
    site = root(Player.GENERATOR, image, seed)
    return GeneratorCase(component=draw(drawn), seed=seed, batch=draw(batches), scale=scale, spec=image, site=site)


@tried_with("generator")
def generators(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[GeneratorCase]:
    return _cases(components(cls, registry, given, smallest=8), images([8, 16, 32, (8, 16)]), scale=1.0)


def anywhere(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[GeneratorCase]:
    return _cases(components(cls, registry, given), images([8, 12, 7, 16, 28, (16, 8), (6, 4)]), scale=1.0)


promise("generator", cases=anywhere)(stands_anywhere_or_says_why_not)


@promise("generator")
def its_images_are_within_range(case: GeneratorCase) -> None:
    """Images are finite and within [-1, 1], also under autocast and for latents ten times too long."""
    module = case.build()
    with torch.autocast("cpu", torch.bfloat16):
        for scale in (1.0, 10.0):
            image = call(module, case.but(scale=scale).arguments())
            expect_finite(image, f"images for latents of scale {scale:g}")
            expect(image.abs().max() <= 1, f"images reach {image.abs().max():.3g}, outside [-1, 1]")


@promise("generator")
def the_latent_matters(case: GeneratorCase) -> None:
    """Other latents give other images: the latent reaches the image."""
    module = case.build().eval()
    z, label = case.arguments()
    expect((call(module, (z, label)) != call(module, (-z, label))).any(), "z and -z give the same images")
