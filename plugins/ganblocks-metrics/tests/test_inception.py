"""Both Inception networks, with random weights from files that the tests make: what is loaded, and what is refused."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import pytest
import torch
from ganblocks_metrics import inception
from ganblocks_metrics.inception import Inception2015, InceptionTorchvision
from ganblocks_metrics.network_2015 import Network2015
from torch import nn
from torchvision.models import inception_v3

import ganblocks
from ganblocks import DataError
from ganblocks.evaluation.evaluator import score_name

IMAGES = torch.randint(256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def stirred(network: nn.Module) -> nn.Module:
    """Random weights of a size that keeps activations alive, the same each time."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            fan = max(parameter[0].numel(), 1) if parameter.ndim > 1 else 1
            parameter.copy_(torch.randn(parameter.shape, generator=rng) * (2 / fan) ** 0.5 if fan > 1 else torch.ones(()))
    return network


@pytest.fixture(scope="module")
def file_2015(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "2015.pth"
    torch.save(stirred(Network2015()).state_dict(), path)
    return path


def trust(path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(inception, name, hashlib.sha256(path.read_bytes()).hexdigest())
    return str(path)


def test_the_network_of_2015_gives_features_and_logits_without_bias(file_2015: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Inception2015(path=trust(file_2015, "SHA256_2015", monkeypatch)).open()
    seen = module(IMAGES)
    assert seen.vector.shape == (2, 2048)
    assert seen.logits.shape == (2, 1008)
    torch.testing.assert_close(seen.logits, seen.vector @ module.network.fc.weight.T)
    grey = module(IMAGES[:, :1])
    torch.testing.assert_close(grey.vector, module(IMAGES[:, :1].expand(-1, 3, -1, -1)).vector)


def test_torchvision_s_network_is_torchvision_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = stirred(inception_v3(weights=None, transform_input=True, init_weights=False)).eval()
    torch.save(reference.state_dict(), tmp_path / "tv.pth")
    seen = InceptionTorchvision(path=trust(tmp_path / "tv.pth", "SHA256_TORCHVISION", monkeypatch)).open()(IMAGES)
    pixels = nn.functional.interpolate(IMAGES.float() / 255, size=(299, 299), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = reference((pixels - mean) / std)
    assert (seen.logits - expected).abs().max() <= 2e-5 * expected.abs().max()  # folding rounds differently
    assert seen.vector.shape == (2, 2048)


@pytest.mark.parametrize("component", [Inception2015, InceptionTorchvision])
def test_a_missing_or_other_file_is_refused_with_the_way_to_the_right_one(component: type, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file of weights; get .*\.pth"):
        component(path=str(tmp_path / "absent.pth")).open()
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(DataError, match="not the weights that scores name"):
        component(path=str(tmp_path / "other.pth")).open()


def test_a_pickle_that_would_run_code_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "exploded",)

    (tmp_path / "bomb.pth").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="no weights that can be read safely"):
        Inception2015(path=trust(tmp_path / "bomb.pth", "SHA256_2015", monkeypatch)).open()
    assert not (tmp_path / "exploded").exists()


def test_only_the_weights_of_2015_give_a_plain_fid() -> None:
    registry = ganblocks.discover()
    for name, wanted in (("inception_2015", "fid"), ("inception_torchvision", "fd[inception-torchvision]")):
        extractor = registry.create("feature_extractor", name, path="x.pth")
        assert score_name("fd", registry.create("metric", "frechet"), extractor) == wanted
        assert score_name("density", registry.create("metric", "density_coverage"), extractor) == f"density[{extractor.named}]"
