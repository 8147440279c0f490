"""Scores equal those of torch-fidelity, which sees the same images through the same extractor."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ganblocks_metrics.extractors import EfficientNetLite0Extractor
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity import calculate_metrics, register_feature_extractor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

import ganblocks
from ganblocks.evaluation.features import extract_features

COUNT = 48


class Registered(FeatureExtractorBase):
    """The extractor under torch-fidelity's interface."""

    def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
        super().__init__(name, features_list)
        self.network = EfficientNetLite0Extractor(size=32).open()

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "vector", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "vector"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    @staticmethod
    def get_dummy_input_for_compile() -> Tensor:
        raise NotImplementedError

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        seen = self.network(image)
        return tuple({"vector": seen.vector.double(), "logits": seen.logits}[name] for name in self.features_list)


register_feature_extractor("lite0", Registered)


class Pictures(Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def emoji() -> Tensor:
    images = ganblocks.discover().create("dataset", "emoji", size=32).open()
    return images.read(torch.arange(2 * COUNT) * 19)


def digits() -> Tensor:
    images = ganblocks.discover().create("dataset", "digits", size=32).open()
    return images.read(torch.arange(2 * COUNT)).expand(-1, 3, -1, -1).contiguous()


def noise() -> Tensor:
    return torch.randint(256, (2 * COUNT, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("pictures", [emoji, digits, noise], ids=lambda each: each.__name__)
def test_equal_to_one_in_a_million(pictures: Any) -> None:
    images = pictures()
    real, fake = images[:COUNT], images[COUNT:]
    theirs = calculate_metrics(
        input1=Pictures(fake), input2=Pictures(real), cuda=False, fid=True, kid=True, prc=True, isc=True, cache=False,
        feature_extractor="lite0", kid_subset_size=COUNT, kid_subsets=3, isc_splits=2, rng_seed=7, verbose=False, batch_size=16,
    )  # fmt: skip
    network, registry = EfficientNetLite0Extractor(size=32).open(), ganblocks.discover()
    mine, made = (extract_features(network, each.__getitem__, torch.arange(COUNT)) for each in (real, fake))
    options = {"kernel": {"subsets": 3}, "inception_score": {"splits": 2}}
    ours: dict[str, float] = {}
    for name in ("frechet", "kernel", "precision_recall", "inception_score"):
        ours |= registry.create("metric", name, **options.get(name, {})).score(mine, made, 7)
    pairs = {"fd": "frechet_inception_distance", "kd": "kernel_inception_distance_mean", "is": "inception_score_mean"}
    for name, key in {**pairs, "precision": "precision", "recall": "recall"}.items():
        scale = max(1.0, abs(theirs[key]))
        assert ours[name] == pytest.approx(theirs[key], abs=1e-6 * scale), name
