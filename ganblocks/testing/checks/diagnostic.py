"""How diagnostics are tested, and their properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.errors import DataError
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, expect_state, perturbed, repeat, state
from ganblocks.testing.checks.metric import expect_directions, expect_finite_floats
from ganblocks.testing.properties import properties
from ganblocks.testing.toys import Identity, ToyGenerator, root_site
from ganblocks.values import ImageSpec, Player

CLASSES = 3


@frozen(kw_only=True)
class DiagnosticCase(Case):
    """A diagnostic and a toy generator."""

    kind: ClassVar[str] = "diagnostic"

    def generator(self) -> nn.Module:
        """Return a module in evaluation mode: forward(z [B, 6], label of 3 classes) -> image [B, 1, 8, 8]."""
        image = ImageSpec(channels=1, size=8, classes=CLASSES)
        site = root_site(Player.GENERATOR, image, self.seed)
        return perturbed(ToyGenerator(attention=Identity()).build(image, site)).eval()

    def examine(self, generate: Callable[[Tensor, Tensor | None], Tensor] | None = None) -> dict[str, float]:
        """Return the numbers of a generator, or of a new one, at latents [5, 6]."""
        latent, label = self.normal(5, 6, key="latent"), self.labels(CLASSES, 5)
        numbers: dict[str, float] = self.component.examine(generate or self.generator(), latent, label, self.seed)
        return numbers


def says_which_way_is_better(case: DiagnosticCase) -> None:
    """`better` names the leading numbers, all of which it returns, and their direction."""
    expect_directions(case.component.better, case.examine())


def returns_finite_numbers(case: DiagnosticCase) -> None:
    """It returns a dict of names and finite Python floats."""
    expect_finite_floats(case.examine())


def repeats_itself(case: DiagnosticCase) -> None:
    """Equal generators, latents and seeds give equal numbers, whatever the state of global random numbers."""
    once, again = repeat(case.examine)
    expect.that(once == again, f"{once}, then {again}")


def leaves_the_generator_unchanged(case: DiagnosticCase) -> None:
    """No parameter or buffer of the generator changes, and no parameter gets a gradient."""
    network = case.generator()
    before = state(network)
    case.examine(network)
    expect_state(network, before, "of the generator, once examined")
    touched = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
    expect.that(not touched, f"gradients reached the generator: {', '.join(touched)}")


def refuses_a_broken_generator(case: DiagnosticCase) -> None:
    """A generator whose images are not finite is refused by a DataError."""
    network = case.generator()
    try:
        numbers = case.examine(lambda z, label: network(z, label) * torch.nan)
    except DataError:
        return
    expect.fail(f"images that are not finite score {numbers}")


CASES = drawn(DiagnosticCase)
PROPERTIES = properties(
    says_which_way_is_better, returns_finite_numbers, repeats_itself, leaves_the_generator_unchanged, refuses_a_broken_generator
)
