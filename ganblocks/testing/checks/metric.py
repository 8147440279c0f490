"""How metrics are tried, and what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from attrs import evolve, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from ganblocks.errors import DataError
from ganblocks.kinds.component_capabilities import ReferenceFree
from ganblocks.options import structure
from ganblocks.registry import Registry
from ganblocks.testing.cases import Case
from ganblocks.testing.promises import broken, expect, only_if, promise, tried_with
from ganblocks.testing.strategies import components, seeds
from ganblocks.values import Sample

WIDTH, CLASSES, COUNT = 4, 3, 60


@frozen(kw_only=True)
class MetricCase(Case):
    """A metric, and samples of random features."""

    kind: ClassVar[str] = "metric"

    def sample(self, key: str, shift: float = 0.0) -> Sample:
        """60 samples of 3 classes, whose features are normal about ``shift`` and whose logits follow the class."""
        labels = torch.arange(COUNT) % CLASSES
        logits = 3 * torch.nn.functional.one_hot(labels, CLASSES) + self.normal(COUNT, CLASSES, key=(key, "logits"))
        return Sample(self.normal(COUNT, WIDTH, key=key) + shift, logits.float(), labels)

    def score(self, real: Sample, fake: Sample) -> dict[str, float]:
        """Return the metric's numbers of two samples [60, 4]."""
        numbers: dict[str, float] = self.component.score(real, fake, self.seed)
        return numbers

    def numbers(self) -> dict[str, float]:
        """Return the score of two samples of one distribution."""
        return self.score(self.sample("real"), self.sample("fake"))


@tried_with("metric")
def metrics(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[MetricCase]:
    """Draw a case with any options."""
    return st.builds(MetricCase, component=components(cls, registry, given), seed=seeds)


@promise("metric")
def says_what_it_reads_and_which_way_is_better(case: MetricCase) -> None:
    """`reads` names all that it reads of features, logits and labels; `better` says which numbers lead, and their way."""
    reads, better = case.component.reads, case.component.better
    expect(isinstance(reads, frozenset) and reads <= {"features", "logits", "labels"}, f"reads is {reads!r}")
    expect(better and set(better.values()) <= {"higher", "lower"}, f"better is {better!r}")
    missing = set(better) - set(case.numbers())
    expect(not missing, f"better names {sorted(missing)}, which it does not return")
    absent = sorted({"logits", "labels"} - reads)
    nothing: dict[str, Any] = dict.fromkeys(absent)
    bare = [evolve(case.sample(which), **nothing) for which in ("real", "fake")]
    try:
        numbers = case.score(*bare)
    except Exception as error:  # a stranger's metric may raise anything
        broken(f"reads does not name {' and '.join(absent)}, without which it raises {type(error).__name__}: {error}")
    expect(
        numbers == case.numbers(),
        f"reads does not name {' and '.join(absent)}, without which its numbers are others: {numbers}",
    )


@promise("metric")
def returns_finite_numbers(case: MetricCase) -> None:
    """A score is a table of names and finite Python floats."""
    for name, value in case.numbers().items():
        expect(isinstance(name, str) and isinstance(value, float) and math.isfinite(value), f"{name!r} is {value!r}")


@promise("metric")
def repeats_itself(case: MetricCase) -> None:
    """Equal samples and seeds give equal numbers, whatever else was drawn."""
    torch.manual_seed(1)
    once = case.numbers()
    torch.manual_seed(2)
    again = case.numbers()
    expect(once == again, f"{once}, then {again}")


@promise("metric")
def leaves_samples_unchanged(case: MetricCase) -> None:
    """The samples stay as they are."""
    real, fake = case.sample("real"), case.sample("fake")
    kept = real.features.clone()
    case.score(real, fake)
    expect(torch.equal(kept, real.features), "the real features were changed")


def as_it_comes(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[MetricCase]:
    """Default options only: a metric that looks at tiny subsets depends on which they are."""
    ours = list(given) or [structure(cls, {}, "metric", registry.get)]
    return st.builds(MetricCase, component=st.sampled_from(ours), seed=seeds)


@promise("metric", cases=as_it_comes)
def the_order_of_real_images_does_not_matter(case: MetricCase) -> None:
    """The real images in another order give the same numbers, up to rounding."""
    real, fake = case.sample("real"), case.sample("fake")
    order = torch.randperm(COUNT, generator=case.rng("order"))
    once, again = case.score(real, fake), case.score(_picked(real, order), fake)
    for name in case.component.better:
        expect(math.isclose(once[name], again[name], rel_tol=1e-6, abs_tol=1e-6), f"{name}: {once[name]}, then {again[name]}")


@promise("metric", cases=as_it_comes)
def says_that_worse_is_worse(case: MetricCase) -> None:
    """Samples like the real ones score better than samples of something else, by every number that leads."""
    only_if(not isinstance(case.component, ReferenceFree), "scores generated images without comparing them with real ones")
    real = case.sample("real")
    alike, unlike = case.score(real, case.sample("fake")), case.score(real, _worse(case))
    for name, way in case.component.better.items():
        better = alike[name] > unlike[name] if way == "higher" else alike[name] < unlike[name]
        expect(better, f"{name} ({way} is better): {alike[name]:.4g} for samples alike, {unlike[name]:.4g} for others")


@promise("metric")
def refuses_what_is_no_sample(case: MetricCase) -> None:
    """Features or logits that are not finite, of another width, or of a single image are refused by a DataError."""
    real, fake = case.sample("real"), case.sample("fake")
    spoilt: dict[str, Callable[[Tensor], Tensor]] = {
        "not finite": lambda x: torch.full_like(x, torch.nan),
        "of three dimensions": lambda x: x[:, :, None],
        "of a single image": lambda x: x[:1],
    }
    part = "features" if "features" in case.component.reads else "logits"
    for what, spoil in spoilt.items():
        labels = fake.labels[:1] if fake.labels is not None and what == "of a single image" else fake.labels
        try:
            changed: dict[str, Any] = {part: spoil(getattr(fake, part)), "labels": labels}
            numbers = case.score(real, evolve(fake, **changed))
        except DataError:
            continue
        expect(False, f"{part} {what} score {numbers}")


def _picked(sample: Sample, index: Tensor) -> Sample:
    assert sample.logits is not None, "the case's samples are complete"
    assert sample.labels is not None, "the case's samples are complete"
    return Sample(sample.features[index], sample.logits[index], sample.labels[index])


def _worse(case: MetricCase) -> Sample:
    """Far-off features that hardly differ, and logits that know nothing."""
    far = case.sample("fake")
    return Sample(5 + 0.1 * far.features, torch.zeros(COUNT, CLASSES), far.labels)
