"""What a recipe holds. Plain frozen classes: whatever a file can say can be built in Python too."""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs
from attrs import Factory, frozen
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ganblocks.errors import OptionError
from ganblocks.kinds.augment import Augment
from ganblocks.kinds.dataset import Dataset
from ganblocks.kinds.diagnostic import Diagnostic
from ganblocks.kinds.discriminator import Discriminator
from ganblocks.kinds.feature_extractor import FeatureExtractor
from ganblocks.kinds.generator import Generator
from ganblocks.kinds.loss import Loss
from ganblocks.kinds.metric import Metric
from ganblocks.kinds.penalty import Penalty
from ganblocks.kinds.update_rule import UpdateRule
from ganblocks.options.declare import inline_socket, moving, option, socket
from ganblocks.options.fields import PLUGIN_DEFAULT
from ganblocks.schedules import Moving

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def _differentiable(instance: object, attribute: attrs.Attribute[Any], value: Augment | None) -> None:
    if value is not None and not value.differentiable:
        raise OptionError("must be differentiable here", "move it to data.augment")


def _plain_names(instance: object, attribute: attrs.Attribute[Any], value: dict[str, Any]) -> None:
    """Names of tables become names of metrics and of folders."""
    if wrong := [name for name in value if not NAME.fullmatch(name)]:
        raise OptionError("must have names of letters, digits, _ and -", f"rename {wrong[0][:64]!r}")


def _specifiers(instance: object, attribute: attrs.Attribute[Any], value: dict[str, Any]) -> None:
    for name, versions in value.items():
        try:
            SpecifierSet(versions)
        except (InvalidSpecifier, TypeError, AttributeError) as error:
            raise OptionError("must name versions", f'write {name[:64]} = ">=1.2,<2"') from error


def _paths(instance: object, attribute: attrs.Attribute[Any], value: dict[str, Any]) -> None:
    """``generator.attention = "none"`` without quotes is a nested table to TOML: a section that would replace the whole one."""
    for key, item in value.items():
        if isinstance(item, dict) and "." not in key:
            inner = next(iter(item), "…")
            raise OptionError("must have quoted paths as keys", f'write "{key}.{inner}" = …')


@frozen(kw_only=True)
class Data:
    """``[data]``: the images. Every key but the section's own is an option of the data set."""

    dataset: Dataset = inline_socket("dataset")
    fake_classes: Literal["data", "uniform"] = option("data")
    """How the classes of fakes are drawn: as the data has them, or each as often as any other."""
    augment: Augment | None = socket("augment", optional=True)
    """Changes real images as they are read."""


@frozen(kw_only=True)
class DiscriminatorPlayer:
    """``[discriminator]``: the network, and what changes all images that it sees. Every other key is the network's."""

    network: Discriminator = inline_socket("discriminator")
    augment: Augment | None = socket("augment", optional=True, validator=_differentiable)
    """Changes real and fake images alike, in both players' turns."""


@frozen(kw_only=True)
class PenaltyTerm:
    """``[penalties.NAME]``: a penalty and its weight. Where ``use`` is absent, NAME names the component."""

    penalty: Penalty = inline_socket("penalty")
    weight: Moving = moving(1.0, low=0)
    every: int = option(1, low=1)
    """In the player's steps; the contribution is then multiplied by ``every``."""


@frozen(kw_only=True)
class Average:
    """``[average]``: the moving average of the generator's weights, from which samples are drawn."""

    decay: float = option(0.999, low=0, high=1)
    """Share of the old average that each step keeps."""
    start: int = option(0, low=0)
    """Images seen before which the average is the generator as it is."""


@frozen(kw_only=True)
class Training:
    """``[training]``: how long, and how many at once. Everything is counted in real images that the discriminator has seen."""

    images: int = option(above=0)
    batch: int = option(above=0)
    microbatch: int | None = option(None, above=0)
    """Samples that go through the networks at once; the gradients of a batch are added up. What compares samples (batch norm,
    some losses) sees those of a microbatch only."""
    precision: Literal["fp32", "bf16", "auto"] = option("fp32")
    """"auto": bf16 where the device computes in it, else fp32; the run folder's recipe says which."""
    deterministic: bool = option(False)
    """Choose only kernels that give the same bits each time. A processor's do anyway; a GPU's need it, and are slower then."""
    samples_every: int | None = option(None, above=0)
    """None: a tenth of the run."""
    checkpoint_every: int | None = option(None, above=0)
    """None: a tenth of the run."""
    statistics_every: int | None = option(None, above=0)
    """None: a hundredth of the run."""

    @microbatch.validator
    def _divides(self, attribute: attrs.Attribute[int | None], value: int | None) -> None:
        if value is not None and value > 0 and self.batch % value:
            raise OptionError(f"must divide batch, {self.batch}")


@frozen(kw_only=True)
class Measure:
    """``[evaluation.metrics.NAME]``: a metric. Where ``use`` is absent, NAME names the component."""

    metric: Metric = inline_socket("metric")


@frozen(kw_only=True)
class Examination:
    """``[evaluation.diagnostics.NAME]``: a diagnostic. Where ``use`` is absent, NAME names the component."""

    diagnostic: Diagnostic = inline_socket("diagnostic")


@frozen(kw_only=True)
class Evaluation:
    """``[evaluation]``: how a run is scored at its end, and during it where ``every`` is set.

    One that names no metrics and no diagnostics uses the default metrics.
    """

    extractor: FeatureExtractor = socket("feature_extractor", default=PLUGIN_DEFAULT)
    metrics: dict[str, Measure] = option(Factory(dict), validator=_plain_names)
    diagnostics: dict[str, Examination] = option(Factory(dict), validator=_plain_names)
    n: int | None = option(None, low=2)
    """Samples, and real images; None: as many as there are training images, at most 10,000."""
    weights: Literal["average", "live"] = option("average")
    """Of the generator: the moving average, or as they are trained."""
    every: int | None = option(None, above=0)
    """Images between scores within the run; None: at its end only."""


@frozen(kw_only=True)
class Health:
    """``[health]``: what becomes of a run in which something goes wrong."""

    not_finite: Literal["stop", "skip", "rollback"] = option("stop")
    """At a number that is not finite: end the run; undo the step and go on with the next images (everything is copied before
    each step); or go back to the last checkpoint and on with other random numbers."""
    collapse: Literal["off", "warn", "stop", "rollback"] = option("warn")
    """Where fakes hardly differ from each other any more, or the generator is no longer told anything."""
    skips: int = option(10, low=0)
    """Steps in a row that may be undone before the run ends."""
    rollbacks: int = option(3, low=0)
    """How often the run may go back before it ends."""


@frozen(kw_only=True)
class Ablation:
    """``[ablation.NAME]``: what changes where this ablation is asked for. Kept as it is written."""

    set: dict[str, Any] = option(Factory(dict), validator=_paths)
    """Dotted path -> value."""
    remove: tuple[str, ...] = ()
    """Dotted paths to take away."""
    against: str | None = None
    """The ablation that ``ganblocks ablate`` compares this one with; None: the recipe as it is written."""


@frozen(kw_only=True)
class Recipe:
    """A whole training, as data."""

    title: str = option()
    paper: str = ""
    data: Data
    generator: Generator = socket("generator")
    discriminator: DiscriminatorPlayer
    loss: Loss = socket("loss")
    penalties: dict[str, PenaltyTerm] = option(Factory(dict), validator=_plain_names)
    update: UpdateRule = socket("update_rule")
    average: Average = Factory(Average)
    training: Training
    health: Health = Factory(Health)
    evaluation: Evaluation | None = None
    plugins: dict[str, str] = option(Factory(dict), validator=_specifiers)
    """``[plugins]``: distribution -> versions that it may have, such as ``ganblocks-acme = ">=1.2,<2"``."""
    ablation: dict[str, Ablation] = option(Factory(dict), validator=_plain_names)
