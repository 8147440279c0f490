"""How augmentations are tried, and what they promise."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganblocks.registry import Registry
from ganblocks.seeding import seeded
from ganblocks.testing.cases import Case, state
from ganblocks.testing.promises import (
    expect,
    expect_close,
    expect_finite,
    expect_same,
    expect_shape,
    only_if,
    promise,
    tried_with,
)
from ganblocks.testing.strategies import components, seeds


@frozen(kw_only=True)
class AugmentCase(Case):
    """An augmentation and images."""

    kind: ClassVar[str] = "augment"

    batch: int = 3
    channels: int = 3
    size: tuple[int, int] = (8, 8)

    def facts(self) -> dict[str, Any]:
        return {"batch": self.batch, "images": f"{self.channels}×{self.size[0]}×{self.size[1]}"}

    def image(self) -> Tensor:
        """[B, C, H, W] in (-1, 1)."""
        return self.normal(self.batch, self.channels, *self.size).tanh()

    def apply(self, image: Tensor, seed: int = 0, module: nn.Module | None = None) -> Tensor:
        built = module or self.component.build()
        changed: Tensor = built(image, torch.Generator().manual_seed(seed))
        return changed


@tried_with("augment")
def augments(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[AugmentCase]:
    return st.builds(
        AugmentCase,
        component=components(cls, registry, given),
        seed=seeds,
        batch=st.integers(1, 4),
        channels=st.sampled_from([3, 1]),
        size=st.sampled_from([(8, 8), (5, 7), (16, 8), (1, 1)]),
    )


@promise("augment")
def keeps_shape_and_type(case: AugmentCase) -> None:
    """Images keep shape and type and stay finite: any batch, 1 or 3 channels, odd and non-square sizes."""
    image = case.image()
    changed = case.apply(image)
    expect_shape(changed, image.shape, "augmented images")
    expect(changed.dtype == image.dtype, f"augmented images are {changed.dtype}, not {image.dtype}")
    expect_finite(changed, "augmented images")


@promise("augment")
def draws_from_its_generator_only(case: AugmentCase) -> None:
    """Equal generators give equal changes whatever else was drawn; torch's global random numbers do not move."""
    image = case.image()
    with seeded(1):
        one = case.apply(image)
    with seeded(2):
        mark = torch.default_generator.get_state()
        two = case.apply(image)
        expect(torch.equal(mark, torch.default_generator.get_state()), "it advances torch's global random numbers")
    expect_same(two, one, "the changes of an equal generator")


@promise("augment")
def leaves_its_input_alone(case: AugmentCase) -> None:
    """The images that come in stay as they are."""
    image = case.image()
    kept = image.clone()
    case.apply(image)
    expect_same(image, kept, "the images that came in")


@promise("augment")
def samples_do_not_meet(case: AugmentCase) -> None:
    """What becomes of an image does not depend on the other images of the batch."""
    image = case.image()
    others = image.clone()
    others[1:] = -others[1:]
    expect_same(case.apply(others)[:1], case.apply(image)[:1], "the first image, augmented beside others")


@promise("augment")
def takes_channels_last(case: AugmentCase) -> None:
    """Memory in channels_last gives what contiguous memory gives."""
    image = case.image()
    expect_close(
        case.apply(image.contiguous(memory_format=torch.channels_last)), case.apply(image), "images in channels_last", 1e-5
    )


@promise("augment")
def its_state_goes_through_a_file(case: AugmentCase) -> None:
    """What it remembers is in its state_dict: saved as safetensors and loaded, it goes on alike; forward changes none of it."""
    module, image = case.component.build(), case.image()
    before = state(module)
    case.apply(image, module=module)
    for name, value in state(module).items():
        expect_same(value, before[name], f"{name} after a forward")
    other = case.component.build()
    with tempfile.TemporaryDirectory() as folder:
        save_file(module.state_dict(), Path(folder) / "state.safetensors")
        other.load_state_dict(load_file(Path(folder) / "state.safetensors"))
    expect_same(case.apply(image, module=other), case.apply(image, module=module), "images of the loaded augmentation")


@promise("augment")
def gradients_pass_where_it_says_so(case: AugmentCase) -> None:
    """`differentiable` is a bool; where it is true, gradients reach the images, finite, and agree with finite differences."""
    states = case.component.differentiable
    expect(isinstance(states, bool), f"differentiable is {states!r}, not True or False")
    only_if(states, "says that it is not differentiable")
    image = case.image().double().requires_grad_()
    changed = case.apply(image)
    expect(changed.requires_grad, "differentiable is True, but the augmented images carry no gradient")
    weights = torch.randn(changed.shape, dtype=changed.dtype, generator=case.rng("weights"))
    (gradient,) = torch.autograd.grad((weights * changed).sum(), image, allow_unused=True)
    expect(gradient is not None, "differentiable is True, but no gradient reaches the images")
    expect_finite(gradient, "the gradient by the images")
    along, width = torch.randn(image.shape, dtype=image.dtype, generator=case.rng("along")), 1e-6
    with torch.no_grad():
        sides = [float((weights * case.apply(image + sign * width * along)).sum()) for sign in (1, -1)]
    claimed, measured = float((gradient * along).sum()), (sides[0] - sides[1]) / (2 * width)
    close = abs(claimed - measured) <= 1e-4 * (abs(claimed) + abs(measured) + 0.1)
    expect(close, f"along a random direction the gradient says {claimed:.6g}, finite differences say {measured:.6g}")
