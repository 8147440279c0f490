"""How feature extractors are tried, and what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.errors import DataError
from ganblocks.registry import Registry
from ganblocks.testing.cases import Case, state
from ganblocks.testing.promises import (
    NotChecked,
    expect,
    expect_close,
    expect_finite,
    expect_same,
    expect_shape,
    promise,
    tried_with,
)
from ganblocks.testing.strategies import components, seeds
from ganblocks.values import Features


@frozen(kw_only=True)
class ExtractorCase(Case):
    """A feature extractor and images."""

    kind: ClassVar[str] = "feature_extractor"

    channels: int = 3
    size: tuple[int, int] = (32, 32)

    def facts(self) -> dict[str, Any]:
        return {"images": f"{self.channels}×{self.size[0]}×{self.size[1]}"}

    def image(self, batch: int = 3) -> Tensor:
        """uint8 [B, C, H, W]."""
        shape = (batch, self.channels, *self.size)
        return torch.randint(256, shape, generator=self.rng("image"), dtype=torch.uint8)

    def open(self) -> nn.Module:
        try:
            module: nn.Module = self.component.open()
        except DataError as error:
            raise NotChecked("needs weights that are not here", str(error)) from error
        return module

    def see(self, image: Tensor, module: nn.Module | None = None) -> Features:
        with torch.no_grad():
            found = (module or self.open())(image)
        expect(isinstance(found, Features), f"returns a {type(found).__name__}, not ganblocks.Features")
        features: Features = found
        return features


@tried_with("feature_extractor")
def extractors(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[ExtractorCase]:
    sizes, channels = st.sampled_from([(32, 32), (8, 8), (64, 64), (32, 16), (9, 32)]), st.sampled_from([3, 1])
    return st.builds(ExtractorCase, component=components(cls, registry, given), seed=seeds, channels=channels, size=sizes)


@promise("feature_extractor", examples=3)
def sees_any_image(case: ExtractorCase) -> None:
    """Images of any size, square or not, of 1 or 3 channels, give finite float32 features [B, D], and logits [B, K] if any."""
    found = case.see(case.image())
    expect_shape(found.vector, (3, found.vector.shape[-1]), "features")
    expect(found.vector.dtype == torch.float32, f"features are {found.vector.dtype}, not float32")
    expect_finite(found.vector, "features")
    if found.logits is not None:
        expect_shape(found.logits, (3, found.logits.shape[-1]), "logits")
        expect_finite(found.logits, "logits")


@promise("feature_extractor", examples=3)
def sees_each_image_alone(case: ExtractorCase) -> None:
    """What it sees in an image does not depend on the others in the batch, up to rounding."""
    module, image = case.open(), case.image()
    expect_close(case.see(image[:1], module).vector, case.see(image, module).vector[:1], "features of an image alone", 1e-4)


@promise("feature_extractor", examples=3)
def sees_the_same_each_time(case: ExtractorCase) -> None:
    """The same image gives the same features after any others, after opening again, and leaves the network as it was."""
    module, image = case.open(), case.image()
    before, once = state(module), case.see(image, module).vector
    case.see(255 - image, module)
    expect_same(case.see(image, module).vector, once, "features of the same images again")
    expect_same(case.see(image).vector, once, "features after opening again")
    for name, value in state(module).items():
        expect_same(value, before[name], f"{name} after looking")


@promise("feature_extractor", examples=3)
def tells_images_apart(case: ExtractorCase) -> None:
    """Different images have different features."""
    found = case.see(case.image(2)).vector
    expect((found[0] != found[1]).any(), "two random images have the same features")


@promise("feature_extractor")
def says_what_its_numbers_depend_on(case: ExtractorCase) -> None:
    """`named` is a short name, and the protocol a table of words that is the same each time."""
    named, words = case.component.named, case.component.protocol()
    expect(isinstance(named, str) and named and not set(named) & set("[], \n"), f"named is {named!r}")
    valid = words and all(isinstance(key, str) and isinstance(value, str) for key, value in words.items())
    expect(valid, f"the protocol is {words!r}, not names and words")
    expect(case.component.protocol() == words, "the protocol changes")
