"""A judge: metrics behind one extractor, over one data set, under a protocol that is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.devices import pick_device
from ganblocks.errors import DataError, Mistake, RecipeError, UsageError
from ganblocks.evaluation.batch_norm_modes import normalising
from ganblocks.evaluation.feature_cache import FeatureCache
from ganblocks.evaluation.features import Read, chosen, drawn, extract_features, nearest, noise
from ganblocks.evaluation.report import HELD_OUT, NOISE, SAMPLES, Missing, Report, Score, id_of
from ganblocks.evaluation.settings import EvaluationSettings
from ganblocks.evaluation.trying import Tried, merged, nothing
from ganblocks.kinds.component_capabilities import Checked, ExaminesGenerator
from ganblocks.kinds.metric import Metric
from ganblocks.options import unstructure
from ganblocks.registry import Registry
from ganblocks.seeding import seed_of
from ganblocks.training.classes import differing
from ganblocks.training.sampler import Sampler
from ganblocks.values import (
    Facts,
    Images,
    ImageSpec,
    Sample,
)

INCEPTION_2015 = "6726825d0af5"
"""How the sha256 of the Inception weights of 2015 begins."""
CLASSIC = {"fd": "fid", "intra_fd": "intra_fid", "kd": "kid", "kd_std": "kid_std", "is": "is", "is_std": "is_std"}
"""What papers call a number, if those weights have seen the images."""
NEAREST = "nearest training image"
"""What the memorisation ratio is called where it is missing."""


class Evaluator:
    """Compares samples of any generator of such images with the real ones, which it looks at once.

    Args:
        images: the opened data set.
        image: what its images are.
        settings: by what, and how many.
        registry: knows the names of the metrics.
        cache: a folder that keeps features of real images for other judges; None: nothing is kept.
    """

    def __init__(
        self, images: Images, image: ImageSpec, settings: EvaluationSettings, registry: Registry, cache: Path | None = None
    ) -> None:
        self.images, self.image, self.settings, self.registry = images, image, settings, registry
        self.remembered = FeatureCache(cache)
        available = len(images.split["train"])
        self.count = min(settings.n or 10_000, available)
        if self.count < 2 or (settings.n or 2) < 2:
            raise UsageError(f"{self.count} images cannot be compared: ask for at least 2")
        self.places = chosen(images, "train", self.count, seed_of(settings.seed, "real") % 2**31)
        self._controls: dict[str, dict[str, Tried]] = {}

    def report(self, sampler: Sampler, images_seen: int) -> Report:
        """Judge a generator. Nothing outside changes: neither the sampler's network nor torch's global random numbers.

        A number that cannot be had is named with its reason, and takes no other with it.

        Raises:
            DataError: weights of the extractor are missing, or there is no number at all.
            UsageError: no number at all, for what was asked.

        """
        _, fake = self.real, self._at_samples(sampler)
        found = [(metric, self._tried(metric, sampler, fake)) for metric in self.settings.metrics.values()]
        rows = [score for metric, tried in found for score in self._rows(metric, tried)]
        missing = [each for metric, tried in found for each in self._missing(metric, tried)]
        memorised = Tried.of(lambda: self._memorised(fake))
        if memorised.reason:
            missing.append(Missing((NEAREST,), memorised.reason, HELD_OUT if memorised.error is self.held_out else SAMPLES))
        if not rows:
            first = next((tried.error for _, tried in found if tried.error is not None), None)
            raise nothing(merged(missing), first) from first
        return Report(tuple(rows), memorised.numbers.get(NEAREST), images_seen, merged(missing))

    def refuse_impossible(self) -> None:
        """Raise before anything is trained what is known to be impossible then.

        Raises:
            DataError: weights of the extractor are missing, or images cannot be read.
            UsageError: features cannot be kept where they shall be.
            RecipeError: a metric that was asked for needs more images, or what the extractor does not give.

        """
        self.remembered.refuse_unwritable()
        two, labels = self.places[:2], self.images.labels[:2] if self.image.classes else None
        seen = self._look(self.images.read, two, labels)
        facts = Facts(self.image, (), real=self.count, fake=self.settings.n or self.count)
        asked = self.settings.metrics.items() if self.settings.asked else ()
        mistakes = [
            Mistake(f"evaluation.metrics.{name}", "", complaint)
            for name, metric in asked
            for complaint in [*self._lacking(metric, seen), *(metric.check(facts) if isinstance(metric, Checked) else ())]
        ]
        if mistakes:
            raise RecipeError(mistakes)

    @cached_property
    def network(self) -> nn.Module:
        return self.settings.extractor.open().to(self.device)

    @property
    def device(self) -> torch.device:
        return pick_device(self.settings.device)

    @cached_property
    def real(self) -> Sample:
        return self._remembered("train", lambda: self._look(self.images.read, self.places, self.images.labels[self.places]))

    @cached_property
    def held_out(self) -> Sample | DataError:
        """Features of the held-out images, or why there are none: a control that cannot be had is no reason to say nothing."""
        places = self.images.split["held_out"]
        if len(places) < 2:
            rule = "a control needs at least 2: add images, or hold more of them out"
            return DataError(f"{len(places)} of the images {'is' if len(places) == 1 else 'are'} held out, and {rule}")
        try:
            return self._remembered("held out", lambda: self._look(self.images.read, places, self.images.labels[places]))
        except DataError as error:
            return error

    @cached_property
    def noise(self) -> Sample:
        read, labels = noise(self.image.shape, self.settings.seed), self.images.labels[self.places[:500]]
        return self._remembered("noise", lambda: self._look(read, torch.arange(min(self.count, 500)), labels))

    def protocol(self) -> dict[str, str]:
        """All that its numbers depend on, beside the metric's own options and the weights that are scorer."""
        held_out = len(self.images.split["held_out"])
        return self.settings.extractor.protocol() | self._sampling() | {"held_out": f"{held_out if held_out > 1 else 0} images"}

    def _sampling(self) -> dict[str, str]:
        """What the samples depend on."""
        settings = self.settings
        weights = {"average": "the averaged generator", "live": "the live generator"}[settings.weights]
        return {
            "real": f"{self.count} training images of {self.images.fingerprint}{self._whose()}",
            "fake": f"{settings.n or self.count} samples of {weights}, classes as in the real images",
            "batch_norm": settings.batch_norm,
            "truncation": "none" if settings.truncation is None else f"{settings.truncation:g} by {settings.truncation_by}",
            "seed": str(settings.seed),
        }

    def _whose(self) -> str:
        return ", which are not those that the run has seen" if self.settings.other_data else ""

    def ids(self) -> set[str]:
        """The protocols of all its numbers."""
        return {id_of(self._protocol_of(metric)) for metric in self.settings.metrics.values()}

    def _protocol_of(self, metric: Metric) -> dict[str, str]:
        """The metric's options, and what its numbers depend on beside them: no features, where it examines the generator."""
        shared = self._sampling() if isinstance(metric, ExaminesGenerator) else self.protocol()
        return shared | {"metric": f"{self._name(metric)}({self._options(metric)})"}

    def _at_samples(self, sampler: Sampler) -> Sample:
        """As many samples as real images, of the same classes."""
        latent, labels = self._inputs(sampler)
        with normalising(sampler, self.settings.batch_norm, self.settings.seed, **self._cut()):
            made = sampler.draw(latent, labels)
        return self._look(drawn(made), torch.arange(len(latent)), labels)

    def _inputs(self, sampler: Sampler) -> tuple[Tensor, Tensor | None]:
        """The latents and labels of the samples."""
        n = self.settings.n or self.count
        if found := differing(sampler.image.class_names, self.images.class_names or self.image.class_names):
            raise DataError(f"the images are not those of the run: {found}; evaluate where its classes are as they were")
        labels = self.images.labels[self.places.repeat(-(-n // self.count))[:n]].tolist() if sampler.image.classes else None
        return sampler.inputs(n, labels, self.settings.seed, **self._cut())

    def _cut(self) -> dict[str, Any]:
        """How latents are cut, in the words of the sampler."""
        return {"truncation": self.settings.truncation, "convention": self.settings.truncation_by}

    def _tried(self, metric: Metric, sampler: Sampler, fake: Sample) -> Tried:
        return Tried.of(lambda: self._ask(metric, sampler, fake))

    def _ask(self, metric: Metric, sampler: Sampler, fake: Sample) -> Mapping[str, float]:
        """The numbers of one metric for the samples, or for the generator that makes them."""
        if isinstance(metric, ExaminesGenerator):
            return self._examined(metric, sampler)
        for complaint in self._lacking(metric, fake):
            raise UsageError(complaint)
        return metric.score(self.real, fake, self.settings.seed)

    def _lacking(self, metric: Metric, sample: Sample) -> Iterator[str]:
        """What a metric reads and a sample has not."""
        if missing := [part for part in sorted(metric.reads - {"features"}) if getattr(sample, part) is None]:
            needs = f"{self._name(metric)} needs {' and '.join(missing)}"
            given = f"which {self.settings.extractor.named} does not give for these images"
            yield f"{needs}, {given}: take another metric, or another extractor"

    def _examined(self, metric: ExaminesGenerator, sampler: Sampler) -> Mapping[str, float]:
        """The numbers of a metric that looks into the generator; neither real images nor noise have any."""
        settings = self.settings
        if settings.batch_norm == "batch":
            rule = f"{self._name(metric)} examines single samples, which have no batch to be normalised by"
            raise UsageError(f"{rule}; evaluate with --batch-norm moving or standing")
        with normalising(sampler, settings.batch_norm, settings.seed, **self._cut()):
            return metric.examine(sampler.generate, *self._inputs(sampler), settings.seed)

    def _memorised(self, fake: Sample) -> Mapping[str, float]:
        """How near samples are to their nearest training image, over how near held-out images are."""
        if isinstance(self.held_out, DataError):
            raise self.held_out
        if self.settings.other_data:
            raise DataError("the run has not seen these images, so that none of them can be one that it memorised")
        mine, theirs = (nearest(each.features, self.real.features).mean() for each in (fake, self.held_out))
        if not theirs > 0:
            raise DataError("held-out images are copies of training images, so that there is no distance to compare with")
        return {NEAREST: float(mine / theirs)}

    def _rows(self, metric: Metric, tried: Tried) -> list[Score]:
        """The numbers that one metric has for the samples, beside those of the controls."""
        protocol, better = self._protocol_of(metric), metric.better
        controls = self._controls_of(metric) if tried.numbers else {}
        held_out, static = (controls[which].numbers if which in controls else {} for which in (HELD_OUT, NOISE))
        return [
            Score(self._called(metric, key), value, protocol, better.get(key, ""), held_out.get(key), static.get(key))
            for key, value in tried.numbers.items()
        ]

    def _missing(self, metric: Metric, tried: Tried) -> list[Missing]:
        """The leading numbers that one metric does not have, for the samples and for the controls."""
        whose = {SAMPLES: tried, **(self._controls_of(metric) if tried.numbers else {})}
        return [
            Missing(tuple(self._called(metric, key) for key in each.lacking(metric.better)), each.reason, column)
            for column, each in whose.items()
            if each.reason
        ]

    def _controls_of(self, metric: Metric) -> dict[str, Tried]:
        """The numbers of held-out real images, and of noise; a metric that examines the generator has none."""
        if isinstance(metric, ExaminesGenerator):
            return {}
        key = self._protocol_of(metric)["metric"]
        if key not in self._controls:
            self._controls[key] = {
                HELD_OUT: self._control(metric, self.held_out),
                NOISE: self._control(metric, self.noise),
            }
        return self._controls[key]

    def _control(self, metric: Metric, control: Sample | DataError) -> Tried:
        if isinstance(control, DataError):
            return Tried({}, str(control), error=control)
        return Tried.of(lambda: metric.score(self.real, control, self.settings.seed))

    def names(self) -> set[str]:
        """What its leading numbers are called, whether they can be had or not."""
        return {self._called(metric, key) for metric in self.settings.metrics.values() for key in metric.better}

    def _called(self, metric: Metric, key: str) -> str:
        """What a number of a metric is called in a report."""
        if isinstance(metric, ExaminesGenerator):
            return key
        return score_name(key, self.settings.extractor.named, self._protocol_of(metric))

    def _name(self, metric: Metric) -> str:
        return self.registry.name_of("metric", metric)

    def _options(self, metric: Metric) -> str:
        """A metric's options, as a recipe would write them."""
        table = unstructure(metric, self.registry.name_of)
        return ", ".join(f"{key} = {value}" for key, value in sorted(table.items()))

    def _look(self, read: Read, places: Tensor, labels: Tensor | None) -> Sample:
        return extract_features(self.network, read, places, labels, self.device)

    def _remembered(self, which: str, look: Callable[[], Sample]) -> Sample:
        """Features of images that no generator made, from the cache where they are there."""
        facts = self.settings.extractor.protocol() | {
            "which": which,
            "images": self.images.fingerprint,
            "count": str(self.count),
            "seed": str(self.settings.seed),
            "device": self.device.type,
        }
        return self.remembered.sample(facts, look)


def score_name(key: str, named: str, protocol: Mapping[str, str]) -> str:
    """``kd[efficientnet-lite0]``; ``fid`` and its kin only for the very weights of 2015 that papers mean."""
    classic = CLASSIC.get(key) if f"sha256 {INCEPTION_2015}" in protocol.get("features", "") else None
    return classic or f"{key}[{named}]"
