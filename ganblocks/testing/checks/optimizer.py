"""How optimizers are tried, and what they promise."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import nn

from ganblocks.options import structure
from ganblocks.registry import Registry
from ganblocks.schedules import spanning
from ganblocks.stepping import guarded_step
from ganblocks.testing.cases import Case
from ganblocks.testing.promises import expect, expect_finite, expect_same, promise, tried_with
from ganblocks.testing.strategies import components, seeds

SPAN = 1000
"""Images that a schedule without a length spans here."""


@frozen(kw_only=True)
class OptimizerCase(Case):
    """An optimizer, and parameters with a quadratic to descend."""

    kind: ClassVar[str] = "optimizer"

    def parameters(self) -> list[nn.Parameter]:
        """A matrix and a vector."""
        return [nn.Parameter(self.normal(3, 2, key="matrix")), nn.Parameter(self.normal(4, key="vector"))]

    def start(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = spanning(self.component, SPAN).start(parameters)
        return optimizer

    def settings(self, images_seen: int) -> dict[str, Any]:
        found: dict[str, Any] = spanning(self.component, SPAN).settings(images_seen)
        return found


@tried_with("optimizer")
def optimizers(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[OptimizerCase]:
    return st.builds(OptimizerCase, component=components(cls, registry, given), seed=seeds)


def step(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], rate: float) -> float:
    """One step down half the sum of squares, at ``rate``; returns the value before it."""
    for parameter in parameters:
        parameter.grad = parameter.detach().clone()
    guarded_step(optimizer, {"lr": rate})
    return float(sum(p.detach().square().sum() for p in parameters))


@promise("optimizer")
def takes_all_parameters(case: OptimizerCase) -> None:
    """start returns a torch optimizer over all parameters that it was given, each once."""
    parameters = case.parameters()
    optimizer = case.start(parameters)
    expect(isinstance(optimizer, torch.optim.Optimizer), f"start returns a {type(optimizer).__name__}")
    held = [id(each) for group in optimizer.param_groups for each in group["params"]]
    expect(sorted(held) == sorted(map(id, parameters)), f"it holds {len(held)} of {len(parameters)} parameters")


@promise("optimizer")
def says_its_rate(case: OptimizerCase) -> None:
    """settings always has `lr`, a finite number of at least 0, at any moment; what it names, parameter groups know."""
    known = set(case.start(case.parameters()).param_groups[0])
    for images_seen in (0, 1, SPAN // 2, SPAN, 10 * SPAN):
        settings = case.settings(images_seen)
        rate = settings.get("lr")
        valid = isinstance(rate, float | int) and math.isfinite(rate) and rate >= 0
        expect(valid, f"after {images_seen} images lr is {rate!r}")
        expect(set(settings) <= known, f"settings names {sorted(set(settings) - known)}, which torch's optimizer does not know")


def as_it_comes(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[OptimizerCase]:
    """Default options only: with extreme ones, such as a momentum near 1, 30 steps may well overshoot."""
    ours = list(given) or [structure(cls, {}, "optimizer", registry.get)]
    return st.builds(OptimizerCase, component=st.sampled_from(ours), seed=seeds)


@promise("optimizer", cases=as_it_comes)
def descends(case: OptimizerCase) -> None:
    """With default options 30 small steps go down a quadratic, and every parameter moves."""
    parameters = case.parameters()
    before = [parameter.detach().clone() for parameter in parameters]
    optimizer = case.start(parameters)
    values = [step(optimizer, parameters, 1e-3) for _ in range(30)]
    expect(values[-1] < values[0], f"half the sum of squares went from {values[0]:.6g} to {values[-1]:.6g}")
    for parameter, was in zip(parameters, before, strict=True):
        expect_finite(parameter, "a parameter")
        expect((parameter != was).any(), "a parameter did not move")


@promise("optimizer")
def its_state_restores_bit_for_bit(case: OptimizerCase) -> None:
    """Restored from its state_dict after three steps, it goes on exactly as if it had never stopped."""
    parameters = case.parameters()
    optimizer = case.start(parameters)
    for _ in range(3):
        step(optimizer, parameters, 1e-2)
    others = [nn.Parameter(parameter.detach().clone()) for parameter in parameters]
    restored = case.start(others)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(3):
        step(optimizer, parameters, 1e-2)
        step(restored, others, 1e-2)
    for mine, theirs in zip(parameters, others, strict=True):
        expect_same(theirs, mine, "a parameter three steps after restoring")
