"""Metrics behind one extractor, over one data set, under a written protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ganblocks.deprecated import is_former_diagnostic
from ganblocks.devices import pick_device
from ganblocks.errors import DataError, Mistake, RecipeError, UsageError
from ganblocks.evaluation.batch_norm_modes import batch_norm_mode
from ganblocks.evaluation.cache_key import code_of, pixels_of
from ganblocks.evaluation.feature_cache import FeatureCache, as_cache
from ganblocks.evaluation.features import (
    ReadImages,
    choose_indices,
    extract_features,
    generated_images,
    nearest_distances,
    noise_images,
)
from ganblocks.evaluation.measurement import Attempt, Measurement, merge_missing, no_numbers
from ganblocks.evaluation.report import HELD_OUT, NOISE, SAMPLES, Missing, Report, id_of
from ganblocks.evaluation.settings import EvaluationSettings
from ganblocks.kinds.component_capabilities import Checked, ClassicNames, ClassicWeights
from ganblocks.kinds.diagnostic import Diagnostic
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.metric import Metric
from ganblocks.options import unstructure
from ganblocks.registry import Registry
from ganblocks.seeding import seed_of
from ganblocks.training.classes import differing
from ganblocks.training.sampler import Sampler
from ganblocks.values import Facts, Images, ImageSpec, Sample

NEAREST = "nearest training image"
"""The name of the memorisation ratio where it is missing."""
SAMPLED = "sampled:"
"""The beginning of fingerprints that do not cover every byte; see :class:`ganblocks.values.Images`."""
NOISE_IMAGES = 500
"""Images of the noise control, at most."""


class Evaluator:
    """Compares samples of a generator with real images, whose features are extracted once.

    Args:
        images: the opened data set.
        image: shape and classes of its images.
        settings: the extractor, the metrics and the number of images.
        registry: knows the names of the metrics.
        cache: a folder for features of real images and of noise, shared by evaluators; None: they are not kept.
    """

    def __init__(
        self,
        images: Images,
        image: ImageSpec,
        settings: EvaluationSettings,
        registry: Registry,
        cache: FeatureCache | Path | None = None,
    ) -> None:
        self.images, self.image, self.settings, self.registry = images, image, settings, registry
        self.cache = as_cache(cache)
        self.count = min(settings.n or 10_000, len(images.split["train"]))
        if self.count < 2 or (settings.n or 2) < 2:
            raise UsageError(f"{self.count} images cannot be compared: ask for at least 2")
        self.indices = choose_indices(images, "train", self.count, seed_of(settings.seed, "real") % 2**31)
        former = {name: metric for name, metric in settings.metrics.items() if is_former_diagnostic(metric)}
        self.metrics = {name: metric for name, metric in settings.metrics.items() if name not in former}
        self.diagnostics: dict[str, Diagnostic] = {**former, **settings.diagnostics}  # type: ignore[dict-item]
        self._controls: dict[str, dict[str, Attempt]] = {}

    def report(self, sampler: Sampler, images_seen: int) -> Report:
        """Evaluate a generator that was trained on ``images_seen`` images.

        A number that cannot be computed is reported with its reason, and affects no other. The sampler's network and torch's
        global random numbers stay as they are.

        Raises:
            DataError: weights of the extractor are missing, or there is no number at all.
            UsageError: there is no number at all, because of the settings.

        """
        _ = self.real  # images that cannot be read are an error of the data, not of one metric
        fake = self._samples(sampler)
        measurements = [self._measure(metric, fake) for metric in self.metrics.values()]
        measurements += [self._examine(diagnostic, sampler) for diagnostic in self.diagnostics.values()]
        missing = [item for measurement in measurements for item in measurement.missing()]
        memorisation = Attempt.of(lambda: self._memorisation(fake))
        if memorisation.reason:
            column = HELD_OUT if memorisation.error is self.held_out else SAMPLES
            missing.append(Missing((NEAREST,), memorisation.reason, column))
        values = tuple(value for measurement in measurements for value in measurement.values())
        if not values:
            first = next((measurement.samples.error for measurement in measurements if measurement.samples.error), None)
            raise no_numbers(merge_missing(missing), first) from first
        return Report(values, memorisation.numbers.get(NEAREST), images_seen, merge_missing(missing))

    def leading(self, sampler: Sampler) -> dict[str, float]:
        """Return the leading numbers of all metrics for a generator whose batch norms have their statistics: name -> number.

        A number that cannot be computed is left out.
        """
        latent, labels = self._inputs(sampler)
        fake = self._features(generated_images(sampler.draw(latent, labels)), torch.arange(len(latent)), labels)
        numbers: dict[str, float] = {}
        for metric in self.metrics.values():
            scored = Attempt.of(partial(self._score, metric, fake)).numbers
            numbers |= {self._score_name(metric)(key): scored[key] for key in metric.better if key in scored}
        return numbers

    def refuse_impossible(self) -> None:
        """Raise, before training, for what is known to be impossible afterwards.

        Raises:
            DataError: weights of the extractor are missing, or images cannot be read.
            UsageError: the feature cache cannot be written.
            RecipeError: a chosen metric needs more images, or what the extractor does not give.

        """
        self.cache.refuse_unwritable()
        features = self._features(self.images.read, self.indices[:2], self.images.labels[:2] if self.image.classes else None)
        mistakes = [Mistake(path, "", rule) for path, rule in self._broken_rules(features)] if self.settings.explicit else ()
        if mistakes:
            raise RecipeError(mistakes)

    def _broken_rules(self, features: Sample) -> Iterator[tuple[str, str]]:
        """Yield path and sentence for all that metrics and diagnostics need and do not get."""
        facts = Facts(self.image, (), real=self.count, fake=self.settings.n or self.count)
        for name, metric in self.metrics.items():
            for rule in (*self._lacking(metric, features), *_check(metric, facts)):
                yield f"evaluation.metrics.{name}", rule
        for name, diagnostic in self.diagnostics.items():
            for rule in _check(diagnostic, facts):
                yield f"evaluation.diagnostics.{name}", rule

    @cached_property
    def network(self) -> nn.Module:
        """The opened extractor, on the device."""
        return self.settings.extractor.open().to(self.device)

    @property
    def device(self) -> torch.device:
        """Where features are extracted."""
        return pick_device(self.settings.device)

    @cached_property
    def real(self) -> Sample:
        """Features of the training images."""
        return self._cached("train", self.images.read, self.indices, self.images.labels[self.indices])

    @cached_property
    def held_out(self) -> Sample | DataError:
        """Features of the held-out images, or the reason why there are none."""
        indices = self.images.split["held_out"]
        if len(indices) < 2:
            rule = "a control needs at least 2: add images, or hold more of them out"
            return DataError(f"{len(indices)} of the images {'is' if len(indices) == 1 else 'are'} held out, and {rule}")
        try:
            return self._cached("held out", self.images.read, indices, self.images.labels[indices])
        except DataError as error:
            return error

    @cached_property
    def noise(self) -> Sample:
        """Features of noise images, with the labels of real ones."""
        read, indices = noise_images(self.image.shape, self.settings.seed), torch.arange(min(self.count, NOISE_IMAGES))
        return self._cached("noise", read, indices, self.images.labels[self.indices[:NOISE_IMAGES]])

    def protocol(self) -> dict[str, str]:
        """Return all that numbers of metrics depend on, except the metric's own options and the evaluated weights."""
        held_out = len(self.images.split["held_out"])
        return self.settings.extractor.protocol() | self._sampling() | {"held_out": f"{held_out if held_out > 1 else 0} images"}

    def protocol_ids(self) -> set[str]:
        """Return the ids of the protocols of all numbers."""
        protocols = [self._metric_protocol(metric) for metric in self.metrics.values()]
        protocols += [self._diagnostic_protocol(diagnostic) for diagnostic in self.diagnostics.values()]
        return {id_of(protocol) for protocol in protocols}

    def names(self) -> set[str]:
        """Return the names of all leading numbers, whether they can be computed or not."""
        metrics = {self._score_name(metric)(key) for metric in self.metrics.values() for key in metric.better}
        return metrics | {key for diagnostic in self.diagnostics.values() for key in diagnostic.better}

    def _sampling(self) -> dict[str, str]:
        """Return what the samples depend on."""
        settings = self.settings
        weights = {"average": "the averaged generator", "live": "the live generator"}[settings.weights]
        other = ", which are not those that the run has seen" if settings.other_data else ""
        return {
            "real": f"{self.count} training images of {self.images.fingerprint}{other}",
            "fake": f"{settings.n or self.count} samples of {weights}, classes as in the real images",
            "batch_norm": settings.batch_norm,
            "truncation": "none" if settings.truncation is None else f"{settings.truncation:g} by {settings.truncation_by}",
            "seed": str(settings.seed),
        }

    def _metric_protocol(self, metric: Metric) -> dict[str, str]:
        return self.protocol() | {"metric": self._described("metric", metric)}

    def _diagnostic_protocol(self, diagnostic: Diagnostic) -> dict[str, str]:
        """Return the protocol without features, on which a diagnostic does not depend."""
        return self._sampling() | {"metric": self._described(_kind_of(diagnostic), diagnostic)}

    def _described(self, kind: str, component: object) -> str:
        """Return name and options: ``kernel(subset = 1000, subsets = 100)``."""
        return f"{self.registry.name_of(kind, component)}({self._options(component)})"

    def _options(self, component: object) -> str:
        table = unstructure(component, self.registry.name_of)
        return ", ".join(f"{key} = {value}" for key, value in sorted(table.items()))

    def _score_name(self, metric: Metric) -> Callable[[str], str]:
        return lambda key: score_name(key, metric, self.settings.extractor)

    def _measure(self, metric: Metric, fake: Sample) -> Measurement:
        """Return the numbers of a metric for the samples and, where there are any, for the controls."""
        samples = Attempt.of(lambda: self._score(metric, fake))
        controls = self._controls_of(metric) if samples.numbers else {}
        return Measurement(self._score_name(metric), metric.better, self._metric_protocol(metric), samples, controls)

    def _score(self, metric: Metric, fake: Sample) -> Mapping[str, float]:
        for rule in self._lacking(metric, fake):
            raise UsageError(rule)
        return metric.score(self.real, fake, self.settings.seed)

    def _lacking(self, metric: Metric, sample: Sample) -> Iterator[str]:
        """Yield a sentence if a metric reads what a sample lacks."""
        if missing := [part for part in sorted(metric.reads - {"features"}) if getattr(sample, part) is None]:
            needs = f"{self.registry.name_of('metric', metric)} needs {' and '.join(missing)}"
            given = f"which {self.settings.extractor.named} does not give for these images"
            yield f"{needs}, {given}: take another metric, or another extractor"

    def _controls_of(self, metric: Metric) -> dict[str, Attempt]:
        """Return the numbers of held-out real images and of noise, computed once per metric."""
        key = self._described("metric", metric)
        if key not in self._controls:
            samples = {HELD_OUT: self.held_out, NOISE: self.noise}
            self._controls[key] = {column: self._control(metric, sample) for column, sample in samples.items()}
        return self._controls[key]

    def _control(self, metric: Metric, control: Sample | DataError) -> Attempt:
        if isinstance(control, DataError):
            return Attempt({}, str(control), error=control)
        return Attempt.of(lambda: metric.score(self.real, control, self.settings.seed))

    def _examine(self, diagnostic: Diagnostic, sampler: Sampler) -> Measurement:
        """Return the numbers of a diagnostic, which have no controls."""
        samples = Attempt.of(lambda: self._examined(diagnostic, sampler))
        return Measurement(str, diagnostic.better, self._diagnostic_protocol(diagnostic), samples, {})

    def _examined(self, diagnostic: Diagnostic, sampler: Sampler) -> Mapping[str, float]:
        settings = self.settings
        if settings.batch_norm == "batch":
            name = self.registry.name_of(_kind_of(diagnostic), diagnostic)
            rule = f"{name} examines single samples, which have no batch to be normalised by"
            raise UsageError(rule, "evaluate with --batch-norm moving or standing")
        with batch_norm_mode(sampler, settings.batch_norm, settings.seed, **settings.truncated):
            return diagnostic.examine(sampler.generate, *self._inputs(sampler), settings.seed)

    def _memorisation(self, fake: Sample) -> Mapping[str, float]:
        """Return the mean distance of samples to their nearest training image over that of held-out images."""
        if isinstance(self.held_out, DataError):
            raise self.held_out
        if self.settings.other_data:
            raise DataError("the run has not seen these images, so that none of them can be one that it memorised")
        if not self._held_out_distance > 0:
            raise DataError("held-out images are copies of training images, so that there is no distance to compare with")
        return {NEAREST: self._nearest(fake) / self._held_out_distance}

    @cached_property
    def _held_out_distance(self) -> float:
        assert isinstance(self.held_out, Sample)
        return self._nearest(self.held_out)

    def _nearest(self, sample: Sample) -> float:
        """Return the mean distance of a sample to its nearest training images."""
        return float(nearest_distances(sample.features, self.real.features).mean())

    def _samples(self, sampler: Sampler) -> Sample:
        """Return features of generated images, in the classes of the real ones."""
        latent, labels = self._inputs(sampler)
        with batch_norm_mode(sampler, self.settings.batch_norm, self.settings.seed, **self.settings.truncated):
            generated = sampler.draw(latent, labels)
        return self._features(generated_images(generated), torch.arange(len(latent)), labels)

    def _inputs(self, sampler: Sampler) -> tuple[Tensor, Tensor | None]:
        """Return latents [n, Z] and labels [n] of the samples."""
        n = self.settings.n or self.count
        if difference := differing(sampler.image.class_names, self.images.class_names or self.image.class_names):
            rule = f"the images are not those of the run: {difference}"
            raise DataError(rule, "evaluate where its classes are as they were")
        labels = self.images.labels[self.indices.repeat(-(-n // self.count))[:n]].tolist() if sampler.image.classes else None
        return sampler.inputs(n, labels, self.settings.seed, **self.settings.truncated)

    def _features(self, read: ReadImages, indices: Tensor, labels: Tensor | None) -> Sample:
        return extract_features(self.network, read, indices, labels, self.device)

    def _cached(self, which: str, read: ReadImages, indices: Tensor, labels: Tensor) -> Sample:
        """Return features of images that do not depend on a generator, from the cache where they are there."""
        extractor, automatic = self.settings.extractor, self.cache.automatic
        code = code_of(extractor)
        if self.cache.folder is None or (automatic and (not code or self.images.fingerprint.startswith(SAMPLED))):
            return self._features(read, indices, labels)
        facts = extractor.protocol() | {
            "extractor": f"{extractor.named}({self._options(extractor)})",
            "code": code,
            "torch": torch.__version__,
            "probed": pixels_of(read, indices),
            "which": which,
            "images": self.images.fingerprint,
            "count": str(self.count),
            "seed": str(self.settings.seed),
            "device": self.device.type,
        }
        return self.cache.sample(facts, lambda: self._features(read, indices, labels))


def _check(component: object, facts: Facts) -> Iterable[str]:
    return component.check(facts) if isinstance(component, Checked) else ()


def _kind_of(diagnostic: Diagnostic) -> str:
    return "metric" if is_former_diagnostic(diagnostic) else "diagnostic"


def score_name(key: str, metric: Metric, extractor: FeatureExtractor) -> str:
    """Return ``kd[efficientnet-lite0]``; a name from papers, such as ``fid``, only for the weights that papers use."""
    classic = metric.classic_names if isinstance(metric, ClassicNames) and isinstance(extractor, ClassicWeights) else {}
    return classic.get(key, f"{key}[{extractor.named}]")
