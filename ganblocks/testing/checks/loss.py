"""How losses are tried, and what they promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from ganblocks.kinds.component_capabilities import CouplesSamples
from ganblocks.registry import Registry
from ganblocks.testing.cases import Case
from ganblocks.testing.promises import MEETING, broken, expect, expect_close, expect_finite, expect_same, promise, tried_with
from ganblocks.testing.strategies import components, seeds


@frozen(kw_only=True)
class LossCase(Case):
    """A loss and two batches of logits."""

    kind: ClassVar[str] = "loss"

    batch: int = 3
    scale: float = 1.0

    def facts(self) -> dict[str, Any]:
        return {"batch": self.batch, "logits scaled by": self.scale}

    def logits(self) -> tuple[Tensor, Tensor]:
        return self.scale * self.normal(self.batch, key="real"), self.scale * self.normal(self.batch, key="fake")

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        value: Tensor = self.component.for_discriminator(real, fake)
        return value

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        value: Tensor = self.component.for_generator(real if self.component.generator_reads_real else None, fake)
        return value

    def players(self) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
        return {"the discriminator's loss": self.discriminator, "the generator's loss": self.generator}


@tried_with("loss")
def losses(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[LossCase]:
    drawn = components(cls, registry, given)
    sizes, scales = st.integers(1, 5), st.sampled_from([1.0, 10.0, 0.0])
    return st.builds(LossCase, component=drawn, seed=seeds, batch=sizes, scale=scales)


@promise("loss")
def is_one_number_of_the_logits_type(case: LossCase) -> None:
    """Both losses are 0-dim, in the type of the logits, float32 and float64."""
    for dtype in (torch.float32, torch.float64):
        real, fake = (each.to(dtype) for each in case.logits())
        for name, loss in case.players().items():
            value = loss(real, fake)
            expect(value.ndim == 0, f"{name} has shape {list(value.shape)}, not 0-dim")
            expect(value.dtype == dtype, f"{name} is {value.dtype} for logits of {dtype}")


@promise("loss")
def stays_finite_for_extreme_logits(case: LossCase) -> None:
    """Values and gradients are finite for logits up to ±10,000."""
    for sign in (1, -1):
        real, fake = ((sign * 1e4 * each.sign()).requires_grad_() for each in case.but(scale=1.0).logits())
        for name, loss in case.players().items():
            value = loss(real, fake)
            expect_finite(value, f"{name} for logits of ±10,000")
            for gradient in torch.autograd.grad(value, (real, fake), allow_unused=True):
                if gradient is not None:
                    expect_finite(gradient, f"the gradient of {name} for logits of ±10,000")


@promise("loss")
def pulls_in_the_right_direction(case: LossCase) -> None:
    """At logits of 0 the discriminator's loss falls when real rises and fake falls; the generator's falls when fake rises."""
    real, fake = (torch.zeros(case.batch).requires_grad_() for _ in range(2))
    up, down = torch.autograd.grad(case.discriminator(real, fake), (real, fake))
    expect(up.sum() < 0, f"the discriminator's loss rises with the real logits (slope {up.sum():.3g}): are the sides swapped?")
    expect(
        down.sum() >= 0, f"the discriminator's loss falls with the fake logits (slope {down.sum():.3g}): are the sides swapped?"
    )
    (pull,) = torch.autograd.grad(case.generator(real, fake), fake)
    expect(pull.sum() < 0, f"the generator's loss does not fall as its fakes score higher (slope {pull.sum():.3g})")


@promise("loss")
def gradients_are_those_of_the_value(case: LossCase) -> None:
    """Gradients by real and fake logits agree with finite differences in float64."""
    real, fake = (each.double().requires_grad_() for each in case.but(scale=1.3).logits())
    for name, loss in case.players().items():
        leaves = [fake] if name.startswith("the generator") and not case.component.generator_reads_real else [real, fake]
        gradients = torch.autograd.grad(loss(real, fake), leaves, allow_unused=True)
        for leaf, gradient in zip(leaves, gradients, strict=True):
            expect_close(
                torch.zeros_like(leaf) if gradient is None else gradient,
                _slopes(loss, real, fake, leaf),
                f"the gradient of {name}",
                1e-5,
            )


@promise("loss")
def is_a_mean_over_the_batch(case: LossCase) -> None:
    """The batch twice over gives the same loss, and so does the batch in another order."""
    real, fake = (each.double() for each in case.logits())
    for name, loss in case.players().items():
        once = loss(real, fake)
        expect_close(loss(real.repeat(2), fake.repeat(2)), once, f"{name} of the batch twice over", 1e-6)
        expect_close(loss(real.flip(0), fake.flip(0)), once, f"{name} of the batch in reverse", 1e-6)


@promise("loss")
def samples_meet_only_if_it_says_so(case: LossCase) -> None:
    """Its value for a batch is the mean of those for its halves, so that microbatches add up; or it inherits CouplesSamples."""
    says = isinstance(case.component, CouplesSamples)
    real, fake = (each.double() for each in case.but(batch=2 * case.batch, scale=case.scale or 1.0).logits())
    gaps = []
    for name, loss in case.players().items():
        whole = loss(real, fake)
        halves = torch.stack([loss(*half) for half in zip(real.chunk(2), fake.chunk(2), strict=True)]).mean()
        gaps.append((whole - halves).abs())
        if not says:
            expect_close(halves, whole, f"{name}: the mean of two halves of a batch, for the whole{MEETING}", 1e-6)
    expect(not says or max(gaps) > 0, "inherits CouplesSamples, but the mean of two halves of a batch is that of the whole")


@promise("loss")
def has_no_memory(case: LossCase) -> None:
    """The same logits give the same loss, whatever came before; the logits stay as they are."""
    real, fake = case.logits()
    kept = real.clone(), fake.clone()
    for name, loss in case.players().items():
        once = loss(real, fake)
        loss(fake + 1, real - 1)
        expect_same(loss(real, fake), once, f"{name} of the same logits again")
    expect_same(real, kept[0], "the real logits")
    expect_same(fake, kept[1], "the fake logits")


@promise("loss")
def reads_real_in_the_generator_s_turn_only_if_it_says_so(case: LossCase) -> None:
    """`generator_reads_real` is a bool, and true just where the generator's loss depends on the real logits."""
    states = case.component.generator_reads_real
    expect(isinstance(states, bool), f"generator_reads_real is {states!r}, not True or False")
    real, fake = case.but(scale=1.0).logits()
    loss = case.component.for_generator
    if states:
        moved = any(loss(real, fake) != loss(other, fake) for other in (real + 1, 2 * real))
        expect(moved, "generator_reads_real is True, but the generator's loss is the same for other real logits")
        return
    try:
        without = loss(None, fake)
    except Exception as error:  # a stranger's loss may raise anything
        broken(f"generator_reads_real is False, but without real logits the generator's loss raises {type(error).__name__}")
    for given in (real, real + 1):
        try:
            same = loss(given, fake) == without
        except Exception:  # it is never given any, and may insist on that
            return
        expect(same, "generator_reads_real is False, but the generator's loss is another where it is given real logits")


def _slopes(loss: Callable[[Tensor, Tensor], Tensor], real: Tensor, fake: Tensor, leaf: Tensor) -> Tensor:
    """Central differences by each value of ``leaf``, which is one of real and fake."""
    slopes, width = torch.zeros_like(leaf), 1e-6
    with torch.no_grad():
        for i in range(len(leaf)):
            sides = []
            for shift in (width, -2 * width, width):
                leaf[i] += shift
                sides.append(float(loss(real, fake)))
            slopes[i] = (sides[0] - sides[1]) / (2 * width)
    return slopes
