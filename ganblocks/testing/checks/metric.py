"""How metrics are tested, and their properties."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from attrs import evolve, frozen
from torch import Tensor

from ganblocks.errors import DataError
from ganblocks.kinds.component_capabilities import ReferenceFree
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, repeat
from ganblocks.testing.properties import properties
from ganblocks.values import Sample

WIDTH, CLASSES, COUNT = 4, 3, 60


@frozen(kw_only=True)
class MetricCase(Case):
    """A metric, and samples of random features."""

    kind: ClassVar[str] = "metric"

    def sample(self, key: str) -> Sample:
        """Return 60 samples of 3 classes, with normal features and logits that follow the class."""
        labels = torch.arange(COUNT) % CLASSES
        logits = 3 * torch.nn.functional.one_hot(labels, CLASSES) + self.normal(COUNT, CLASSES, key=(key, "logits"))
        return Sample(self.normal(COUNT, WIDTH, key=key), logits.float(), labels)

    def score(self, real: Sample, fake: Sample) -> dict[str, float]:
        """Return the metric's numbers of two samples [60, 4]."""
        numbers: dict[str, float] = self.component.score(real, fake, self.seed)
        return numbers

    def numbers(self) -> dict[str, float]:
        """Return the score of two samples of one distribution."""
        return self.score(self.sample("real"), self.sample("fake"))


def expect_directions(better: Mapping[str, str], numbers: Mapping[str, float]) -> None:
    """Expect ``better`` to name some of the numbers, and whether higher or lower is better."""
    expect.that(better and set(better.values()) <= {"higher", "lower"}, f"better is {better!r}")
    missing = set(better) - set(numbers)
    expect.that(not missing, f"better names {sorted(missing)}, which it does not return")


def expect_finite_floats(numbers: Mapping[str, float]) -> None:
    """Expect names and finite Python floats."""
    for name, value in numbers.items():
        expect.that(isinstance(name, str) and isinstance(value, float) and math.isfinite(value), f"{name!r} is {value!r}")


def says_what_it_reads_and_which_way_is_better(case: MetricCase) -> None:
    """`reads` names all that it reads of features, logits and labels; `better` the leading numbers and their direction."""
    reads, numbers = case.component.reads, case.numbers()
    expect.that(isinstance(reads, frozenset) and reads <= {"features", "logits", "labels"}, f"reads is {reads!r}")
    expect_directions(case.component.better, numbers)
    absent = sorted({"logits", "labels"} - reads)
    nothing: dict[str, Any] = dict.fromkeys(absent)
    undeclared = f"reads does not name {' and '.join(absent)}, without which"
    try:
        bare = case.score(*(evolve(case.sample(key), **nothing) for key in ("real", "fake")))
    except Exception as error:  # a plugin's metric may raise anything
        expect.fail(f"{undeclared} it raises {type(error).__name__}: {error}")
    expect.that(bare == numbers, f"{undeclared} its numbers are others: {bare}")


def returns_finite_numbers(case: MetricCase) -> None:
    """A score is a dict of names and finite Python floats."""
    expect_finite_floats(case.numbers())


def repeats_itself(case: MetricCase) -> None:
    """Equal samples and seeds give equal numbers, whatever the state of global random numbers."""
    once, again = repeat(case.numbers)
    expect.that(once == again, f"{once}, then {again}")


def leaves_samples_unchanged(case: MetricCase) -> None:
    """The samples are not modified."""
    real = case.sample("real")
    case.score(real, case.sample("fake"))
    expect.that(torch.equal(case.sample("real").features, real.features), "the real features were changed")


def the_order_of_real_images_does_not_matter(case: MetricCase) -> None:
    """The real images in another order give the same numbers, up to rounding."""
    real, fake = case.sample("real"), case.sample("fake")
    order = torch.randperm(COUNT, generator=case.rng("order"))
    values: list[Any] = [real.features, real.logits, real.labels]
    once, again = case.score(real, fake), case.score(Sample(*(value[order] for value in values)), fake)
    for name in case.component.better:
        close = math.isclose(once[name], again[name], rel_tol=1e-6, abs_tol=1e-6)
        expect.that(close, f"{name}: {once[name]}, then {again[name]}")


def says_that_worse_is_worse(case: MetricCase) -> None:
    """Samples like the real ones score better than other samples, by every leading number."""
    expect.only_if(not isinstance(case.component, ReferenceFree), "does not compare generated images with real ones")
    real, fake = case.sample("real"), case.sample("fake")
    worse = Sample(5 + 0.1 * fake.features, torch.zeros(COUNT, CLASSES), fake.labels)
    alike, unlike = case.score(real, fake), case.score(real, worse)
    for name, direction in case.component.better.items():
        better = alike[name] > unlike[name] if direction == "higher" else alike[name] < unlike[name]
        expect.that(
            better, f"{name} ({direction} is better): {alike[name]:.4g} for like samples, {unlike[name]:.4g} for others"
        )


def refuses_what_is_no_sample(case: MetricCase) -> None:
    """Features or logits that are not finite, of another width, or of a single image are refused by a DataError."""
    part = "features" if "features" in case.component.reads else "logits"
    spoilt: dict[str, Callable[[Tensor], Tensor]] = {
        "not finite": lambda x: torch.full_like(x, torch.nan),
        "of three dimensions": lambda x: x[:, :, None],
        "of a single image": lambda x: x[:1],
    }
    for what, spoil in spoilt.items():
        fake: Any = case.sample("fake")
        value = spoil(getattr(fake, part))
        changed: dict[str, Any] = {part: value, "labels": fake.labels[: len(value)]}
        try:
            numbers = case.score(case.sample("real"), evolve(fake, **changed))
        except DataError:
            continue
        expect.fail(f"{part} {what} score {numbers}")


CASES = drawn(MetricCase)
PROPERTIES = (
    *properties(says_what_it_reads_and_which_way_is_better, returns_finite_numbers, repeats_itself, leaves_samples_unchanged),
    *properties(
        the_order_of_real_images_does_not_matter, says_that_worse_is_worse, cases=drawn(MetricCase, defaults=True)
    ),  # a metric of tiny subsets, say, depends on which they are
    *properties(refuses_what_is_no_sample),
)
