"""The sections of a recipe: plain frozen classes, which Python code can build too."""

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
from ganblocks.kinds.logger import Logger
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
    """Refuse names of tables that cannot be names of metrics and of folders."""
    if wrong := [name for name in value if not NAME.fullmatch(name)]:
        raise OptionError("must have names of letters, digits, _ and -", f"rename {wrong[0][:64]!r}")


def _specifiers(instance: object, attribute: attrs.Attribute[Any], value: dict[str, Any]) -> None:
    for name, versions in value.items():
        try:
            SpecifierSet(versions)
        except (InvalidSpecifier, TypeError, AttributeError) as error:
            raise OptionError("must name versions", f'write {name[:64]} = ">=1.2,<2"') from error


def _paths(instance: object, attribute: attrs.Attribute[Any], value: dict[str, Any]) -> None:
    """Refuse ``generator.attention = "none"`` without quotes, a nested table that would replace the whole section."""
    for key, item in value.items():
        if isinstance(item, dict) and "." not in key:
            inner = next(iter(item), "…")
            raise OptionError("must have quoted paths as keys", f'write "{key}.{inner}" = …')


@frozen(kw_only=True)
class Data:
    """``[data]``: the images. All other keys are options of the data set."""

    dataset: Dataset = inline_socket("dataset")
    fake_classes: Literal["data", "uniform"] = option("data")
    """How the classes of fakes are drawn: as often as in the data, or uniformly."""
    augment: Augment | None = socket("augment", optional=True)
    """Augmentation of real images when they are read."""


@frozen(kw_only=True)
class DiscriminatorPlayer:
    """``[discriminator]``: the network and the augmentation of its input. All other keys are options of the network."""

    network: Discriminator = inline_socket("discriminator")
    augment: Augment | None = socket("augment", optional=True, validator=_differentiable)
    """Augmentation of real and fake images, in both players' turns."""


@frozen(kw_only=True)
class PenaltyTerm:
    """``[penalties.NAME]``: a penalty and its weight. Without ``use``, NAME is the name of the component."""

    penalty: Penalty = inline_socket("penalty")
    weight: Moving = moving(1.0, low=0)
    """Factor of the penalty."""
    every: int = option(1, low=1)
    """Steps of the player between two evaluations; the penalty is then multiplied by ``every``."""


@frozen(kw_only=True)
class Averaging:
    """``[average]``: the moving average of the generator's weights, which draws the samples."""

    decay: float = option(0.999, low=0, high=1)
    """Share of the old average that each step keeps."""
    start: int = option(0, low=0)
    """Images seen before the average starts; until then it equals the generator."""


@frozen(kw_only=True)
class Training:
    """``[training]``: length and batch size. All lengths are real images that the discriminator has seen."""

    images: int = option(above=0)
    """Length of the training."""
    batch: int = option(above=0)
    """Real images per discriminator step."""
    microbatch: int | None = option(None, above=0)
    """Samples per forward pass; the gradients of a batch are accumulated. Batch norm and losses that compare samples use those
    of a microbatch only."""
    precision: Literal["fp32", "bf16", "auto"] = option("fp32")
    """"auto": bf16 if the device supports it, else fp32; the run folder's recipe has the choice."""
    deterministic: bool = option(False)
    """Use deterministic kernels only: slower on a GPU, without effect on a CPU."""
    samples_every: int | None = option(None, above=0)
    """Images between two grids of samples; by default a tenth of the run."""
    checkpoint_every: int | None = option(None, above=0)
    """Images between two checkpoints; by default a tenth of the run."""
    statistics_every: int | None = option(None, above=0)
    """Images between two records of statistics; by default a hundredth of the run."""
    report: bool = option(True)
    """Write report.html into the run folder at the end; ``ganblocks report`` does it at any time."""

    @microbatch.validator
    def _divides(self, attribute: attrs.Attribute[int | None], value: int | None) -> None:
        if value is not None and value > 0 and self.batch % value:
            raise OptionError(f"must divide batch, {self.batch}")


@frozen(kw_only=True)
class Measure:
    """``[evaluation.metrics.NAME]``: a metric. Without ``use``, NAME is the name of the component."""

    metric: Metric = inline_socket("metric")


@frozen(kw_only=True)
class Examination:
    """``[evaluation.diagnostics.NAME]``: a diagnostic. Without ``use``, NAME is the name of the component."""

    diagnostic: Diagnostic = inline_socket("diagnostic")


@frozen(kw_only=True)
class Evaluation:
    """``[evaluation]``: how a run is scored at its end, and during it if ``every`` is set.

    Without metrics and diagnostics, the default metrics are used.
    """

    extractor: FeatureExtractor = socket("feature_extractor", default=PLUGIN_DEFAULT)
    """The network whose features metrics compare."""
    metrics: dict[str, Measure] = option(Factory(dict), validator=_plain_names)
    """Metrics by name."""
    diagnostics: dict[str, Examination] = option(Factory(dict), validator=_plain_names)
    """Diagnostics of the generator by name."""
    n: int | None = option(None, low=2)
    """Number of samples and of real images; by default that of the training images, at most 10,000."""
    weights: Literal["average", "live"] = option("average")
    """Weights of the generator: their moving average, or as trained."""
    every: int | None = option(None, above=0)
    """Images between two scores during the run; by default it is scored at its end only."""


@frozen(kw_only=True)
class Health:
    """``[health]``: how a run reacts to numbers that are not finite, and to collapse."""

    not_finite: Literal["stop", "skip", "rollback"] = option("stop")
    """At a number that is not finite: stop; skip the step (all state is copied before each); or roll back to the last
    checkpoint and continue with other random numbers."""
    collapse: Literal["off", "warn", "stop", "rollback"] = option("warn")
    """If fakes hardly differ from each other, or the generator gets no gradient any more."""
    skips: int = option(10, low=0)
    """Maximum number of consecutive steps to skip before the run stops."""
    rollbacks: int = option(3, low=0)
    """Maximum number of rollbacks before the run stops."""


@frozen(kw_only=True)
class Logging:
    """``[loggers.NAME]``: a logger. Without ``use``, NAME is the name of the component."""

    logger: Logger = inline_socket("logger")
    every: int | None = option(None, above=0)
    """Images between two records that it gets; by default a thousandth of the run. Grids, scores and statistics are extra."""


@frozen(kw_only=True)
class Loggers:
    """loggers.toml of a run folder: the loggers of the run, as a recipe has them."""

    loggers: dict[str, Logging] = option(Factory(dict), validator=_plain_names)
    """Loggers by name."""


@frozen(kw_only=True)
class Ablation:
    """``[ablation.NAME]``: changes to the recipe, applied by ``--ablation NAME``."""

    set: dict[str, Any] = option(Factory(dict), validator=_paths)
    """Dotted path -> value."""
    remove: tuple[str, ...] = ()
    """Dotted paths to remove."""
    against: str | None = None
    """The ablation that ``ganblocks ablate`` compares this one with; by default the recipe itself."""


@frozen(kw_only=True)
class Recipe:
    """A recipe: a whole training as data."""

    title: str = option()
    """Name of the experiment."""
    paper: str = ""
    """The paper that it reproduces, such as ``arXiv:1805.08318``."""
    data: Data
    generator: Generator = socket("generator")
    """The generator network."""
    discriminator: DiscriminatorPlayer
    loss: Loss = socket("loss")
    """The adversarial loss of both players."""
    penalties: dict[str, PenaltyTerm] = option(Factory(dict), validator=_plain_names)
    """Regularisation terms by name."""
    update: UpdateRule = socket("update_rule")
    """Optimizers and order of the players' turns."""
    average: Averaging = Factory(Averaging)
    training: Training
    health: Health = Factory(Health)
    evaluation: Evaluation | None = None
    loggers: dict[str, Logging] = option(Factory(dict), validator=_plain_names)
    """Other programs that show the run while it trains, by name; without effect on what it computes."""
    plugins: dict[str, str] = option(Factory(dict), validator=_specifiers)
    """Required versions of distributions, such as ``ganblocks-acme = ">=1.2,<2"``."""
    ablation: dict[str, Ablation] = option(Factory(dict), validator=_plain_names)
    """Named changes for comparison."""
