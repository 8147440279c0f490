"""Cases: a component and what a check tests it on; and the steps that several checks share."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs
import torch
from attrs import evolve, field, frozen
from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganblocks.errors import DataError, PlacementError
from ganblocks.kinds.module_capabilities import Gated
from ganblocks.options import structure
from ganblocks.registry import Registry
from ganblocks.seeding import seed_of, seeded
from ganblocks.site import Site
from ganblocks.testing import expect
from ganblocks.testing.properties import Cases
from ganblocks.testing.strategies import components, seeds
from ganblocks.testing.toys import root_site
from ganblocks.values import Classes, ImageSpec, Player, Score, Vector

C = TypeVar("C", bound="Case")
P = TypeVar("P", bound="PlacedCase")
T = TypeVar("T")
Arguments = tuple[Any, ...]


@frozen(kw_only=True)
class Case:
    """A component with drawn options, and a seed for everything else that is random."""

    kind: ClassVar[str] = ""

    component: Any
    seed: int = 0

    def __str__(self) -> str:
        inputs = [item for item in attrs.fields(type(self)) if item.repr and item.name not in ("component", "seed")]
        text = ", ".join(_described(item.name, getattr(self, item.name)) for item in inputs)
        return f"{self.component}{' with ' if text else ''}{text}"

    def but(self: C, **changes: Any) -> C:
        """Return the case with other fields."""
        return evolve(self, **changes)

    def normal(self, *shape: int, key: object = "input") -> Tensor:
        """Return standard normal numbers of any shape that depend on the case's seed and the key."""
        return torch.randn(shape, generator=self.rng(key))

    def labels(self, classes: int, count: int, key: object = "label") -> Tensor:
        """Return random labels [B]."""
        return torch.randint(classes, (count,), generator=self.rng(key))

    def rng(self, key: object) -> torch.Generator:
        """Return a generator that depends on the case's seed and the key."""
        return torch.Generator().manual_seed(seed_of(self.seed, key) >> 1)


def _described(name: str, value: object) -> str:
    match value:
        case Site():
            return f"channels {value.channels}, size {value.height}×{value.width}, condition {value.condition}"
        case ImageSpec():
            return f"images {'×'.join(map(str, value.shape))}, classes {value.classes}"
        case tuple():
            return f"{name} {'×'.join(map(str, value))}"
    return f"{name} {value}"


def drawn(
    case: type[Case], smallest: int = 0, still: Sequence[type] = (), defaults: bool = False, **inputs: SearchStrategy[Any]
) -> Cases:
    """Return how to draw cases of a class: options as in ``components`` (or the ``defaults``), a seed, and ``inputs``."""

    def cases(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[Case]:
        given = given or ([structure(cls, {}, case.kind, registry.get)] if defaults else [])
        return st.builds(case, component=components(cls, registry, given, smallest, still), seed=seeds, **inputs)

    return cases


@frozen(kw_only=True)
class ModuleCase(Case):
    """A component that builds a module, and a batch for it."""

    batch: int = 2
    scale: float = 1.0
    """Factor of the input."""

    def make(self) -> nn.Module:
        """Return the module as the component builds it. Raise PlacementError where it refuses."""
        raise NotImplementedError

    def arguments(self) -> Arguments:
        """Return the arguments of the module: tensors and None."""
        raise NotImplementedError

    def shape(self) -> tuple[int, ...]:
        """Return the shape that the first tensor of the output must have: [B] unless the kind says otherwise."""
        return (self.batch,)

    def fresh(self) -> nn.Module:
        """Return the module as built; where the component refuses the site, hypothesis draws another example."""
        try:
            return self.make()
        except PlacementError:
            reject()

    def build(self) -> nn.Module:
        """Return the module with perturbed parameters: no gate is 0 and no table constant, so that every operation matters."""
        return perturbed(self.fresh())


@frozen(kw_only=True)
class PlacedCase(ModuleCase):
    """A component that is built for a site."""

    site: Site

    def at(self: P, **changes: Any) -> P:
        """Return the case with a site that differs by ``changes``."""
        return self.but(site=evolve(self.site, **changes))


@frozen(kw_only=True)
class SiteCase(PlacedCase):
    """A block that is built at a site of a network."""

    def make(self) -> nn.Module:
        """Return the block as the site builds it."""
        return self.site.build(self.component)

    def arguments(self) -> Arguments:
        """Return a feature map [B, C, H, W] and its condition."""
        return self.image(), self.condition()

    def shape(self) -> tuple[int, ...]:
        """Return [B, C, H, W]."""
        return (self.batch, self.site.channels, self.site.height, self.site.width)

    def image(self) -> Tensor:
        """Return a feature map [B, C, H, W]."""
        return self.scale * self.normal(self.batch, self.site.channels, self.site.height, self.site.width)

    def condition(self) -> Tensor | None:
        """Return labels [B], vectors [B, N] or None, as the site says."""
        match self.site.condition:
            case Classes(count):
                return self.labels(count, self.batch)
            case Vector(width):
                return self.normal(self.batch, width, key="condition")
        return None


@frozen(kw_only=True)
class NetworkCase(PlacedCase):
    """A whole network, and the images that it makes or scores."""

    spec: ImageSpec
    site: Site = field(repr=False)

    @site.default
    def _root(self) -> Site:
        return root_site(Player(self.kind), self.spec, self.seed)

    def make(self) -> nn.Module:
        """Return the network, with initial values that depend on the site's seed and path."""
        with seeded(seed_of(self.site.seed, self.site.path)):
            module: nn.Module = self.component.build(self.spec, self.site)
            return module

    def label(self) -> Tensor | None:
        """Return labels [B]; None without classes."""
        return self.labels(self.spec.classes, self.batch) if self.spec.classes else None


def perturbed(module: nn.Module) -> nn.Module:
    """Move every parameter a little, the same way each time, and open every gate."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng).to(parameter))
        for part in module.modules():
            if isinstance(part, Gated):
                part.gamma.fill_(0.7)
    return module


def call(module: nn.Module, arguments: Arguments) -> Any:
    """Return the module's output, with torch's global generator seeded with 0."""
    with seeded(0):
        return module(*arguments)


def tensors(output: Any) -> list[Tensor]:
    """Return the tensors of an output, of any shape; a Score's logits first."""
    parts = output if isinstance(output, Score) else (output,)
    return [part for part in parts if isinstance(part, Tensor)]


def first(output: Any) -> Tensor:
    """Return the first tensor of an output, of any shape."""
    return tensors(output)[0]


def state(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers, of any shape, including those that are not saved."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: value.detach().clone() for name, value in named}


def expect_state(module: nn.Module, before: dict[str, Tensor], when: str) -> None:
    """Expect parameters and buffers, of any shape, to equal those of ``before`` bit for bit."""
    after = state(module)
    expect.that(set(after) == set(before), f"{when} its tensors are {sorted(after)[:6]}, not {sorted(before)[:6]}")
    for name, value in before.items():
        expect.same(after[name], value, f"{name} {when}")


def load_from_file(target: Any, source: Any) -> None:
    """Load the state of ``source`` into ``target`` by way of a safetensors file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.safetensors"
        save_file({name: value.contiguous() for name, value in source.state_dict().items()}, path)
        target.load_state_dict(load_file(path))


def repeat(make: Callable[[], T]) -> tuple[T, T]:
    """Return two results of ``make``, called with different states of torch's global generator."""
    with seeded(1):
        once = make()
    with seeded(2):
        return once, make()


def repeat_without_global_draws(make: Callable[[], T], action: str) -> tuple[T, T]:
    """Return two results of ``make`` as ``repeat`` does; expect that it leaves torch's global generator alone."""

    def checked() -> T:
        before = torch.default_generator.get_state()
        result = make()
        unmoved = torch.equal(before, torch.default_generator.get_state())
        expect.that(unmoved, f"{action} advances torch's global random numbers")
        return result

    return repeat(checked)


def opened(component: Any, needs: str) -> Any:
    """Return what the component opens. Raise expect.NotChecked where the files that it ``needs`` are missing."""
    try:
        return component.open()
    except DataError as error:
        raise expect.NotChecked(f"needs {needs}, which are not here", str(error)) from error


def converted(arguments: Arguments, convert: Callable[[Tensor], Tensor]) -> Arguments:
    """Return the arguments with their floating tensors, of any shape, converted."""
    return tuple(convert(item) if isinstance(item, Tensor) and item.is_floating_point() else item for item in arguments)


def differentiable(module: nn.Module, arguments: Arguments) -> list[Tensor]:
    """Return the inputs and parameters, of any shape, that require a gradient."""
    candidates = (*arguments, *module.parameters())
    return [item for item in candidates if isinstance(item, Tensor) and item.requires_grad]
