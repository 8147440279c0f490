"""How augmentations are tested, and their properties."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, expect_state, load_from_file, repeat_without_global_draws, state
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.gradients import expect_gradients, weighted_sum
from ganblocks.testing.properties import properties


@frozen(kw_only=True)
class AugmentCase(Case):
    """An augmentation and images."""

    kind: ClassVar[str] = "augment"

    batch: int = 3
    channels: int = 3
    size: tuple[int, int] = (8, 8)

    def image(self) -> Tensor:
        """Return images [B, C, H, W] in (-1, 1)."""
        return self.normal(self.batch, self.channels, *self.size).tanh()

    def apply(self, image: Tensor, module: nn.Module | None = None) -> Tensor:
        """Return augmented images [B, C, H, W]."""
        changed: Tensor = (module or self.component.build())(image, torch.Generator().manual_seed(0))
        return changed


def keeps_shape_and_type(case: AugmentCase) -> None:
    """Images keep shape and type and stay finite: any batch, 1 or 3 channels, odd and non-square sizes."""
    image = case.image()
    changed = case.apply(image)
    expect.shape(changed, image.shape, "augmented images")
    expect.that(changed.dtype == image.dtype, f"augmented images are {changed.dtype}, not {image.dtype}")
    expect.finite(changed, "augmented images")


def draws_from_its_generator_only(case: AugmentCase) -> None:
    """Equal generators give equal changes, and torch's global random numbers are not drawn from."""
    one, two = repeat_without_global_draws(lambda: case.apply(case.image()), "it")
    expect.same(two, one, "the changes of an equal generator")


def leaves_its_input_alone(case: AugmentCase) -> None:
    """The input images are not modified."""
    image = case.image()
    case.apply(image)
    expect.same(image, case.image(), "the images that came in")


def samples_do_not_meet(case: AugmentCase) -> None:
    """The augmentation of an image does not depend on the other images of the batch."""
    image = case.image()
    others = torch.cat([image[:1], -image[1:]])
    expect.same(case.apply(others)[:1], case.apply(image)[:1], "the first image, augmented beside others")


def takes_channels_last(case: AugmentCase) -> None:
    """Memory in channels_last gives what contiguous memory gives."""
    image = case.image()
    changed = case.apply(image.contiguous(memory_format=torch.channels_last))
    expect.close(changed, case.apply(image), "images in channels_last", 1e-5)


def its_state_goes_through_a_file(case: AugmentCase) -> None:
    """Its whole state is in its state_dict, can be saved as safetensors and loaded, and is not changed by forward."""
    module, other, image = case.component.build(), case.component.build(), case.image()
    before = state(module)
    case.apply(image, module)
    expect_state(module, before, "after a forward")
    load_from_file(other, module)
    expect.same(case.apply(image, other), case.apply(image, module), "images of the loaded augmentation")


def gradients_pass_where_it_says_so(case: AugmentCase) -> None:
    """`differentiable` is a bool; where it is true, gradients reach the images, finite, and agree with finite differences."""
    declared = case.component.differentiable
    expect.that(isinstance(declared, bool), f"differentiable is {declared!r}, not True or False")
    expect.only_if(declared, "declares that it is not differentiable")
    image = case.image().double().requires_grad_()
    expect_gradients(lambda: weighted_sum(case.apply(image)), [image], "differentiable is True, but ")


CASES = drawn(
    AugmentCase,
    batch=st.integers(1, 4),
    channels=st.sampled_from([3, 1]),
    size=st.sampled_from([(8, 8), (5, 7), (16, 8), (1, 1)]),
)
PROPERTIES = (
    *properties(
        keeps_shape_and_type,
        draws_from_its_generator_only,
        leaves_its_input_alone,
        samples_do_not_meet,
        takes_channels_last,
        its_state_goes_through_a_file,
        gradients_pass_where_it_says_so,
    ),
    *LEARNING,
)
