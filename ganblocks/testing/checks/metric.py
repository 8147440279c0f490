"""How metrics are tried, and what they promise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from attrs import evolve, frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from torch import Tensor, nn

from ganblocks.errors import DataError
from ganblocks.kinds.component_capabilities import ExaminesGenerator, JudgesAlone
from ganblocks.options import structure
from ganblocks.registry import Registry
from ganblocks.testing.cases import Case, awake, state
from ganblocks.testing.checks.generator import root
from ganblocks.testing.promises import broken, expect, expect_same, only_if, promise, tried_with
from ganblocks.testing.strategies import components, seeds
from ganblocks.testing.toys import Identity, ToyGenerator
from ganblocks.values import ImageSpec, Player, Sample

WIDTH, CLASSES, COUNT = 4, 3, 60


@frozen(kw_only=True)
class MetricCase(Case):
    """A metric, samples of random features, and a toy generator for a metric that examines one."""

    kind: ClassVar[str] = "metric"

    def sample(self, key: str, shift: float = 0.0) -> Sample:
        """60 samples of 3 classes, whose features are normal about ``shift`` and whose logits follow the class."""
        labels = torch.arange(COUNT) % CLASSES
        logits = 3 * torch.nn.functional.one_hot(labels, CLASSES) + self.normal(COUNT, CLASSES, key=(key, "logits"))
        return Sample(self.normal(COUNT, WIDTH, key=key) + shift, logits.float(), labels)

    def score(self, real: Sample, fake: Sample) -> dict[str, float]:
        found: dict[str, float] = self.component.score(real, fake, self.seed)
        return found

    def generator(self) -> nn.Module:
        """In evaluation; forward(z [B, 6], label of 3 classes) -> image [B, 1, 8, 8]."""
        image = ImageSpec(channels=1, size=8, classes=CLASSES)
        return awake(ToyGenerator(attention=Identity()).build(image, root(Player.GENERATOR, image, self.seed))).eval()

    def examine(self, generate: Callable[[Tensor, Tensor | None], Tensor]) -> dict[str, float]:
        """What the metric says of a generator at 5 latents."""
        latent, label = self.normal(5, 6, key="latent"), self.labels(CLASSES, 5)
        found: dict[str, float] = self.component.examine(generate, latent, label, self.seed)
        return found

    def numbers(self) -> dict[str, float]:
        """What the metric says of what it is for: two samples, or a generator."""
        if isinstance(self.component, ExaminesGenerator):
            return self.examine(self.generator())
        return self.score(self.sample("real"), self.sample("fake"))


@tried_with("metric")
def metrics(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[MetricCase]:
    return st.builds(MetricCase, component=components(cls, registry, given), seed=seeds)


@promise("metric")
def says_what_it_reads_and_which_way_is_better(case: MetricCase) -> None:
    """`reads` names all that it reads of features, logits and labels; `better` says which numbers lead, and their way."""
    reads, better = case.component.reads, case.component.better
    expect(isinstance(reads, frozenset) and reads <= {"features", "logits", "labels"}, f"reads is {reads!r}")
    expect(better and set(better.values()) <= {"higher", "lower"}, f"better is {better!r}")
    missing = set(better) - set(case.numbers())
    expect(not missing, f"better names {sorted(missing)}, which it does not return")
    if isinstance(case.component, ExaminesGenerator):
        return
    absent = sorted({"logits", "labels"} - reads)
    nothing: dict[str, Any] = dict.fromkeys(absent)
    bare = [evolve(case.sample(which), **nothing) for which in ("real", "fake")]
    try:
        found = case.score(*bare)
    except Exception as error:  # a stranger's metric may raise anything
        broken(f"reads does not name {' and '.join(absent)}, without which it raises {type(error).__name__}: {error}")
    expect(
        found == case.numbers(), f"reads does not name {' and '.join(absent)}, without which its numbers are others: {found}"
    )


@promise("metric")
def returns_finite_numbers(case: MetricCase) -> None:
    """A score is a table of names and finite Python floats."""
    for name, value in case.numbers().items():
        expect(isinstance(name, str) and isinstance(value, float) and math.isfinite(value), f"{name!r} is {value!r}")


@promise("metric")
def repeats_itself(case: MetricCase) -> None:
    """Equal samples (or generators) and seeds give equal numbers, whatever else was drawn."""
    torch.manual_seed(1)
    once = case.numbers()
    torch.manual_seed(2)
    again = case.numbers()
    expect(once == again, f"{once}, then {again}")


@promise("metric")
def leaves_what_it_judges_alone(case: MetricCase) -> None:
    """The samples stay as they are; so does a generator that is examined, and none of its parameters gets a gradient."""
    if isinstance(case.component, ExaminesGenerator):
        network = case.generator()
        before = state(network)
        case.examine(network)
        for name, value in state(network).items():
            expect_same(value, before[name], f"the generator's {name}, once examined")
        touched = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
        expect(not touched, f"gradients reached the generator: {', '.join(touched)}")
        return
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
    compares_samples(case)
    real, fake = case.sample("real"), case.sample("fake")
    order = torch.randperm(COUNT, generator=case.rng("order"))
    once, again = case.score(real, fake), case.score(_picked(real, order), fake)
    for name in case.component.better:
        expect(math.isclose(once[name], again[name], rel_tol=1e-6, abs_tol=1e-6), f"{name}: {once[name]}, then {again[name]}")


@promise("metric", cases=as_it_comes)
def says_that_worse_is_worse(case: MetricCase) -> None:
    """Samples like the real ones score better than samples of something else, by every number that leads."""
    compares_samples(case)
    only_if(not isinstance(case.component, JudgesAlone), "judges made images alone, without comparing them to real ones")
    real = case.sample("real")
    alike, unlike = case.score(real, case.sample("fake")), case.score(real, _worse(case))
    for name, way in case.component.better.items():
        better = alike[name] > unlike[name] if way == "higher" else alike[name] < unlike[name]
        expect(better, f"{name} ({way} is better): {alike[name]:.4g} for samples alike, {unlike[name]:.4g} for others")


@promise("metric")
def refuses_what_is_no_sample(case: MetricCase) -> None:
    """Features or logits that are not finite, of another width, or of a single image are refused by a DataError."""
    compares_samples(case)
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
            found = case.score(real, evolve(fake, **changed))
        except DataError:
            continue
        expect(False, f"{part} {what} score {found}")


@promise("metric")
def refuses_a_broken_generator(case: MetricCase) -> None:
    """A metric that examines the generator refuses one whose images are not finite by a DataError."""
    only_if(isinstance(case.component, ExaminesGenerator), "judges samples, not a generator")
    network = case.generator()
    try:
        found = case.examine(lambda z, label: network(z, label) * torch.nan)
    except DataError:
        return
    expect(False, f"images that are not finite score {found}")


def compares_samples(case: MetricCase) -> None:
    only_if(not isinstance(case.component, ExaminesGenerator), "examines a generator, not samples")


def _picked(sample: Sample, index: Tensor) -> Sample:
    assert sample.logits is not None, "the case's samples are complete"
    assert sample.labels is not None, "the case's samples are complete"
    return Sample(sample.features[index], sample.logits[index], sample.labels[index])


def _worse(case: MetricCase) -> Sample:
    """Far-off features that hardly differ, and logits that know nothing."""
    far = case.sample("fake")
    return Sample(5 + 0.1 * far.features, torch.zeros(COUNT, CLASSES), far.labels)
