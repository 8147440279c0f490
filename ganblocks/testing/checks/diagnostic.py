"""How diagnostics are tried, and what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.errors import DataError
from ganblocks.registry import Registry
from ganblocks.testing.cases import Case, awake, state
from ganblocks.testing.checks.generator import root
from ganblocks.testing.promises import expect, expect_same, promise, tried_with
from ganblocks.testing.strategies import components, seeds
from ganblocks.testing.toys import Identity, ToyGenerator
from ganblocks.values import ImageSpec, Player

CLASSES = 3


@frozen(kw_only=True)
class DiagnosticCase(Case):
    """A diagnostic and a toy generator."""

    kind: ClassVar[str] = "diagnostic"

    def generator(self) -> nn.Module:
        """Return a module in evaluation mode: forward(z [B, 6], label of 3 classes) -> image [B, 1, 8, 8]."""
        image = ImageSpec(channels=1, size=8, classes=CLASSES)
        return awake(ToyGenerator(attention=Identity()).build(image, root(Player.GENERATOR, image, self.seed))).eval()

    def examine(self, generate: Callable[[Tensor, Tensor | None], Tensor]) -> dict[str, float]:
        """Return the numbers of a generator at latents [5, 6]."""
        latent, label = self.normal(5, 6, key="latent"), self.labels(CLASSES, 5)
        numbers: dict[str, float] = self.component.examine(generate, latent, label, self.seed)
        return numbers


@tried_with("diagnostic")
def diagnostics(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[DiagnosticCase]:
    """Draw a case with any options."""
    return st.builds(DiagnosticCase, component=components(cls, registry, given), seed=seeds)


@promise("diagnostic")
def says_which_way_is_better(case: DiagnosticCase) -> None:
    """`better` names the leading numbers, all of which it returns, and their direction."""
    better = case.component.better
    expect(better and set(better.values()) <= {"higher", "lower"}, f"better is {better!r}")
    missing = set(better) - set(case.examine(case.generator()))
    expect(not missing, f"better names {sorted(missing)}, which it does not return")


@promise("diagnostic")
def returns_finite_numbers(case: DiagnosticCase) -> None:
    """It returns a dict of names and finite Python floats."""
    for name, value in case.examine(case.generator()).items():
        expect(isinstance(name, str) and isinstance(value, float) and math.isfinite(value), f"{name!r} is {value!r}")


@promise("diagnostic")
def repeats_itself(case: DiagnosticCase) -> None:
    """Equal generators, latents and seeds give equal numbers, whatever else was drawn."""
    torch.manual_seed(1)
    once = case.examine(case.generator())
    torch.manual_seed(2)
    again = case.examine(case.generator())
    expect(once == again, f"{once}, then {again}")


@promise("diagnostic")
def leaves_the_generator_unchanged(case: DiagnosticCase) -> None:
    """No parameter or buffer of the generator changes, and no parameter gets a gradient."""
    network = case.generator()
    before = state(network)
    case.examine(network)
    for name, value in state(network).items():
        expect_same(value, before[name], f"the generator's {name}, once examined")
    touched = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
    expect(not touched, f"gradients reached the generator: {', '.join(touched)}")


@promise("diagnostic")
def refuses_a_broken_generator(case: DiagnosticCase) -> None:
    """A generator whose images are not finite is refused by a DataError."""
    network = case.generator()
    try:
        numbers = case.examine(lambda z, label: network(z, label) * torch.nan)
    except DataError:
        return
    expect(False, f"images that are not finite score {numbers}")
