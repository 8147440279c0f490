"""Inception v3 from a file of weights: the network of 2015 that defines the FID, and torchvision's."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganblocks import ClassicWeights, Features, option
from ganblocks_metrics.folding import folded
from ganblocks_metrics.weights import read_weights

SHA256_2015 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
WHERE_2015 = (
    "get weights-inception-2015-12-05-6726825d.pth (96 MB) from the releases of toshas/torch-fidelity on GitHub, v0.2.0, and "
    "set path"
)
SHA256_TORCHVISION = "0cc3c7bd"
"""The digits in the name of the file that torchvision publishes."""
WHERE_TORCHVISION = (
    "get inception_v3_google-0cc3c7bd.pth, the IMAGENET1K_V1 weights of torchvision's inception_v3, and set path"
)


@frozen(kw_only=True)
class Inception2015(ClassicWeights):
    """The 2,048 pooled features, and the logits, of the Inception v3 of 2015: their Fréchet distance is the FID.

    Images are resized to 299 as in TensorFlow 1, without antialiasing; logits are without bias, as in the inception score of
    papers. It needs the published file of weights, and downloads nothing.

    Use it for every number that is compared with a paper's FID, KID or inception score.

    Source: Szegedy et al. (2016), "Rethinking the Inception Architecture for Computer Vision", arXiv:1512.00567; Heusel et al.
    (2017), arXiv:1706.08500.

    Options:
        path: the file weights-inception-2015-12-05-6726825d.pth.
    """

    named: ClassVar[str] = "inception-2015"

    path: Path = option(converter=Path)

    def protocol(self) -> dict[str, str]:
        """Return the hash of the weights and the resize filter."""
        return {
            "features": f"Inception v3 of 2015, pool3, sha256 {SHA256_2015[:12]}",
            "resize": "bilinear as TensorFlow 1, not antialiased, to 299",
        }

    def open(self) -> nn.Module:
        """Return the network. Raises DataError where the file is missing or is another one."""
        from ganblocks_metrics.network_2015 import Network2015  # imports torchvision

        weights = read_weights(self.path.expanduser(), SHA256_2015, WHERE_2015)
        network = Network2015()
        network.load_state_dict(weights)
        return _Inception2015(folded(network))


class _Inception2015(nn.Module):
    """forward(image uint8 [B, 1 or 3, H, W]) -> Features."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @torch.no_grad()
    def forward(self, image: Tensor) -> Features:
        return Features(*self.network(image.expand(-1, 3, -1, -1)))


@frozen(kw_only=True)
class InceptionTorchvision:
    """The 2,048 pooled features, and the logits, of torchvision's Inception v3, whose numbers are not the FID's.

    Use it to compare runs with each other where torchvision's weights are available and those of 2015 are not.

    Source: Szegedy et al. (2016), "Rethinking the Inception Architecture for Computer Vision", arXiv:1512.00567; weights
    IMAGENET1K_V1 of torchvision.

    Options:
        path: the file inception_v3_google-0cc3c7bd.pth.
    """

    named: ClassVar[str] = "inception-torchvision"

    path: Path = option(converter=Path)

    def protocol(self) -> dict[str, str]:
        """Return the hash of the weights and the resize filter."""
        return {
            "features": f"torchvision's Inception v3, pooled, sha256 {SHA256_TORCHVISION}",
            "resize": "bilinear, antialiased, to 299",
        }

    def open(self) -> nn.Module:
        """Return the network. Raises DataError where the file is missing or is another one."""
        from torchvision.models import inception_v3  # as slow to import as torch

        weights = read_weights(self.path.expanduser(), SHA256_TORCHVISION, WHERE_TORCHVISION)
        network = inception_v3(weights=None, transform_input=True, init_weights=False)
        network.load_state_dict(weights)
        return _Torchvision(folded(network))


class _Torchvision(nn.Module):
    """forward(image uint8 [B, 1 or 3, H, W]) -> Features."""

    MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.classifier: nn.Module = network.fc  # type: ignore[assignment]
        network.fc = nn.Identity()
        self.network = network.requires_grad_(False)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Features:
        pixels = image.expand(-1, 3, -1, -1).float() / 255
        pixels = interpolate(pixels, size=(299, 299), mode="bilinear", antialias=True)
        mean, std = (torch.tensor(values, device=pixels.device).view(3, 1, 1) for values in (self.MEAN, self.STD))
        features = self.network((pixels - mean) / std)
        return Features(features, self.classifier(features))
