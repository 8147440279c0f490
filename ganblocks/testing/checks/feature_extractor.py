"""How feature extractors are tested, and their properties."""

from __future__ import annotations

from typing import ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor, nn

from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, expect_state, opened, state
from ganblocks.testing.properties import properties
from ganblocks.values import Features


@frozen(kw_only=True)
class ExtractorCase(Case):
    """A feature extractor and images."""

    kind: ClassVar[str] = "feature_extractor"

    channels: int = 3
    size: tuple[int, int] = (32, 32)

    def image(self, batch: int = 3) -> Tensor:
        """Return images uint8 [B, C, H, W]."""
        shape = (batch, self.channels, *self.size)
        return torch.randint(256, shape, generator=self.rng("image"), dtype=torch.uint8)

    def open(self) -> nn.Module:
        """Return the network. Raise expect.NotChecked where its weights are missing."""
        module: nn.Module = opened(self.component, "weights")
        return module

    def features(self, image: Tensor, module: nn.Module | None = None) -> Features:
        """Return the features of images [B, C, H, W]."""
        with torch.no_grad():
            return expect.instance((module or self.open())(image), Features)


def sees_any_image(case: ExtractorCase) -> None:
    """Images of any size, square or not, of 1 or 3 channels, give finite float32 features [B, D], and logits [B, K] if any."""
    features = case.features(case.image())
    expect.that(features.vector.dtype == torch.float32, f"features are {features.vector.dtype}, not float32")
    for what, value in (("features", features.vector), ("logits", features.logits)):
        if value is not None:
            expect.shape(value, (3, value.shape[-1]), what)
            expect.finite(value, what)


def sees_each_image_alone(case: ExtractorCase) -> None:
    """The features of an image do not depend on the others in the batch, up to rounding."""
    module, image = case.open(), case.image()
    alone, together = case.features(image[:1], module), case.features(image, module)
    expect.close(alone.vector, together.vector[:1], "features of an image alone", 1e-4)


def sees_the_same_each_time(case: ExtractorCase) -> None:
    """The same image gives the same features after any others and after opening again, and the network does not change."""
    module, image = case.open(), case.image()
    before, once = state(module), case.features(image, module).vector
    case.features(255 - image, module)
    expect.same(case.features(image, module).vector, once, "features of the same images again")
    expect.same(case.features(image).vector, once, "features after opening again")
    expect_state(module, before, "after extracting features")


def tells_images_apart(case: ExtractorCase) -> None:
    """Different images have different features."""
    one, other = case.features(case.image(2)).vector
    expect.that((one != other).any(), "two random images have the same features")


def says_what_its_numbers_depend_on(case: ExtractorCase) -> None:
    """`named` is a short name, and the protocol a dict of strings that is the same each time."""
    named, protocol = case.component.named, case.component.protocol()
    expect.that(isinstance(named, str) and named and not set(named) & set("[], \n"), f"named is {named!r}")
    valid = protocol and all(isinstance(text, str) for item in protocol.items() for text in item)
    expect.that(valid, f"the protocol is {protocol!r}, not a dict of strings")
    expect.that(case.component.protocol() == protocol, "the protocol changes")


CASES = drawn(
    ExtractorCase, channels=st.sampled_from([3, 1]), size=st.sampled_from([(32, 32), (8, 8), (64, 64), (32, 16), (9, 32)])
)
PROPERTIES = (
    *properties(sees_any_image, sees_each_image_alone, sees_the_same_each_time, tells_images_apart, examples=3),
    *properties(says_what_its_numbers_depend_on),
)
