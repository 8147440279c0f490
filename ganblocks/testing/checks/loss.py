"""How losses are tested, and their properties."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor

from ganblocks.kinds.component_capabilities import CouplesSamples
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.gradients import expect_gradients
from ganblocks.testing.properties import properties


@frozen(kw_only=True)
class LossCase(Case):
    """A loss and two batches of logits."""

    kind: ClassVar[str] = "loss"

    batch: int = 3
    scale: float = 1.0

    def logits(self, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Return logits [B] of real and of generated images."""
        real, fake = (self.scale * self.normal(self.batch, key=key).to(dtype) for key in ("real", "fake"))
        return real, fake

    def losses(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        """Return name -> loss (0-dim) of the logits [B] of real and of generated images, for both players."""
        loss = self.component
        reads_real = loss.generator_reads_real
        return {
            "the discriminator's loss": loss.for_discriminator,
            "the generator's loss": lambda real, fake: loss.for_generator(real if reads_real else None, fake),
        }


def is_one_number_of_the_logits_type(case: LossCase) -> None:
    """Both losses are 0-dim, in the type of the logits, float32 and float64."""
    for dtype in (torch.float32, torch.float64):
        for name, loss in case.losses().items():
            value = loss(*case.logits(dtype))
            expect.that(value.ndim == 0, f"{name} has shape {list(value.shape)}, not 0-dim")
            expect.that(value.dtype == dtype, f"{name} is {value.dtype} for logits of {dtype}")


def stays_finite_for_extreme_logits(case: LossCase) -> None:
    """Values and gradients are finite for logits up to ±10,000."""
    for sign in (1, -1):
        real, fake = ((sign * 1e4 * logits.sign()).requires_grad_() for logits in case.but(scale=1.0).logits())
        for name, loss in case.losses().items():
            value = loss(real, fake)
            expect.finite(value, f"{name} for logits of ±10,000")
            for gradient in torch.autograd.grad(value, (real, fake), allow_unused=True):
                if gradient is not None:
                    expect.finite(gradient, f"the gradient of {name} for logits of ±10,000")


def pulls_in_the_right_direction(case: LossCase) -> None:
    """At logits of 0 the discriminator's loss falls when real rises and fake falls; the generator's falls when fake rises."""
    real, fake = (torch.zeros(case.batch).requires_grad_() for _ in range(2))
    discriminator, generator = case.losses().values()
    by_real, by_fake = (gradient.sum() for gradient in torch.autograd.grad(discriminator(real, fake), (real, fake)))
    swapped = "are real and fake swapped?"
    expect.that(by_real < 0, f"the discriminator's loss rises with the real logits (slope {by_real:.3g}): {swapped}")
    expect.that(by_fake >= 0, f"the discriminator's loss falls with the fake logits (slope {by_fake:.3g}): {swapped}")
    slope = torch.autograd.grad(generator(real, fake), fake)[0].sum()
    expect.that(slope < 0, f"the generator's loss does not fall as its fakes score higher (slope {slope:.3g})")


def gradients_are_those_of_the_value(case: LossCase) -> None:
    """Gradients by real and fake logits agree with finite differences in float64."""
    real, fake = (logits.requires_grad_() for logits in case.but(scale=1.3).logits(torch.float64))
    for name, loss in case.losses().items():
        both = "discriminator" in name or case.component.generator_reads_real
        expect_gradients(partial(loss, real, fake), [real, fake] if both else [fake], f"{name}: ")


def is_a_mean_over_the_batch(case: LossCase) -> None:
    """The batch twice over gives the same loss, and so does the batch in another order."""
    real, fake = case.logits(torch.float64)
    for name, loss in case.losses().items():
        once = loss(real, fake)
        expect.close(loss(real.repeat(2), fake.repeat(2)), once, f"{name} of the batch twice over", 1e-6)
        expect.close(loss(real.flip(0), fake.flip(0)), once, f"{name} of the batch in reverse", 1e-6)


def samples_meet_only_if_it_says_so(case: LossCase) -> None:
    """Its value for a batch is the mean of those for its halves, so that microbatches add up; or it inherits CouplesSamples."""
    couples = isinstance(case.component, CouplesSamples)
    real, fake = case.but(batch=2 * case.batch, scale=case.scale or 1.0).logits(torch.float64)
    gaps = []
    for name, loss in case.losses().items():
        whole = loss(real, fake)
        halves = torch.stack([loss(*half) for half in zip(real.chunk(2), fake.chunk(2), strict=True)]).mean()
        gaps.append((whole - halves).abs())
        if not couples:
            expect.close(halves, whole, f"{name}: the mean of two halves, for the whole batch{expect.HINT}", 1e-6)
    expect.that(not couples or max(gaps) > 0, "inherits CouplesSamples, but the mean of two halves is that of the whole")


def has_no_memory(case: LossCase) -> None:
    """The same logits give the same loss, whatever came before, and are not modified."""
    real, fake = case.logits()
    for name, loss in case.losses().items():
        once = loss(real, fake)
        loss(fake + 1, real - 1)
        expect.same(loss(real, fake), once, f"{name} of the same logits again")
    for name, now, was in zip(("real", "fake"), (real, fake), case.logits(), strict=True):
        expect.same(now, was, f"the {name} logits")


def reads_real_in_the_generator_s_turn_only_if_it_says_so(case: LossCase) -> None:
    """`generator_reads_real` is a bool, and true exactly where the generator's loss depends on the real logits."""
    declared = case.component.generator_reads_real
    expect.that(isinstance(declared, bool), f"generator_reads_real is {declared!r}, not True or False")
    real, fake = case.but(scale=1.0).logits()
    loss = case.component.for_generator
    if declared:
        moved = any(loss(real, fake) != loss(other, fake) for other in (real + 1, 2 * real))
        expect.that(moved, "generator_reads_real is True, but the generator's loss is the same for other real logits")
        return
    try:
        without = loss(None, fake)
    except Exception as error:  # a plugin's loss may raise anything
        expect.fail(
            f"generator_reads_real is False, but the generator's loss of fake logits alone raises {type(error).__name__}"
        )
    for given in (real, real + 1):
        try:
            same = loss(given, fake) == without
        except Exception:  # training never passes any, and the loss may insist on that
            return
        expect.that(same, "generator_reads_real is False, but the generator's loss is another where it is given real logits")


CASES = drawn(LossCase, batch=st.integers(1, 5), scale=st.sampled_from([1.0, 10.0, 0.0]))
PROPERTIES = (
    *properties(
        is_one_number_of_the_logits_type,
        stays_finite_for_extreme_logits,
        pulls_in_the_right_direction,
        gradients_are_those_of_the_value,
        is_a_mean_over_the_batch,
        samples_meet_only_if_it_says_so,
        has_no_memory,
        reads_real_in_the_generator_s_turn_only_if_it_says_so,
    ),
    *LEARNING,
)
