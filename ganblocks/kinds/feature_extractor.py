"""Feature extractor: images to the features that metrics compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import nn


class FeatureExtractor(Protocol):
    """A fixed network whose features represent the content of an image."""

    named: ClassVar[str]
    """Its name in the names of scores: ``kd[efficientnet-lite0]``."""

    def protocol(self) -> dict[str, str]:
        """Return all that its features depend on, such as the hash of its weights and the resize filter.

        Only scores of equal protocols are comparable.
        """
        ...

    def open(self) -> nn.Module:
        """Return a module in evaluation mode with forward(image uint8 [B, C, H, W]) -> Features, image by image.

        Raises ``DataError`` where its weights are missing or are not those that the protocol names.
        """
        ...
