"""How discriminators are tested, and the properties that only they have."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen

from ganblocks.testing import expect
from ganblocks.testing.cases import Arguments, NetworkCase, call, drawn
from ganblocks.testing.checks.learning import LEARNING_IN_A_GAME
from ganblocks.testing.checks.modules import PLACED_PROPERTIES, score_under_autocast, stands_anywhere_or_says_why_not
from ganblocks.testing.properties import properties
from ganblocks.testing.strategies import any_images, batches, images
from ganblocks.values import Score


@frozen(kw_only=True)
class DiscriminatorCase(NetworkCase):
    """A discriminator, images and labels."""

    kind: ClassVar[str] = "discriminator"

    def arguments(self) -> Arguments:
        """Return images [B, C, H, W] and labels [B] or None."""
        return self.scale * self.normal(self.batch, *self.spec.shape).tanh(), self.label()


def returns_a_whole_score(case: DiscriminatorCase) -> None:
    """It returns a Score whose logits are [B] in float32, also under autocast; features are [B, C], class logits [B, K]."""
    score = score_under_autocast(case.build(), case)
    if score.features is not None:
        expect.that(score.features.ndim == 2 and len(score.features) == case.batch, f"features: {list(score.features.shape)}")
    if score.classes is not None:
        expect.shape(score.classes, (case.batch, case.spec.classes), "class logits")


def the_image_matters(case: DiscriminatorCase) -> None:
    """Logits depend on the image."""
    case = case.but(batch=8)
    module, (image, label) = case.build().eval(), case.arguments()
    mine, other = (expect.instance(call(module, (x, label)), Score).logits for x in (image, -image))
    expect.that((mine != other).any(), "images and their negatives get the same logits")


CASES = drawn(DiscriminatorCase, smallest=8, batch=batches, spec=images)
PROPERTIES = (
    *PLACED_PROPERTIES,
    *properties(stands_anywhere_or_says_why_not, cases=drawn(DiscriminatorCase, batch=batches, spec=any_images)),
    *properties(returns_a_whole_score, the_image_matters),
    *LEARNING_IN_A_GAME,
)
