"""How generators are tested, and the properties that only they have."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen

from ganblocks.testing import expect
from ganblocks.testing.cases import Arguments, NetworkCase, call, drawn
from ganblocks.testing.checks.learning import LEARNING_IN_A_GAME
from ganblocks.testing.checks.modules import PLACED_PROPERTIES, stands_anywhere_or_says_why_not
from ganblocks.testing.properties import properties
from ganblocks.testing.strategies import any_images, batches, images


@frozen(kw_only=True)
class GeneratorCase(NetworkCase):
    """A generator, latents and labels."""

    kind: ClassVar[str] = "generator"

    def arguments(self) -> Arguments:
        """Return latents [B, N] and labels [B] or None."""
        return self.scale * self.normal(self.batch, self.component.latent), self.label()

    def shape(self) -> tuple[int, ...]:
        return (self.batch, *self.spec.shape)


def its_images_are_within_range(case: GeneratorCase) -> None:
    """Images are finite and within [-1, 1], also under autocast and for latents ten times too long."""
    module = case.build()
    with torch.autocast("cpu", torch.bfloat16):
        for scale in (1.0, 10.0):
            image = call(module, case.but(scale=scale).arguments())
            expect.finite(image, f"images for latents of scale {scale:g}")
            expect.that(image.abs().max() <= 1, f"images reach {image.abs().max():.3g}, outside [-1, 1]")


def the_latent_matters(case: GeneratorCase) -> None:
    """Images depend on the latent."""
    module, (z, label) = case.build().eval(), case.arguments()
    expect.that((call(module, (z, label)) != call(module, (-z, label))).any(), "z and -z give the same images")


CASES = drawn(GeneratorCase, smallest=8, batch=batches, spec=images)
PROPERTIES = (
    *PLACED_PROPERTIES,
    *properties(stands_anywhere_or_says_why_not, cases=drawn(GeneratorCase, batch=batches, spec=any_images)),
    *properties(its_images_are_within_range, the_latent_matters),
    *LEARNING_IN_A_GAME,
)
