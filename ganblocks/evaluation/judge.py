"""A judge: metrics behind one extractor, over one data set, under a protocol that is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.errors import DataError, UsageError
from ganblocks.evaluation.looking import Read, chosen, drawn, look, nearest, noise
from ganblocks.evaluation.normalising import normalising
from ganblocks.evaluation.remembering import Remembered
from ganblocks.evaluation.report import Report, Score, id_of
from ganblocks.evaluation.wish import Wish
from ganblocks.kinds.capabilities import ExaminesGenerator
from ganblocks.kinds.metric import Metric
from ganblocks.options import unstructure
from ganblocks.registry import Registry
from ganblocks.training.runs import pick_device
from ganblocks.training.sampler import Sampler
from ganblocks.values import Images, ImageSpec, Sample, seed_of

INCEPTION_2015 = "6726825d0af5"
"""How the sha256 of the Inception weights of 2015 begins."""
CLASSIC = {"fd": "fid", "intra_fd": "intra_fid", "kd": "kid", "kd_std": "kid_std", "is": "is", "is_std": "is_std"}
"""What papers call a number, if those weights have seen the images."""


class Judge:
    """Compares samples of any generator of such images with the real ones, which it looks at once.

    Args:
        images: the opened data set.
        image: what its images are.
        wish: by what, and how many.
        registry: knows the names of the metrics.
        cache: a folder that keeps features of real images for other judges; None: nothing is kept.
    """

    def __init__(self, images: Images, image: ImageSpec, wish: Wish, registry: Registry, cache: Path | None = None) -> None:
        self.images, self.image, self.wish, self.registry = images, image, wish, registry
        self.remembered = Remembered(cache)
        available = len(images.split["train"])
        self.count = min(wish.n or 10_000, available)
        if self.count < 2 or (wish.n or 2) < 2:
            raise UsageError(f"{self.count} images cannot be compared: ask for at least 2")
        self.places = chosen(images, "train", self.count, seed_of(wish.seed, "real") % 2**31)
        self._controls: dict[str, tuple[Mapping[str, float], Mapping[str, float]]] = {}

    def report(self, sampler: Sampler, images_seen: int) -> Report:
        """Judge a generator. Nothing outside changes: neither the sampler's network nor torch's global random numbers.

        Raises:
            DataError: weights of the extractor are missing.
            UsageError: a metric needs what the extractor does not give, or examines a generator whose samples are mixed.

        """
        fake = self._at_samples(sampler)
        rows: list[Score] = []
        for metric in self.wish.metrics.values():
            rows += self._examined(metric, sampler) if isinstance(metric, ExaminesGenerator) else self._rows(metric, fake)
        return Report(tuple(rows), self._memorised(fake), images_seen)

    @cached_property
    def network(self) -> nn.Module:
        return self.wish.extractor.open().to(self.device)

    @property
    def device(self) -> torch.device:
        return pick_device(self.wish.device)

    @cached_property
    def real(self) -> Sample:
        return self._remembered("train", lambda: self._look(self.images.read, self.places, self.images.labels[self.places]))

    @cached_property
    def held_out(self) -> Sample | None:
        places = self.images.split["held_out"]
        if len(places) < 2:
            return None
        return self._remembered("held out", lambda: self._look(self.images.read, places, self.images.labels[places]))

    @cached_property
    def noise(self) -> Sample:
        spec, labels = self.image, self.images.labels[self.places[:500]]
        read = noise((spec.channels, spec.size, spec.size), self.wish.seed)
        return self._remembered("noise", lambda: self._look(read, torch.arange(min(self.count, 500)), labels))

    def protocol(self) -> dict[str, str]:
        """All that its numbers depend on, beside the metric's own options and the weights that are judged."""
        held_out = len(self.images.split["held_out"])
        return self.wish.extractor.protocol() | self._sampling() | {"held_out": f"{held_out if held_out > 1 else 0} images"}

    def _sampling(self) -> dict[str, str]:
        """What the samples depend on."""
        wish = self.wish
        weights = {"average": "the averaged generator", "live": "the live generator"}[wish.weights]
        return {
            "real": f"{self.count} training images of {self.images.fingerprint}",
            "fake": f"{wish.n or self.count} samples of {weights}, classes as in the real images",
            "batch_norm": wish.batch_norm,
            "truncation": "none" if wish.truncation is None else f"{wish.truncation:g} by {wish.truncation_by}",
            "seed": str(wish.seed),
        }

    def ids(self) -> set[str]:
        """The protocols of all its numbers."""
        return {id_of(self._protocol_of(metric)) for metric in self.wish.metrics.values()}

    def _protocol_of(self, metric: Metric) -> dict[str, str]:
        """The metric's options, and what its numbers depend on beside them: no features, where it examines the generator."""
        shared = self._sampling() if isinstance(metric, ExaminesGenerator) else self.protocol()
        return shared | {"metric": f"{self._name(metric)}({self._options(metric)})"}

    def _at_samples(self, sampler: Sampler) -> Sample:
        """As many samples as real images, of the same classes."""
        latent, labels = self._inputs(sampler)
        with normalising(sampler, self.wish.batch_norm, self.wish.seed, **self._cut()):
            made = sampler.draw(latent, labels)
        return self._look(drawn(made), torch.arange(len(latent)), labels)

    def _inputs(self, sampler: Sampler) -> tuple[Tensor, Tensor | None]:
        """The latents and labels of the samples."""
        n = self.wish.n or self.count
        labels = self.images.labels[self.places.repeat(-(-n // self.count))[:n]].tolist() if sampler.image.classes else None
        return sampler.inputs(n, labels, self.wish.seed, **self._cut())

    def _cut(self) -> dict[str, Any]:
        """How latents are cut, in the words of the sampler."""
        return {"truncation": self.wish.truncation, "convention": self.wish.truncation_by}

    def _examined(self, metric: ExaminesGenerator, sampler: Sampler) -> list[Score]:
        """The numbers of a metric that looks into the generator; neither real images nor noise have any."""
        wish = self.wish
        if wish.batch_norm == "batch":
            rule = f"{self._name(metric)} examines single samples, which have no batch to be normalised by"
            raise UsageError(f"{rule}; evaluate with --batch-norm moving or standing")
        protocol = self._protocol_of(metric)
        with normalising(sampler, wish.batch_norm, wish.seed, **self._cut()):
            found = metric.examine(sampler.generate, *self._inputs(sampler), wish.seed)
        return [Score(key, value, protocol, metric.better.get(key, "")) for key, value in found.items()]

    def _memorised(self, fake: Sample) -> float | None:
        """How near samples are to their nearest training image, over how near held-out images are."""
        if self.held_out is None:
            return None
        mine, theirs = (nearest(each.features, self.real.features).mean() for each in (fake, self.held_out))
        return float(mine / theirs)

    def _rows(self, metric: Metric, fake: Sample) -> list[Score]:
        """The numbers of one metric for the samples, and for the controls where they have enough images."""
        named = self.wish.extractor.named
        if missing := [part for part in sorted(metric.reads - {"features"}) if getattr(fake, part) is None]:
            rule = f"{self._name(metric)} needs {' and '.join(missing)}, which {named} does not give for these images"
            raise UsageError(rule)
        protocol = self._protocol_of(metric)
        found = metric.score(self.real, fake, self.wish.seed)
        held_out, static = self._controls_of(metric, protocol["metric"])
        return [
            Score(
                score_name(key, named, protocol),
                value,
                protocol,
                metric.better.get(key, ""),
                held_out.get(key),
                static.get(key),
            )
            for key, value in found.items()
        ]

    def _controls_of(self, metric: Metric, key: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """The numbers of held-out real images, and of noise."""
        if key not in self._controls:
            self._controls[key] = self._control(metric, self.held_out), self._control(metric, self.noise)
        return self._controls[key]

    def _control(self, metric: Metric, control: Sample | None) -> Mapping[str, float]:
        try:
            return {} if control is None else metric.score(self.real, control, self.wish.seed)
        except DataError:  # too few of them for this metric
            return {}

    def _name(self, metric: Metric) -> str:
        return self.registry.name_of("metric", metric)

    def _options(self, metric: Metric) -> str:
        """A metric's options, as a recipe would write them."""
        table = unstructure(metric, self.registry.name_of)
        return ", ".join(f"{key} = {value}" for key, value in sorted(table.items()))

    def _look(self, read: Read, places: Tensor, labels: Tensor | None) -> Sample:
        return look(self.network, read, places, labels, self.device)

    def _remembered(self, which: str, look: Callable[[], Sample]) -> Sample:
        """Features of images that no generator made, from the cache where they are there."""
        facts = self.wish.extractor.protocol() | {
            "which": which,
            "images": self.images.fingerprint,
            "count": str(self.count),
            "seed": str(self.wish.seed),
            "device": self.device.type,
        }
        return self.remembered.sample(facts, look)


def score_name(key: str, named: str, protocol: Mapping[str, str]) -> str:
    """``kd[efficientnet-lite0]``; ``fid`` and its kin only for the very weights of 2015 that papers mean."""
    classic = CLASSIC.get(key) if f"sha256 {INCEPTION_2015}" in protocol.get("features", "") else None
    return classic or f"{key}[{named}]"
