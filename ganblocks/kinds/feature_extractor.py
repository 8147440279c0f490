"""Feature extractor: images to the features that metrics compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import nn


class FeatureExtractor(Protocol):
    """A fixed network whose features stand for what an image shows."""

    named: ClassVar[str]
    """How scores name it: ``kd[efficientnet-lite0]``."""

    def protocol(self) -> dict[str, str]:
        """All that its numbers depend on: the hash of its weights, the resize filter. Others are not compared with them."""
        ...

    def open(self) -> nn.Module:
        """A module in evaluation with forward(image uint8 [B, C, H, W]) -> Features; a sample's do not depend on the others.

        Raises ``DataError`` where its weights are missing or are not the ones that the protocol names.
        """
        ...
