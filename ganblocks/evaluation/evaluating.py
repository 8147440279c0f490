"""Evaluate a run: samples against training images, with controls, under a protocol that is written down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.errors import DataError, UsageError
from ganblocks.evaluation.looking import Read, chosen, drawn, look, nearest, noise
from ganblocks.evaluation.normalising import normalising
from ganblocks.evaluation.report import Report, Score
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.metric import Metric
from ganblocks.options import unstructure
from ganblocks.recipe.schema import Evaluation
from ganblocks.registry import Registry
from ganblocks.training.checkpoint import images_seen, latest
from ganblocks.training.runs import load, pick_device, recipe_of
from ganblocks.training.sampler import Sampler
from ganblocks.values import Images, Sample, seed_of

USUAL = ("kernel", "frechet", "precision_recall", "density_coverage", "inception_score")
"""Metrics of an evaluation that names none; the kernel distance leads, because it is unbiased where images are few."""

INCEPTION_2015 = "6726825d0af5"
"""How the sha256 of the Inception weights of 2015 begins."""
CLASSIC = {"fd": "fid", "intra_fd": "intra_fid", "kd": "kid", "kd_std": "kid_std", "is": "is", "is_std": "is_std"}
"""What papers call a number, if those weights have seen the images."""


@frozen(kw_only=True)
class Wish:
    """How to evaluate."""

    extractor: FeatureExtractor
    metrics: Mapping[str, Metric]
    n: int | None = None
    """Samples, and real images; None: as many as there are training images, at most 10,000."""
    truncation: float | None = None
    batch_norm: str = "moving"
    seed: int = 0
    device: str = "auto"


def wish_of(evaluation: Evaluation | None, registry: Registry) -> Wish:
    """What a recipe asks for; the usual metrics where it names none."""
    extractor = evaluation.extractor if evaluation else registry.create("feature_extractor", "efficientnet_lite0")
    metrics = {name: measure.metric for name, measure in evaluation.metrics.items()} if evaluation else {}
    usual = {name: registry.create("metric", name) for name in USUAL}
    return Wish(extractor=extractor, metrics=metrics or usual, n=evaluation.n if evaluation else None)


def evaluate(path: str | Path, wish: Wish, registry: Registry) -> Report:
    """Judge the averaged generator of a run against the training images that its recipe names.

    Raises:
        CheckpointError: the folder is no finished run.
        DataError: images or weights of the extractor are missing.
        UsageError: a wish that cannot be.

    """
    path = Path(path)
    sampler = load(path, wish.device, registry)
    images = recipe_of(path, registry).data.dataset.open()
    eyes = _Eyes(wish.extractor.open().to(pick_device(wish.device)), images, wish)
    fake = eyes.at_samples(sampler)
    compared = {"": fake, "held_out": eyes.held_out, "noise": eyes.at_noise(sampler)}
    common = wish.extractor.protocol() | eyes.protocol()
    rows: list[Score] = []
    for metric in wish.metrics.values():
        protocol = common | {"metric": f"{registry.offer_of(metric).name}({_options(metric, registry)})"}
        rows += _rows(metric, wish.extractor.named, protocol, eyes.real, compared, wish.seed)
    return Report(tuple(rows), eyes.memorised(fake), images_seen(latest(path)))


class _Eyes:
    """An open extractor over one data set: what it sees in real images, samples and noise."""

    def __init__(self, network: nn.Module, images: Images, wish: Wish) -> None:
        self.network, self.images, self.wish = network, images, wish
        self.device = pick_device(wish.device)
        available = len(images.split["train"])
        self.count = min(wish.n or 10_000, available)
        if self.count < 2 or (wish.n or 2) < 2:
            raise UsageError(f"{self.count} images cannot be compared: ask for at least 2")
        self.places = chosen(images, "train", self.count, seed_of(wish.seed, "real") % 2**31)
        self.real = self._look(images.read, self.places, images.labels[self.places])
        held_out = images.split["held_out"]
        self.held_out = self._look(images.read, held_out, images.labels[held_out]) if len(held_out) > 1 else None

    def at_samples(self, sampler: Sampler) -> Sample:
        """As many samples as real images, of the same classes."""
        n = self.wish.n or self.count
        labels = self.images.labels[self.places.repeat(-(-n // self.count))[:n]] if sampler.image.classes else None
        with normalising(sampler, self.wish.batch_norm, self.wish.seed):
            classes = None if labels is None else labels.tolist()
            made = sampler.sample(n, classes, self.wish.seed, self.wish.truncation)
        return self._look(drawn(made), torch.arange(n), labels)

    def at_noise(self, sampler: Sampler) -> Sample:
        spec = sampler.image
        read = noise((spec.channels, spec.size, spec.size), self.wish.seed)
        return self._look(read, torch.arange(min(self.count, 500)), self.images.labels[self.places[:500]])

    def memorised(self, fake: Sample) -> float | None:
        """How near samples are to their nearest training image, over how near held-out images are."""
        if self.held_out is None:
            return None
        mine, theirs = (nearest(each.features, self.real.features).mean() for each in (fake, self.held_out))
        return float(mine / theirs)

    def protocol(self) -> dict[str, str]:
        wish = self.wish
        held_out = 0 if self.held_out is None else len(self.held_out)
        return {
            "real": f"{self.count} training images of {self.images.fingerprint}",
            "fake": f"{wish.n or self.count} samples of the averaged generator, classes as in the real images",
            "held_out": f"{held_out} images",
            "batch_norm": wish.batch_norm,
            "truncation": "none" if wish.truncation is None else f"{wish.truncation:g}",
            "seed": str(wish.seed),
        }

    def _look(self, read: Read, places: Tensor, labels: Tensor | None) -> Sample:
        return look(self.network, read, places, labels, self.device)


def _rows(
    metric: Metric, named: str, protocol: dict[str, str], real: Sample, compared: Mapping[str, Sample | None], seed: int
) -> list[Score]:
    """The numbers of one metric for the samples, and for the controls where they have enough images."""
    fake = compared[""]
    assert fake is not None, "samples are always there"
    if missing := [part for part in sorted(metric.reads - {"features"}) if getattr(fake, part) is None]:
        raise UsageError(f"{type(metric).__name__} needs {' and '.join(missing)}, which {named} does not give for these images")
    found = metric.score(real, fake, seed)
    held_out, static = (_control(metric, real, compared[name], seed) for name in ("held_out", "noise"))
    return [
        Score(score_name(key, named, protocol), value, protocol, metric.better.get(key, ""), held_out.get(key), static.get(key))
        for key, value in found.items()
    ]


def score_name(key: str, named: str, protocol: Mapping[str, str]) -> str:
    """``kd[efficientnet-lite0]``; ``fid`` and its kin only for the very weights of 2015 that papers mean."""
    classic = CLASSIC.get(key) if f"sha256 {INCEPTION_2015}" in protocol.get("features", "") else None
    return classic or f"{key}[{named}]"


def _control(metric: Metric, real: Sample, control: Sample | None, seed: int) -> Mapping[str, float]:
    try:
        return {} if control is None else metric.score(real, control, seed)
    except DataError:  # too few of them for this metric
        return {}


def _options(metric: Metric, registry: Registry) -> str:
    """A metric's options, as a recipe would write them."""
    table = unstructure(metric, lambda part: registry.offer_of(part).name)
    return ", ".join(f"{key} = {value}" for key, value in sorted(table.items()))
