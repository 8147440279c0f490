"""Cases: one component, where it stands, and what it is fed: what a check is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar

import torch
from attrs import evolve, frozen
from hypothesis import reject
from torch import Tensor, nn

from ganblocks.errors import PlacementError
from ganblocks.kinds.module_capabilities import Gated
from ganblocks.seeding import seed_of, seeded
from ganblocks.site import Site
from ganblocks.values import (
    Classes,
    ImageSpec,
    Score,
    Vector,
)

C = TypeVar("C", bound="Case")
P = TypeVar("P", bound="PlacedCase")
Arguments = tuple[Any, ...]


@frozen(kw_only=True)
class Case:
    """A component with drawn options, and a seed for whatever else is drawn."""

    kind: ClassVar[str] = ""

    component: Any
    seed: int = 0

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {value}" for name, value in self.facts().items())
        return f"{self.component}{' with ' if facts else ''}{facts}"

    def facts(self) -> dict[str, Any]:
        """What else the example consists of, by name."""
        return {}

    def but(self: C, **changes: Any) -> C:
        return evolve(self, **changes)

    def normal(self, *shape: int, key: object = "input") -> Tensor:
        """Standard normal numbers that depend on the case's seed and the key."""
        return torch.randn(shape, generator=self.rng(key))

    def labels(self, classes: int, count: int, key: object = "label") -> Tensor:
        return torch.randint(classes, (count,), generator=self.rng(key))

    def rng(self, key: object) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(self.seed, key) >> 1)


@frozen(kw_only=True)
class ModuleCase(Case):
    """A component that builds a module, and a batch for it."""

    batch: int = 2
    scale: float = 1.0
    """What the input is multiplied by."""

    def make(self) -> nn.Module:
        """The module as the component builds it. Raises PlacementError where it refuses."""
        raise NotImplementedError

    def arguments(self) -> Arguments:
        """What the module is called with; tensors and None."""
        raise NotImplementedError

    def shape(self) -> tuple[int, ...]:
        """The shape that the first tensor of its output must have."""
        raise NotImplementedError

    def fresh(self) -> nn.Module:
        """The module as built; where it refuses to stand, another example is tried."""
        try:
            return self.make()
        except PlacementError:
            reject()

    def build(self) -> nn.Module:
        """The module with every parameter moved off its start: no gate is 0, no table is constant, so all arithmetic counts."""
        return awake(self.fresh())


@frozen(kw_only=True)
class PlacedCase(ModuleCase):
    """A module that is told where it stands."""

    site: Site

    def at(self: P, **changes: Any) -> P:
        """The same, at a place that differs."""
        return self.but(site=evolve(self.site, **changes))


@frozen(kw_only=True)
class SiteCase(PlacedCase):
    """A block that is built at a place of a network."""

    def make(self) -> nn.Module:
        return self.site.build(self.component)

    def facts(self) -> dict[str, Any]:
        site = self.site
        return {
            "channels": site.channels,
            "size": f"{site.height}×{site.width}",
            "condition": site.condition,
            "batch": self.batch,
            "inputs scaled by": self.scale,
        }

    def image(self) -> Tensor:
        """[B, C, H, W]."""
        return self.scale * self.normal(self.batch, self.site.channels, self.site.height, self.site.width)

    def condition(self) -> Tensor | None:
        match self.site.condition:
            case Classes(count):
                return self.labels(count, self.batch)
            case Vector(width):
                return self.normal(self.batch, width, key="condition")
        return None


@frozen(kw_only=True)
class NetworkCase(PlacedCase):
    """A whole network and the images that it makes or judges."""

    spec: ImageSpec

    def make(self) -> nn.Module:
        with seeded(seed_of(self.site.seed, self.site.path)):
            module: nn.Module = self.component.build(self.spec, self.site)
            return module

    def facts(self) -> dict[str, Any]:
        return {
            "images": "×".join(map(str, self.spec.shape)),
            "classes": self.spec.classes,
            "batch": self.batch,
            "inputs scaled by": self.scale,
        }

    def label(self) -> Tensor | None:
        return self.labels(self.spec.classes, self.batch) if self.spec.classes else None


def awake(module: nn.Module) -> nn.Module:
    """Move every parameter a little, the same way each time, and open every gate."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng).to(parameter))
        for each in module.modules():
            if isinstance(each, Gated):
                each.gamma.fill_(0.7)
    return module


def call(module: nn.Module, arguments: Arguments) -> Any:
    """The module's output; whatever it draws from torch's global numbers is the same each time."""
    with seeded(0):
        return module(*arguments)


def tensors(output: Any) -> list[Tensor]:
    """The tensors of an output, a Score's logits first."""
    parts = output if isinstance(output, Score) else (output,)
    return [part for part in parts if isinstance(part, Tensor)]


def first(output: Any) -> Tensor:
    return tensors(output)[0]


def state(module: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers, also those that are not saved."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach().clone() for name, value in named}


def converted(arguments: Arguments, convert: Any) -> Arguments:
    """The floating tensors among arguments, converted; all else as it is."""
    return tuple(convert(each) if isinstance(each, Tensor) and each.is_floating_point() else each for each in arguments)


def differentiable(module: nn.Module, arguments: Arguments) -> Iterator[Tensor]:
    """What a module's output may be differentiated by: floating inputs that require grad, and parameters that do."""
    for each in (*arguments, *module.parameters()):
        if isinstance(each, Tensor) and each.requires_grad:
            yield each
